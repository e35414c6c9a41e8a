/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_HEADER_SCAN_H
#define SMTPD_HEADER_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Watches a message (LF line ends) pass by, in any pieces, and keeps what
 * must be known of its header section; the body is not looked at.
 */
struct header_scan {
	uint64_t received; /* Received fields: hops (RFC 5321 section 6.3) */
	bool eight_bit;	   /* not ASCII: SMTPUTF8 is needed (RFC 6532) */
	bool done;	   /* the empty line has passed */
	/* its own */
	size_t column;
	bool matching;
};

void header_scan_init(struct header_scan *);
void header_scan(struct header_scan *, const char *octets, size_t n);

#endif
