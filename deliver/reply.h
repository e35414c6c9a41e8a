/* SPDX-License-Identifier: ISC */
#ifndef DELIVER_REPLY_H
#define DELIVER_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/cursor.h"

/*
 * A server's reply (RFC 5321 section 4.2, enhanced codes RFC 2034), line by
 * line.  Pure.  Servers send what they like: a line without a code is taken
 * into the text and otherwise ignored; where the codes of the lines differ
 * the last one counts; octets that are no text become "?".
 */
enum {
	REPLY_LINE_MAX = 8192,	/* longest line read; RFC 5321 has 512 */
	REPLY_LINES_MAX = 200,	/* of one reply */
	REPLY_TEXT_MAX = 16384, /* what is kept of them all */
	REPLY_DSN_MAX = 12	/* "5.999.999" */
};

struct reply {
	int code; /* 200 to 599; 0 while there is none */
	unsigned lines;
	char dsn[REPLY_DSN_MAX]; /* as the server gave it, "" if it did not */
	/* The lines without their codes, each but the last ended by LF. */
	char text[REPLY_TEXT_MAX + 1];
	size_t len;
};

enum reply_step {
	REPLY_MORE,
	REPLY_END,
	REPLY_BAD /* no SMTP, or too long: close the connection */
};

void reply_init(struct reply *);
enum reply_step reply_line(struct reply *, struct span line);

/* The next of the lines in text, from *at on; false behind the last. */
bool reply_next(const struct reply *, const char **at, struct span *line);

/* First digit of the code, 0 when there is none. */
int reply_class(const struct reply *);

/*
 * The enhanced status code: the server's where it fits the reply's class
 * (RFC 3463), else what the code says by itself.  out: REPLY_DSN_MAX.
 */
void reply_status(const struct reply *, char *out);

/*
 * On one line, as a log and a DSN show it: "550 5.1.1 no such user".  At most
 * size - 1 octets, cut at the end of a character.
 */
void reply_show(const struct reply *, char *out, size_t size);

/*
 * A refused RCPT that only says "enough for one transaction" (section
 * 4.5.3.1.10, with the 552 of older servers).
 */
bool reply_is_too_many(const struct reply *);

#endif
