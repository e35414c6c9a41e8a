/* SPDX-License-Identifier: ISC */
#ifndef MAILAUTH_TOOL_MESSAGE_H
#define MAILAUTH_TOOL_MESSAGE_H

#include "common/buf.h"
#include "mailauth/header.h"

/* The message on standard input, with line ends of either kind. */
struct message {
	struct header_section section; /* done after message_begin() */
	bool crlf;                     /* its first line ends in CRLF */
	struct buf *copy; /* what was read is appended; NULL: nowhere */
	bool within_crlf; /* a CR has been read, and not yet what is next */
	bool lines;       /* a line end has been read */
	const char *rest; /* of the body, read with the header section */
	size_t nrest;
	char octets[64 * 1024 + 1];
};

/*
 * Read the header section.  EX_OK, or an exit code when standard input
 * cannot be read, which was said.
 */
int message_begin(struct message *, struct buf *copy);

/* More of the body, LF line ends; *n 0 at its end. */
int message_body(struct message *, const char **octets, size_t *n);

void message_free(struct message *);

#endif
