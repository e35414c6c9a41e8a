/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_REPORT_FIND_H
#define TOOLS_REPORT_FIND_H

#include <stddef.h>

#include "tools/report-feedback.h"

/*
 * The aggregate reports in a file, whatever they are wrapped in: XML, gzip,
 * ZIP, or a message with such parts.  What it is its first octets tell, for
 * names and media types are often wrong.
 */
enum { FIND_REASON_MAX = 240 };

struct find {
	/* Given each report, which it does not keep. */
	void (*report)(const struct feedback *, void *context);
	void *context;
	unsigned reports;             /* out: so many */
	size_t left;                  /* that may come out of what is packed */
	char reason[FIND_REASON_MAX]; /* out: what is wrong; "": nothing */
};

/*
 * What is wrong is about the first thing in it that is; other parts of a
 * message count all the same.  Without a report nothing need be wrong: it is
 * a message about something else.
 */
void find_reports(struct find *, const char *octets, size_t n);

#endif
