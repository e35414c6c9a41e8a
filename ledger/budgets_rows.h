/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_BUDGETS_ROWS_H
#define LEDGER_BUDGETS_ROWS_H

#include "common/loop.h"
#include "ledger/budgets.h"
#include "ledger/window.h"

/* The rows of ledger/budgets.h: logins, and to whom they have sent. */

struct tally {
	struct window window;
	uint32_t span; /* of the window; 0: it is empty */
};

/* The rate must have a limit. */
uint64_t tally_count(struct tally *, const struct config_rate *, time_t now);
/* Where it has none, nothing is counted. */
void tally_add(
    struct tally *, const struct config_rate *, unsigned n, time_t now);

struct budget {
	struct row row;
	struct tally tallies[BUDGETS_TALLIES];
	char user[];
};

struct budget *budget_find(const char *user);
struct budget *budget_make(const char *user, time_t now); /* NULL: no memory */

/* Both are digests; see budgets_recipient(). */
bool contact_is_known(uint64_t login, uint64_t recipient, time_t now);
void contact_use(uint64_t login, uint64_t recipient, time_t now);

#endif
