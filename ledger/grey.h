/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_GREY_H
#define LEDGER_GREY_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "ledger/table.h"

/*
 * Who was put off and came again.  The same sender to the same recipient,
 * from behind the same key (common/protocol.h), not too soon and not too late:
 * then the key has waited, and need not again for as long as clients are
 * remembered (ledger/familiar.h).
 *
 * Of those that wait, who has the most of them loses them first where there
 * are too many: a flood from one network pushes out nobody else's.
 */
struct grey_limits {
	uint32_t delay, window, memory; /* seconds */
};
extern struct grey_limits grey_limits;

struct grey_case {
	const char *key, *client, *sender, *recipient;
};

/*
 * 0: it has waited, or did before; else the seconds until it will have.
 * dry: only look.
 */
uint32_t grey_wait(const struct grey_case *, bool dry, time_t now);

/* What came from there was junk: it waits again. */
void grey_unlearn(const char *key);

enum { GREY_TABLES = 2 };
extern struct table grey_tables[GREY_TABLES];

#endif
