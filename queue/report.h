/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_REPORT_H
#define QUEUE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "common/buf.h"
#include "queue/envelope.h"
#include "queue/owed.h"

/*
 * The text of a report (RFC 3464) of one kind, about every recipient that it
 * is owed about: multipart/report (RFC 6522) of a text, a
 * message/delivery-status, and the message or its header.  Internationalized
 * mail gets the types of RFC 6533.  Pure.
 */
struct report {
	const struct envelope *e;
	enum report_kind kind;
	const char *to; /* the sender, or the postmaster */
	bool copy;      /* it is the postmaster's: not for the sender's eyes */
	const char *id; /* of the message it is about */
	const char *own_id;   /* of the report; makes the boundary */
	const char *hostname; /* the Reporting-MTA */
	int64_t expires;      /* delay: until when it is tried, unix seconds */
	time_t now;
	const char *octets; /* of the message, as far as it was read */
	size_t n;
	bool whole; /* that is all of it, and may be returned */

	/* out, for the envelope */
	struct buf text; /* LF line ends */
	uint64_t start, wire;
	bool eight_bit, utf8;

	char boundary[64];
};

enum {
	REPORT_HEADER_MAX = 65536,
	REPORT_MAX = 64 << 20,
	REPORT_LINE_MAX = 998 /* RFC 5322 section 2.1.1 */
};

/* False without memory.  buf_free() the text. */
bool report_compose(struct report *);

/*
 * Did a program or a list send the message (RFC 3834 section 2)?  Nobody waits
 * for word of it.
 */
bool report_is_unattended(const struct report *);

/* Is it this kind of message, copy and reason that is returned whole? */
bool report_returns_all(const struct report *);

#endif
