/* SPDX-License-Identifier: ISC */
#ifndef SENDMAIL_INTAKE_H
#define SENDMAIL_INTAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"

/*
 * What local programs write, made into a message as it is stored: LF line
 * ends, whatever they were (LF, CRLF, a bare CR: A2), a last line that is
 * ended, no NUL.  NULs are left out rather than refused: what cron sends is
 * worth more than one.  Pure: any split of the input gives the same result.
 */
struct intake {
	bool whole;     /* a lone dot does not end the message */
	size_t nuls;    /* left out */
	size_t longest; /* line, without its end */
	bool eight_bit;
	/* its own */
	bool after_cr, ended;
	size_t line;
	char first;
};

/*
 * Returns false when the message has ended with a lone dot, or out is full
 * (buf_ok()).  A line of "." is held back until it is known to be one.
 */
bool intake_add(struct intake *, const char *octets, size_t n, struct buf *out);

/* No more will come. */
bool intake_end(struct intake *, struct buf *out);

#endif
