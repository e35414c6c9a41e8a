/* SPDX-License-Identifier: ISC */
#ifndef COMMON_SASL_TALK_H
#define COMMON_SASL_TALK_H

#include "common/sasl.h"
#include "common/stream.h"

/*
 * A SASL exchange on a line protocol, as SMTP (RFC 4954 section 4) and POP3
 * (RFC 5034 section 4) have it: the server's challenges behind a prefix,
 * both sides' words in base64, "*" to cancel.
 */
enum sasl_talk {
	SASL_TALK_ENDED, /* the server's verdict tells */
	SASL_TALK_MALFORMED,
	SASL_TALK_NOT_INITIAL,
	SASL_TALK_BAD_BASE64,
	SASL_TALK_TOO_LONG,
	SASL_TALK_BARE, /* a line that ended in LF alone */
	SASL_TALK_CANCELLED,
	SASL_TALK_LOST /* the stream's result tells */
};

enum { SASL_LINE_MAX = 12288 }; /* with CRLF, RFC 4954 section 4 */

/*
 * All of it, within the stream's deadline.  prefix: "334 ", "+ ".  initial:
 * what stood behind the mechanism's name, "=" for an empty response; "" for
 * none.  What the client said is wiped.
 */
enum sasl_talk sasl_talk(struct sasl_server *, struct stream *,
    const char *prefix, const char *initial, enum stream_result *);

#endif
