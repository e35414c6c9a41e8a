/* SPDX-License-Identifier: ISC */
#include "ledger/budgets_rows.h"

#include <stdlib.h>
#include <string.h>

enum {
	BUDGETS_MAX = 1 << 16,
	CONTACTS_MAX = 1 << 20,
	CONTACTS_STEP =
	    1 << 12, /* more than so many, and they are worth less */
	DAY = 86400,
	MEMORY_DAYS = 180,
	AGAIN_DAYS = 7, /* the day of use is written so often */
	SPAN_MAX = 30 * DAY
};

/* -- tallies -- */

static void
settle(struct tally *t, const struct config_rate *rate, time_t now)
{
	if (t->span != 0 && t->span != rate->span)
		window_rescale(&t->window, t->span, (uint32_t)rate->span, now);
	t->span = (uint32_t)rate->span;
}

uint64_t
tally_count(struct tally *t, const struct config_rate *rate, time_t now)
{
	settle(t, rate, now);
	return window_count(&t->window, t->span, now);
}

void
tally_add(
    struct tally *t, const struct config_rate *rate, unsigned n, time_t now)
{
	if (rate->count == 0 || n == 0)
		return;
	settle(t, rate, now);
	window_add_many(&t->window, t->span, now, n);
}

static bool
tally_is_empty(const struct tally *t, time_t now)
{
	return t->span == 0 || window_count(&t->window, t->span, now) == 0;
}

static void
tally_write(const struct tally *t, struct buf *line)
{
	unsigned n = 0;

	fields_number(line, t->span);
	for (unsigned i = 0; i < WINDOW_SLOTS; i++)
		n += t->window.counts[i] > 0;
	fields_number(line, n);
	for (unsigned i = 0; i < WINDOW_SLOTS && t->span > 0; i++) {
		time_t when = window_time(&t->window, t->span, i);

		if (t->window.counts[i] == 0)
			continue;
		fields_number(line, when > 0 ? (uint64_t)when : 0);
		fields_number(line, t->window.counts[i]);
	}
}

static void
tally_read(struct fields *f, struct tally *t, time_t now)
{
	uint64_t n;

	t->span = (uint32_t)fields_take_number(f, SPAN_MAX);
	n = fields_take_number(f, t->span > 0 ? WINDOW_SLOTS : 0);
	for (; n > 0 && !f->failed; n--) {
		time_t when = fields_take_time(f, now);

		window_restore(&t->window, t->span, when, now,
		    (unsigned)fields_take_number(f, WINDOW_COUNT_MAX));
	}
}

/* -- logins -- */

#define BUDGET(pointer) container_of(pointer, struct budget, row)

static int
budget_compare(const void *a, const void *b)
{
	return strcmp(BUDGET((const struct row *)a)->user,
	    BUDGET((const struct row *)b)->user);
}

static void
budget_free(struct row *row)
{
	free(BUDGET(row));
}

static bool
budget_is_over(const struct row *row, time_t now)
{
	for (int i = 0; i < BUDGETS_TALLIES; i++)
		if (!tally_is_empty(&BUDGET(row)->tallies[i], now))
			return false;
	return true;
}

static int64_t
budget_worth(const struct row *row, time_t now)
{
	const struct tally *t = &BUDGET(row)->tallies[BUDGETS_RECIPIENTS];

	return t->span > 0 ? window_count(&t->window, t->span, now) : 0;
}

static void
budget_write(const struct row *row, struct buf *line)
{
	fields_text(line, BUDGET(row)->user);
	for (int i = 0; i < BUDGETS_TALLIES; i++)
		tally_write(&BUDGET(row)->tallies[i], line);
}

static struct budget *
budget_new(const char *user)
{
	size_t n = strlen(user) + 1;
	struct budget *b = calloc(1, sizeof(*b) + n);

	if (b != NULL)
		memcpy(b->user, user, n);
	return b;
}

static struct row *
budget_read(struct fields *f, time_t now)
{
	struct budget *b = budget_new(fields_take(f, BUDGETS_USER_MAX));

	if (b == NULL)
		return NULL;
	for (int i = 0; i < BUDGETS_TALLIES; i++)
		tally_read(f, &b->tallies[i], now);
	return &b->row;
}

/* -- contacts -- */

struct contact {
	struct row row;
	uint64_t login, recipient;
	int64_t day; /* since the epoch, it was last used, or a week later */
};

#define CONTACT(pointer) container_of(pointer, struct contact, row)

static struct crowds crowds;

static int
contact_compare(const void *a, const void *b)
{
	const struct contact *x = CONTACT((const struct row *)a);
	const struct contact *y = CONTACT((const struct row *)b);

	if (x->login != y->login)
		return x->login < y->login ? -1 : 1;
	if (x->recipient != y->recipient)
		return x->recipient < y->recipient ? -1 : 1;
	return 0;
}

static void
contact_free(struct row *row)
{
	crowds_remove(&crowds, CONTACT(row)->login);
	free(CONTACT(row));
}

static bool
contact_is_over(const struct row *row, time_t now)
{
	return now / DAY - CONTACT(row)->day > MEMORY_DAYS;
}

static int64_t
contact_worth(const struct row *row, time_t now)
{
	const struct contact *c = CONTACT(row);
	int64_t excess = crowds_count(&crowds, c->login) / CONTACTS_STEP;

	(void)now;
	return c->day - (excess << 32);
}

static void
contact_write(const struct row *row, struct buf *line)
{
	fields_number(line, CONTACT(row)->login);
	fields_number(line, CONTACT(row)->recipient);
	fields_number(line, (uint64_t)CONTACT(row)->day);
}

/* One counts in its crowd from when it is made until it is freed. */
static struct contact *
contact_new(uint64_t login, uint64_t recipient, int64_t day)
{
	struct contact *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->login = login;
	c->recipient = recipient;
	c->day = day;
	crowds_add(&crowds, login);
	return c;
}

static struct row *
contact_read(struct fields *f, time_t now)
{
	uint64_t login = fields_take_number(f, UINT64_MAX);
	uint64_t recipient = fields_take_number(f, UINT64_MAX);
	uint64_t day = fields_take_number(f, INT32_MAX);
	struct contact *c;

	if (day > (uint64_t)(now / DAY))
		day = (uint64_t)(now / DAY);
	c = contact_new(login, recipient, (int64_t)day);
	return c != NULL ? &c->row : NULL;
}

/* -- the tables -- */

enum { BUDGETS, CONTACTS };

static const struct kind kinds[BUDGETS_TABLES] = {
    [BUDGETS] = {"budget", BUDGETS_MAX, budget_compare, budget_free,
	budget_is_over, budget_worth, budget_write, budget_read},
    [CONTACTS] = {"contact", CONTACTS_MAX, contact_compare, contact_free,
	contact_is_over, contact_worth, contact_write, contact_read},
};

struct table budgets_tables[BUDGETS_TABLES] = {
    [BUDGETS] = {.kind = &kinds[BUDGETS]},
    [CONTACTS] = {.kind = &kinds[CONTACTS]},
};

struct budget *
budget_find(const char *user)
{
	union {
		struct budget budget;
		char room[sizeof(struct budget) + BUDGETS_USER_MAX + 1];
	} key;
	struct row *row;

	memcpy(key.budget.user, user, strlen(user) + 1);
	row = table_find(&budgets_tables[BUDGETS], &key.budget.row);
	return row != NULL ? BUDGET(row) : NULL;
}

struct budget *
budget_make(const char *user, time_t now)
{
	struct budget *b = budget_find(user);

	if (b != NULL)
		return b;
	b = budget_new(user);
	if (b == NULL || table_add(&budgets_tables[BUDGETS], &b->row, now))
		return b;
	free(b);
	return NULL;
}

static struct contact *
contact_find(uint64_t login, uint64_t recipient)
{
	const struct contact key = {.login = login, .recipient = recipient};
	struct row *row = table_find(&budgets_tables[CONTACTS], &key.row);

	return row != NULL ? CONTACT(row) : NULL;
}

bool
contact_is_known(uint64_t login, uint64_t recipient, time_t now)
{
	const struct contact *c = contact_find(login, recipient);

	return c != NULL && !contact_is_over(&c->row, now);
}

void
contact_use(uint64_t login, uint64_t recipient, time_t now)
{
	struct contact *c = contact_find(login, recipient);
	int64_t day = now / DAY;

	if (c != NULL) {
		if (day - c->day < AGAIN_DAYS && day >= c->day)
			return;
		c->day = day;
	} else {
		c = contact_new(login, recipient, day);
		if (c == NULL)
			return;
		if (!table_add(&budgets_tables[CONTACTS], &c->row, now)) {
			contact_free(&c->row);
			return;
		}
	}
	row_changed(&c->row);
}
