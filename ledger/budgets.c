/* SPDX-License-Identifier: ISC */
#include "ledger/budgets.h"

#include <stdlib.h>
#include <string.h>

#include "ledger/budgets_rows.h"
#include "ledger/fold.h"

uint64_t
budgets_recipient(const char *user, const char *address)
{
	char folded[2][BUDGETS_USER_MAX + 1];
	const char *const texts[] = {fold(user, folded[0], BUDGETS_USER_MAX),
	    fold(address, folded[1], BUDGETS_USER_MAX)};

	return digest_of(texts, 2).half[0];
}

static int
compare_recipients(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static size_t
each_once(uint64_t *recipients, size_t n)
{
	size_t kept = 0;

	qsort(recipients, n, sizeof(*recipients), compare_recipients);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || recipients[i] != recipients[kept - 1])
			recipients[kept++] = recipients[i];
	return kept;
}

static uint64_t
count_new(uint64_t login, const uint64_t *recipients, size_t n, time_t now)
{
	uint64_t fresh = 0;

	for (size_t i = 0; i < n; i++)
		fresh += !contact_is_known(login, recipients[i], now);
	return fresh;
}

bool
budgets_spend(const char *given, unsigned messages, uint64_t *recipients,
    size_t n, const struct budgets_limits *limits, time_t now,
    struct budgets_over *over)
{
	char user[BUDGETS_USER_MAX + 1];
	uint64_t login = budgets_recipient(given, "");
	uint64_t more[BUDGETS_TALLIES] = {messages, n, 0};
	struct budget *b =
	    budget_make(fold(given, user, BUDGETS_USER_MAX), now);
	bool learns = limits->tallies[BUDGETS_NEW].count > 0;

	if (b == NULL)
		return true;
	n = each_once(recipients, n);
	if (learns)
		more[BUDGETS_NEW] = count_new(login, recipients, n, now);
	for (int i = 0; i < BUDGETS_TALLIES; i++) {
		const struct config_rate *rate = &limits->tallies[i];
		uint64_t count;

		if (rate->count == 0 || more[i] == 0)
			continue;
		count = tally_count(&b->tallies[i], rate, now) + more[i];
		if (count <= rate->count)
			continue;
		*over = (struct budgets_over){
		    (enum budgets_tally)i, count, rate->count};
		return false;
	}
	for (int i = 0; i < BUDGETS_TALLIES; i++)
		tally_add(&b->tallies[i], &limits->tallies[i],
		    (unsigned)more[i], now);
	row_changed(&b->row);
	for (size_t i = 0; learns && i < n; i++)
		contact_use(login, recipients[i], now);
	return true;
}

void
budgets_view(const char *given, const struct budgets_limits *limits,
    uint64_t counts[BUDGETS_TALLIES], time_t now)
{
	char user[BUDGETS_USER_MAX + 1];
	struct budget *b = budget_find(fold(given, user, BUDGETS_USER_MAX));

	for (int i = 0; i < BUDGETS_TALLIES; i++)
		counts[i] = b != NULL && limits->tallies[i].count > 0
		    ? tally_count(&b->tallies[i], &limits->tallies[i], now)
		    : 0;
}

bool
budgets_forget(const char *given)
{
	char user[BUDGETS_USER_MAX + 1];
	struct budget *b = budget_find(fold(given, user, BUDGETS_USER_MAX));

	if (b == NULL)
		return false;
	/* A row that says so outlives us; one that is gone may come back. */
	for (int i = 0; i < BUDGETS_TALLIES; i++)
		b->tallies[i] = (struct tally){.span = 0};
	row_changed(&b->row);
	return true;
}
