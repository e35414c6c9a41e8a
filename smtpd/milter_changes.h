/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_MILTER_CHANGES_H
#define SMTPD_MILTER_CHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/cursor.h"
#include "smtpd/milter_packet.h"

/*
 * What one filter wants changed of a message.  It says so bit by bit, and its
 * last word may be that the message is refused, or it may fail before that:
 * so all of it is kept until then, and done as a whole or not at all.
 */
struct message;
struct milter;

struct milter_changes {
	struct buf packets; /* letters, lengths and data, as they came */
	bool body;          /* a new one is in the message's content */
	bool cr;            /* its last octet so far was a CR */
	bool ended;         /* its last line has its end */
	bool eight_bit;
	uint64_t wire; /* its octets with CRLF line ends */
};

void milter_changes_init(struct milter_changes *);
void milter_changes_free(struct milter_changes *);

/*
 * Note one, whose data is the filter's.  NULL, or what is wrong with it: a
 * phrase for the log.
 */
const char *milter_changes_note(
    struct milter_changes *, struct milter *, const struct milter_reply *);

/* The same for a part of a new body. */
const char *milter_changes_body(struct milter_changes *, struct milter *,
    struct message *, struct span octets);

/* Do them, and log what was done. */
void milter_changes_do(
    struct milter_changes *, struct milter *, struct message *);

/* Leave the message as it was. */
void milter_changes_drop(struct milter_changes *, struct message *);

#endif
