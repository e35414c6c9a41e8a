/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_BUDGETS_H
#define LEDGER_BUDGETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "common/config.h"
#include "ledger/digest.h"
#include "ledger/table.h"

/*
 * What each login sends: messages, recipients, and recipients to whom it did
 * not send within half a year.  Nothing is known of those but digests, and
 * where there are too many the login with most of them loses those that it
 * used longest ago.
 */
enum budgets_tally {
	BUDGETS_MESSAGES,
	BUDGETS_RECIPIENTS,
	BUDGETS_NEW,
	BUDGETS_TALLIES
};

enum { BUDGETS_USER_MAX = 400, BUDGETS_RECIPIENTS_MAX = 100000 };

struct budgets_limits {
	struct config_rate tallies[BUDGETS_TALLIES];
};

/* A recipient of that login, for budgets_spend(). */
uint64_t budgets_recipient(const char *user, const char *address);

struct budgets_over {
	enum budgets_tally what;
	uint64_t count, limit; /* with this */
};

/*
 * So many messages, to those recipients in all (sorted here): all of it is
 * counted, or nothing, and false.
 */
bool budgets_spend(const char *user, unsigned messages, uint64_t *recipients,
    size_t n, const struct budgets_limits *, time_t now, struct budgets_over *);

/* What counts now. */
void budgets_view(const char *user, const struct budgets_limits *,
    uint64_t counts[BUDGETS_TALLIES], time_t now);
/* Nothing was sent lately; to whom it sent before is remembered. */
bool budgets_forget(const char *user);

enum { BUDGETS_TABLES = 2 };
extern struct table budgets_tables[BUDGETS_TABLES];

#endif
