/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_GATE_REFUSAL_H
#define SMTPD_GATE_REFUSAL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/address.h"
#include "common/cursor.h"
#include "smtpd/command.h"

/*
 * The conversation with a client that is refused for what it is: it gets as
 * far as RCPT, so that its server tells the sender why, and the log has from=
 * and to=.  Nothing it says gets it further.  A line in, a reply out; pure.
 */
enum {
	REFUSAL_LINES_MAX = 20,
	REFUSAL_REPLY_MAX = 768,
	REFUSAL_TEXT_MAX = 450 /* of the reason; a reply has 512 octets */
};

struct refusal {
	int smtp; /* 550, or 450 where it will pass */
	const char *enhanced;
	char text[REFUSAL_TEXT_MAX + 1];
	char helo[ADDRESS_DOMAIN_MAX + 1]; /* "" before HELO */
	char from[ADDRESS_TEXT_MAX + 1];
	char to[ADDRESS_TEXT_MAX + 1];
	bool open; /* MAIL was taken, as it seems */
	unsigned lines;
};

enum refusal_step {
	REFUSAL_GOES_ON,
	REFUSAL_RECIPIENT, /* the same; to= was refused just now */
	REFUSAL_OVER       /* close behind the reply */
};

/*
 * The next line, without its CRLF.  hostname: for the replies.  The reply has
 * all its CRLFs.
 */
enum refusal_step refusal_line(struct refusal *, const char *hostname,
    struct span line, char reply[REFUSAL_REPLY_MAX]);

#endif
