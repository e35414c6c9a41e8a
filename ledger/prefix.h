/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_PREFIX_H
#define LEDGER_PREFIX_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Whom a tally is about: a client, which is an IPv4 address or the /64 of an
 * IPv6 address (whose owner has all the addresses in it), or the network
 * around it, a /24 or /48.
 */
struct prefix {
	uint8_t version; /* 4 or 6 */
	uint8_t bits;
	unsigned char octets[8]; /* zero behind the bits */
};

enum { PREFIX_TEXT_MAX = 64 };

/*
 * The client that an address belongs to; false where the text is none.  A
 * mapped IPv4 address is one of IPv4.
 */
bool prefix_of(const char *address, struct prefix *client);
struct prefix prefix_network(const struct prefix *client);

int prefix_compare(const struct prefix *, const struct prefix *);

/* 192.0.2.1, 192.0.2.0/24, 2001:db8::/64; and back. */
void prefix_format(const struct prefix *, char out[PREFIX_TEXT_MAX]);
bool prefix_parse(const char *text, struct prefix *);

#endif
