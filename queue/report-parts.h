/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_REPORT_PARTS_H
#define QUEUE_REPORT_PARTS_H

#include "common/cursor.h"
#include "queue/report.h"

/* What the files that write a report share. */

/* Is this recipient in the report? */
bool report_is_about(const struct report *, size_t index);

/* Whether the message is internationalized: then so is what we say of it. */
bool report_is_global(const struct report *);

/* -- safe pieces: whatever strangers said, a line stays a line -- */

/* No control characters, well-formed, and ASCII unless it is global. */
void report_clean(struct report *, const char *text, size_t n);

/* Folded at blanks; a word that is too long by itself is cut in two. */
void report_wrapped(
    struct report *, const char *text, size_t column, const char *indent);

/* RFC 6533 section 3: utf-8-addr-xtext where only ASCII may stand. */
void report_address(struct report *, const char *address);

void report_date(struct report *, const char *name, int64_t when);

/* The boundary and the part's header. */
void report_part(struct report *, const char *type, bool eight_bit);

/* -- the parts -- */

void report_explain(struct report *); /* for people */
void report_status(struct report *);  /* for programs, RFC 3464 section 2 */
void report_return(struct report *);  /* the message; and the end */

/*
 * In-Reply-To and References to the message (RFC 3834 section 3.1.5, RFC 5322
 * section 3.6.4), where it has a Message-ID.
 */
void report_thread(struct report *);

/* The value of its first field of that name, folds kept. */
bool report_field(
    const struct report *, const char *name, struct span *value);

/* What of r->octets is the header: up to the empty line. */
size_t report_header_length(const struct report *);

#endif
