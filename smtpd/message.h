/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_MESSAGE_H
#define SMTPD_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/lines.h"
#include "common/stream.h"
#include "common/submit.h"
#include "mailauth/header.h"
#include "smtpd/content.h"
#include "smtpd/draft.h"
#include "smtpd/judging.h"
#include "smtpd/session.h"
#include "smtpd/signing.h"

/* One message, from 354 to its reply: what data.c and receive.c share. */
struct message {
	struct session *session;
	struct submission submission;
	struct buf headers; /* ours */
	size_t start;       /* octets of them for a local mailbox alone */
	struct content content;
	struct dot_reader wire;
	struct header_section section; /* as it came */
	uint64_t stripped;  /* octets on the wire of what is not kept of it */
	enum verdict header; /* what the rules say of the section */
	char why[JUDGING_TEXT_MAX + 1]; /* in place of its text; "" */
	bool judged;        /* as a stranger's; with its section's end: */
	struct judging *judging; /* NULL: no memory */
	bool signs;         /* of somebody who may send mail out */
	struct signing *signing; /* NULL: no memory */
	size_t completed;   /* where in headers begins what was missing */
	int64_t began;
	uint64_t came; /* octets from the wire */
	/* Content filters look at it (filtered.h); all of this is theirs. */
	bool filtered, stranger;
	bool parted;     /* an empty line ended its header section */
	struct buf kept; /* of its header section */
	struct buf own;  /* our own word of it, which they cannot change */
	struct draft draft;
	struct header_section final; /* as it leaves them */
	bool body_replaced, body_eight_bit;
	uint64_t body_wire; /* octets of the body with CRLF line ends */
	char *hold;         /* why it is to wait for release; NULL */
	bool discarded;     /* taken and thrown away */
};

/* Fields behind those for a local mailbox alone, whose kind they are. */
bool message_insert(struct message *, const struct buf *fields);

/* Octets that lines with LF take on the wire. */
uint64_t message_wire_octets(const char *octets, size_t n);

/*
 * Take the message from the wire, up to its end also where nothing is kept
 * (A1).  Whoever wants to know of its body (judging.h) is told as it passes.
 */
enum stream_result message_receive(struct message *);

#endif
