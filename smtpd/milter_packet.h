/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_MILTER_PACKET_H
#define SMTPD_MILTER_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

/*
 * What a content filter and a mail server say to each other: version 6 of the
 * mail filter protocol of Sendmail.  A packet is its length in 4 octets, most
 * significant first (the letter counts), a letter, and data.  Strings end
 * with NUL.  Pure: nothing here knows of a session or of a socket.
 */
enum {
	MILTER_VERSION = 6,
	MILTER_VERSION_MIN = 2,
	MILTER_HEAD = 5,         /* length and letter */
	MILTER_CHUNK = 65535,    /* the most of a body in one packet */
	MILTER_DATA_MAX = 65535, /* of what a filter says, a body apart */
	MILTER_MACROS_MAX = 1024 /* the names that it asks for at one stage */
};

enum milter_command {
	MILTER_ABORT = 'A',
	MILTER_BODY = 'B',
	MILTER_CONNECT = 'C',
	MILTER_MACROS = 'D',
	MILTER_END = 'E',
	MILTER_HELO = 'H',
	MILTER_HEADER = 'L',
	MILTER_MAIL = 'M',
	MILTER_END_OF_HEADER = 'N',
	MILTER_NEGOTIATE = 'O',
	MILTER_QUIT = 'Q',
	MILTER_RCPT = 'R',
	MILTER_DATA = 'T',
	MILTER_UNKNOWN = 'U'
};

enum milter_answer {
	MILTER_ADD_RECIPIENT = '+',
	MILTER_ADD_RECIPIENT_WITH = '2', /* ESMTP parameters */
	MILTER_DELETE_RECIPIENT = '-',
	MILTER_SHUTDOWN = '4',
	MILTER_ACCEPT = 'a',
	MILTER_REPLACE_BODY = 'b',
	MILTER_CONTINUE = 'c',
	MILTER_DISCARD = 'd',
	MILTER_CHANGE_SENDER = 'e',
	MILTER_CONNECTION_FAILS = 'f',
	MILTER_ADD_HEADER = 'h',
	MILTER_INSERT_HEADER = 'i',
	MILTER_CHANGE_HEADER = 'm',
	MILTER_PROGRESS = 'p',
	MILTER_QUARANTINE = 'q',
	MILTER_REJECT = 'r',
	MILTER_SKIP = 's',
	MILTER_TEMPFAIL = 't',
	MILTER_REPLY_CODE = 'y'
};

/* What a filter may do to a message. */
enum {
	MILTER_MAY_ADD_HEADERS = 0x01,
	MILTER_MAY_CHANGE_BODY = 0x02,
	MILTER_MAY_ADD_RECIPIENTS = 0x04,
	MILTER_MAY_DELETE_RECIPIENTS = 0x08,
	MILTER_MAY_CHANGE_HEADERS = 0x10,
	MILTER_MAY_QUARANTINE = 0x20,
	MILTER_MAY_CHANGE_SENDER = 0x40,
	MILTER_MAY_ADD_RECIPIENTS_WITH = 0x80,
	MILTER_MAY_NAME_MACROS = 0x100,
	MILTER_ACTIONS = 0x1ff
};

/* What a filter does not want to hear, nor to answer. */
enum {
	MILTER_NO_CONNECT = 0x1,
	MILTER_NO_HELO = 0x2,
	MILTER_NO_MAIL = 0x4,
	MILTER_NO_RCPT = 0x8,
	MILTER_NO_BODY = 0x10,
	MILTER_NO_HEADERS = 0x20,
	MILTER_NO_END_OF_HEADER = 0x40,
	MILTER_MUTE_HEADERS = 0x80,
	MILTER_NO_UNKNOWN = 0x100,
	MILTER_NO_DATA = 0x200,
	MILTER_MAY_SKIP = 0x400,
	MILTER_MUTE_CONNECT = 0x1000,
	MILTER_MUTE_HELO = 0x2000,
	MILTER_MUTE_MAIL = 0x4000,
	MILTER_MUTE_RCPT = 0x8000,
	MILTER_MUTE_DATA = 0x10000,
	MILTER_MUTE_UNKNOWN = 0x20000,
	MILTER_MUTE_END_OF_HEADER = 0x40000,
	MILTER_MUTE_BODY = 0x80000,
	MILTER_LEADING_SPACE = 0x100000, /* header values come with theirs */
	/* All but that refused recipients are shown, too. */
	MILTER_STEPS = 0x1ff7ff
};

/* Stages, as a filter numbers them where it names macros. */
enum milter_stage {
	MILTER_AT_CONNECT,
	MILTER_AT_HELO,
	MILTER_AT_MAIL,
	MILTER_AT_RCPT,
	MILTER_AT_DATA,
	MILTER_AT_END,
	MILTER_AT_END_OF_HEADER,
	MILTER_STAGES
};

/* -- writing -- */

/* Begin a packet at the end of out; what is added then is its data. */
size_t milter_begin(struct buf *out, enum milter_command);
void milter_end(struct buf *out, size_t begun);

/* A string with its NUL. */
void milter_string(struct buf *out, const char *text);
void milter_u16(struct buf *out, uint16_t);
void milter_u32(struct buf *out, uint32_t);

/* Everything that there is, on offer. */
void milter_offer(struct buf *out);

/* -- reading -- */

struct milter_head {
	char letter;
	uint32_t n; /* octets of data behind it */
};

/* False: nonsense.  body_max: octets of a new body, in all. */
bool milter_read_head(
    const char octets[MILTER_HEAD], uint64_t body_max, struct milter_head *);

struct milter_options {
	uint32_t version, actions, steps;
	/* Names with a blank between them; "": it names none. */
	char macros[MILTER_STAGES][MILTER_MACROS_MAX];
};

/* The answer to an offer; false: nonsense, or what was not on offer. */
bool milter_read_options(const char *data, size_t n, struct milter_options *);

/* Texts point into the data. */
struct milter_reply {
	char letter;
	uint32_t index;    /* of a header */
	const char *name;  /* of a header, an address, a reason, a reply */
	const char *value; /* of a header, parameters; NULL: none */
};

/*
 * False: nonsense.  Behind the n octets of data stands a NUL of the caller's,
 * so that a filter may leave out the very last.  Not for a body, which is
 * nothing but itself.
 */
bool milter_read_reply(
    char letter, const char *data, size_t n, struct milter_reply *);

enum { MILTER_TEXT_MAX = 400, MILTER_ENHANCED_MAX = 11 };

struct milter_refusal {
	int smtp; /* 4xx or 5xx */
	char enhanced[MILTER_ENHANCED_MAX + 1];
	char text[MILTER_TEXT_MAX + 1]; /* printable ASCII, one line */
};

/*
 * What a filter wants the client to be told: "550 5.7.1 text", with as many
 * lines as it likes, which become one.  False: it is no refusal.
 */
bool milter_read_refusal(const char *text, struct milter_refusal *);

#endif
