/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_DNS_REPORT_H
#define TOOLS_DNS_REPORT_H

#include <stdbool.h>

#include "common/dns.h"

/*
 * What check finds, on standard output: a line each, or an object of JSON.
 * Texts may hold what others publish.
 */
enum finding {
	FINDING_OK,
	FINDING_NOTE,       /* nothing wrong, something to know */
	FINDING_WARNING,    /* mail may suffer */
	FINDING_UNANSWERED, /* the DNS did not tell */
	FINDING_ERROR       /* mail does suffer */
};

struct report {
	bool json, quiet;
	bool any; /* is printed */
	unsigned count[FINDING_ERROR + 1];
};

/* Of what (an MX, "SPF example.org"), and what about it. */
void report_add(struct report *, enum finding, const char *subject,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/*
 * There is no answer to rely on: then that is a finding, and true.  False:
 * the status tells something.
 */
bool report_unanswered(struct report *, enum dns_status, const char *subject);

/* Print the end; the exit code. */
int report_end(struct report *);

#endif
