/* SPDX-License-Identifier: ISC */
#ifndef COMMON_DSN_H
#define COMMON_DSN_H

#include <stdbool.h>

#include "common/buf.h"

/*
 * What a sender asks about reports, and its forms: parameters of MAIL and
 * RCPT (RFC 3461 section 4, RFC 6533 section 3).  Pure.
 *
 * Inside the house an original recipient is "TYPE;ADDRESS" and an envelope
 * id plain text, their xtext undone.  Both are printable ASCII; an address
 * of the type utf-8 is UTF-8 without control characters.
 */

enum dsn_notify { /* bits; 0: not asked, as ever: failures, and delays */
	DSN_NEVER = 1,
	DSN_SUCCESS = 2,
	DSN_FAILURE = 4,
	DSN_DELAY = 8
};

enum dsn_ret {        /* what comes back with a report of a failure */
	DSN_RET_NONE, /* not asked */
	DSN_RET_FULL,
	DSN_RET_HDRS
};

struct dsn_recipient {
	unsigned notify;   /* of enum dsn_notify */
	const char *orcpt; /* NULL: none */
};

enum {
	DSN_ENVID_MAX = 100, /* section 5.4; as xtext, so more than enough */
	DSN_ORCPT_MAX = 500,
	DSN_NOTIFY_SIZE = 32 /* of a list, with its NUL */
};

/* NEVER, or a list of SUCCESS, FAILURE and DELAY, in any case. */
bool dsn_read_notify(const char *text, unsigned *notify);
/* The same in lower case; "" when nothing was asked. */
void dsn_write_notify(unsigned notify, char out[DSN_NOTIFY_SIZE]);

/* FULL or HDRS, in any case. */
bool dsn_read_ret(const char *text, enum dsn_ret *);
const char *dsn_ret_name(enum dsn_ret); /* lower case; NULL: none */

/* From the wire, xtext; false when it is ill-formed or too long. */
bool dsn_read_envid(const char *xtext, char out[DSN_ENVID_MAX + 1]);
/* utf8: also utf-8-addr-unitext, as SMTPUTF8 allows it. */
bool dsn_read_orcpt(const char *xtext, bool utf8, char out[DSN_ORCPT_MAX + 1]);

/* May this be one, as it is inside the house? */
bool dsn_is_envid(const char *text);
bool dsn_is_orcpt(const char *text);

/*
 * To the wire.  An address of the type utf-8 stays UTF-8 where utf8 says so,
 * and is written in ASCII (utf-8-addr-xtext) otherwise.
 */
void dsn_write_envid(struct buf *, const char *envid);
void dsn_write_orcpt(struct buf *, const char *orcpt, bool utf8);

/* Only the address, as a report's field has it. */
void dsn_write_address(struct buf *, const char *address, bool utf8);

#endif
