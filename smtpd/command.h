/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_COMMAND_H
#define SMTPD_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/cursor.h"
#include "common/dsn.h"

/*
 * What stands on a command line, RFC 5321 section 4.1.1.  Pure: nothing here
 * knows of a session.
 */

struct reply { /* texts are static */
	int smtp;
	const char *enhanced; /* RFC 3463 */
	const char *text;
};

enum { COMMAND_VERB_MAX = 15 };

enum command_fault {
	COMMAND_FINE,
	COMMAND_CONTROL, /* a control character or ill-formed UTF-8 (A8) */
	COMMAND_NUL
};

/* May these octets be a command at all? */
enum command_fault command_check(struct span line);

/*
 * The verb in upper case ("" when it is longer than any) and what stands
 * behind it, without white space at its ends.
 */
const char *command_split(char *line, char verb[COMMAND_VERB_MAX + 1]);

/* Is it one of HTTP, and not one of SMTP (A6)? */
bool command_is_foreign(const char *verb);

struct mail_command {
	struct address sender;
	bool has_size, body_8bit, utf8;
	uint64_t size; /* as declared, RFC 1870 */
	enum dsn_ret ret;
	char envid[DSN_ENVID_MAX + 1]; /* "": none */
};

struct rcpt_command {
	struct address recipient;
	unsigned notify;               /* of enum dsn_notify */
	char orcpt[DSN_ORCPT_MAX + 1]; /* "": none */
	bool utf8;                     /* MAIL said SMTPUTF8 */
};

/*
 * The argument of MAIL or RCPT.  Code 0, or what to answer.  utf8: MAIL said
 * SMTPUTF8; dsn: EHLO said DSN, else its parameters are not known.
 */
struct reply command_mail(
    const char *argument, bool dsn, struct mail_command *);
struct reply command_rcpt(
    const char *argument, bool utf8, bool dsn, struct rcpt_command *);

/*
 * The name a client gives itself.  Nonsense is allowed (section 4.1.4), but
 * no white space, no control character and at most 255 octets.
 */
bool command_helo_fits(const char *argument);

#endif
