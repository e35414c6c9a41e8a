/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_REPORT_FEEDBACK_H
#define TOOLS_REPORT_FEEDBACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

/*
 * An aggregate report as it came in: RFC 9990, or RFC 7489 before it.  The
 * XML is read by expat, without document types and so without entities
 * (A18); depth, length of texts and number of records are bounded.
 */
enum {
	FEEDBACK_RECORDS_MAX = 100000,
	FEEDBACK_RESULTS_MAX = 300000, /* of all records, and reasons */
	FEEDBACK_TEXT_MAX = 1024,      /* octets kept of an element's text */
	FEEDBACK_DEPTH_MAX = 16
};

/* A place in feedback.texts: NUL-terminated; 0 is "". */
typedef uint32_t feedback_text;

enum feedback_kind { FEEDBACK_DKIM, FEEDBACK_SPF, FEEDBACK_REASON };

/* What SPF or DKIM said, or why a policy was not followed. */
struct feedback_result {
	enum feedback_kind kind;
	feedback_text domain;   /* the type of a reason */
	feedback_text selector; /* of DKIM; the comment of a reason */
	feedback_text result;
};

struct feedback_record {
	feedback_text client;
	uint64_t count;
	feedback_text disposition, dkim, spf; /* dkim, spf: aligned */
	feedback_text from, envelope;
	size_t first, nresults; /* in feedback.results */
};

struct feedback {
	feedback_text organization, email, id;
	int64_t begin, end; /* unix seconds */
	feedback_text domain;
	feedback_text p, sp, np, adkim, aspf, testing;
	size_t nrecords, nresults;
	struct feedback_record *records;
	struct feedback_result *results;
	struct buf texts;
};

const char *feedback_text_of(const struct feedback *, feedback_text);
void feedback_free(struct feedback *);

struct feedback_reader; /* opaque */

struct feedback_reader *feedback_begin(void); /* NULL without memory */
void feedback_cancel(struct feedback_reader *);

/* NULL, or what is wrong (in the reader). */
const char *feedback_octets(
    struct feedback_reader *, const char *octets, size_t n);

/*
 * The end.  NULL, and *out is the caller's to free; or what is wrong.  The
 * reader still has to be cancelled.
 */
const char *feedback_end(struct feedback_reader *, struct feedback *out);

#endif
