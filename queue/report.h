/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_REPORT_H
#define QUEUE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "common/buf.h"
#include "queue/envelope.h"

/*
 * The text of a report (RFC 3464) about every recipient that failed and was
 * not reported yet: multipart/report (RFC 6522) of a text, a
 * message/delivery-status and the header of the message.  Internationalized
 * mail gets the types of RFC 6533.  Pure.
 */
struct report {
	const struct envelope *e;
	const char *id;	      /* of the message it is about */
	const char *own_id;   /* of the report; makes the boundary */
	const char *hostname; /* the Reporting-MTA */
	time_t now;
	const char *header; /* of the message, as far as it was read */
	size_t nheader;

	/* out, for the envelope */
	struct buf text; /* LF line ends */
	uint64_t start, wire;
	bool eight_bit, utf8;
};

enum { REPORT_HEADER_MAX = 65536, REPORT_MAX = 48 << 20 };

/* False without memory.  buf_free() the text. */
bool report_compose(struct report *);

#endif
