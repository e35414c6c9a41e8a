/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_REPORT_LEDGER_H
#define TOOLS_REPORT_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/ipc.h"
#include "common/report_row.h"

/* What ledger has counted for reports (common/protocol.h). */
enum { LEDGER_DOMAIN_MAX = 255 };

struct ledger_link {
	int fd;
	const char *wrong; /* of the last question that failed; static */
	struct packet packet;
};

/* A domain's day. */
struct ledger_day {
	uint32_t day;
	char domain[LEDGER_DOMAIN_MAX + 1];
	char policy[REPORT_POLICY_MAX + 1];
	char rua[REPORT_RUA_MAX + 1];
	uint64_t messages;
	bool reported;
};

/* -1 and errno. */
int ledger_connect(struct ledger_link *, const struct config *);

/* Nobody else sends reports meanwhile; false: somebody does. */
bool ledger_begin(struct ledger_link *);

/*
 * The first day behind day->day and day->domain, into it.  False: there is
 * none, or wrong tells.
 */
bool ledger_next(struct ledger_link *, struct ledger_day *);

/* Its rows, each with its count; text may be taken apart. */
bool ledger_rows(struct ledger_link *, const struct ledger_day *,
    void (*row)(void *context, uint64_t count, char *text), void *context);

/* It is reported. */
bool ledger_done(struct ledger_link *, const struct ledger_day *);

#endif
