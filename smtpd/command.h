/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_COMMAND_H
#define SMTPD_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/cursor.h"

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

struct mail_command {
	struct address sender;
	bool has_size, body_8bit, utf8;
	uint64_t size; /* as declared, RFC 1870 */
};

/* The argument of MAIL or RCPT.  Code 0, or what to answer. */
struct reply command_mail(const char *argument, struct mail_command *);
struct reply command_rcpt(
    const char *argument, bool utf8, struct address *recipient);

/*
 * The name a client gives itself.  Nonsense is allowed (section 4.1.4), but
 * no white space, no control character and at most 255 octets.
 */
bool command_helo_fits(const char *argument);

#endif
