/* SPDX-License-Identifier: ISC */
#ifndef POP3D_TOP_H
#define POP3D_TOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How much of a stored message TOP sends (RFC 1939 section 7): the header,
 * the empty line, and so many lines of the body.
 */
struct top {
	uint64_t lines; /* of the body, still to come */
	bool in_body, whole;
	bool line_empty; /* nothing but CR in this line so far */
};

/* whole: all of it, as RETR does. */
void top_init(struct top *, bool whole, uint64_t lines);

/* How many of the next n octets belong to it; fewer than n: the end. */
size_t top_take(struct top *, const char *octets, size_t n);

#endif
