/* SPDX-License-Identifier: ISC */
#ifndef COMMON_REPORT_ROW_H
#define COMMON_REPORT_ROW_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"

/*
 * A row of an aggregate report (RFC 9990) on its way from smtpd, through
 * ledger, to postrider-report: one line, a tab between the fields, the
 * signatures behind them.  Words are those of the report.
 */
enum {
	REPORT_SIGNATURES_MAX = 8,
	REPORT_ROW_MAX = 1500, /* octets of its text */
	REPORT_COMMENT_MAX = 200,
	REPORT_POLICY_MAX = 64,
	REPORT_RUA_MAX = 1000
};

struct report_signature {
	const char *domain, *selector, *result;
};

struct report_row_text {
	const char *from;        /* the domain in From */
	const char *envelope;    /* of MAIL FROM; "": the null path */
	const char *client;      /* an IP address */
	const char *disposition; /* none|pass|quarantine|reject */
	const char *dkim, *spf;  /* aligned: pass|fail */
	const char *spf_domain;  /* "": SPF was not asked */
	const char *spf_result;
	const char *reason; /* of an override, "": none */
	const char *comment;
	size_t nsignatures;
	struct report_signature signatures[REPORT_SIGNATURES_MAX];
};

/*
 * Append it.  What peers wrote cannot leave its field; what is too long is
 * cut off, and signatures for which there is no room are left out.
 */
void report_row_write(struct buf *, const struct report_row_text *);

/* Takes the text apart, in place; false: it is none. */
bool report_row_read(char *text, struct report_row_text *);

/* The policy that was published, with every default. */
struct report_policy {
	const char *p, *sp, *np;  /* none|quarantine|reject */
	const char *adkim, *aspf; /* r|s */
	const char *testing;      /* y|n */
};

void report_policy_write(struct buf *, const struct report_policy *);
bool report_policy_read(char *text, struct report_policy *);

#endif
