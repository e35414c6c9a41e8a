/* SPDX-License-Identifier: ISC */
#ifndef MAILBOX_WIRE_H
#define MAILBOX_WIRE_H

#include <stddef.h>
#include <stdint.h>

/*
 * How many octets a stored message has on the wire (RFC 1939 section 11):
 * every line end as CRLF, the last line completed; just what dot_write() of
 * common/lines.h sends, dots not doubled.
 */
struct wire_count {
	uint64_t octets;
	char last; /* octet seen so far, 0 at the start */
};

void wire_add(struct wire_count *, const char *octets, size_t n);
uint64_t wire_total(const struct wire_count *);

#endif
