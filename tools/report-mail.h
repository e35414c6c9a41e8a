/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_REPORT_MAIL_H
#define TOOLS_REPORT_MAIL_H

#include <time.h>

#include "common/buf.h"
#include "common/config.h"
#include "common/verdict.h"
#include "tools/report-xml.h"

/* A report as a message (RFC 9990, "Email"), and its way to queue. */
enum { REPORT_ID_SIZE = 32 };

/*
 * The same for the same report, letters and digits alone, so that one that is
 * sent again is known as such.
 */
void report_id(char out[REPORT_ID_SIZE], const char *hostname,
    const char *domain, uint32_t day);

struct report_mail {
	const struct config *config;
	const struct report_facts *facts;
	const char *from, *to;          /* addresses */
	const struct buf *xml, *packed; /* packed: NULL without zlib */
	time_t now;
};

/* The whole message, LF line ends. */
bool mail_write(const struct report_mail *, struct buf *out);

/*
 * Hand it to queue, over public/queue.  VERDICT_OK: on stable storage.  *why
 * says more where there is no queue, or is NULL.
 */
enum verdict mail_submit(
    const struct report_mail *, const struct buf *message, const char **why);

#endif
