/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_REPORT_DAY_H
#define TOOLS_REPORT_DAY_H

#include "mailauth/mailauth.h"
#include "tools/report-ledger.h"

/* A run of "postrider-report dmarc". */
struct sending {
	const struct config *config;
	struct ledger_link ledger;
	struct dns *dns;
	struct resolver resolver;
	struct mailauth mailauth;
	bool dry_run, verbose;
	unsigned mails; /* sent so far */
};

/*
 * The report about one domain's day, so many days ago, to all who should get
 * it; then it is done with.  Where the DNS is in trouble the next run does it.
 * EX_OK, or why no other need be tried now.
 */
int day_report(struct sending *, const struct ledger_day *, uint32_t age);

#endif
