/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_REPORT_SHOW_H
#define TOOLS_REPORT_SHOW_H

#include <stddef.h>
#include <stdint.h>

#include "tools/report-feedback.h"

/* What reports say, on standard output: for people, or as JSON. */

/* Added up, of all reports or of those about one domain. */
struct totals {
	uint64_t reports, messages;
	uint64_t aligned; /* by SPF or DKIM: they passed DMARC */
	uint64_t quarantined, rejected;
};

void totals_add(struct totals *, const struct feedback *);

/* A report, as a table. */
void show_report(const struct feedback *);
void show_totals(const char *about, const struct totals *);

/* A report, as an object. */
void show_report_json(const struct feedback *, const char *file);
void show_totals_json(const struct totals *); /* members of an object */

#endif
