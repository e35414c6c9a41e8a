/* SPDX-License-Identifier: ISC */
#ifndef DELIVER_CAPS_H
#define DELIVER_CAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "deliver/reply.h"

/* What a server offers in its reply to EHLO (RFC 5321 section 4.1.1.1). */
struct caps {
	bool pipelining;     /* RFC 2920 */
	bool eight_bit;	     /* RFC 6152 */
	bool utf8;	     /* RFC 6531 */
	bool dsn;            /* RFC 3461 */
	bool starttls;	     /* RFC 3207 */
	bool login;	     /* RFC 4954: AUTH, with these mechanisms */
	unsigned auth;	     /* a set of common/sasl.h */
	bool size;	     /* RFC 1870 */
	uint64_t size_limit; /* octets, 0: none was named */
	/* RFC 9422, 0: none was named */
	uint64_t recipients_limit, transactions_limit;
};

/* Pure.  An unknown keyword or a bad parameter is as if it were absent. */
void caps_read(struct caps *, const struct reply *);

#endif
