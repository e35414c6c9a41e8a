/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_MILTERS_H
#define SMTPD_MILTERS_H

#include <stdbool.h>
#include <stddef.h>

#include "smtpd/milter.h"
#include "smtpd/milter_packet.h"

/*
 * The content filters of a session, in the order of the config.  Each step of
 * a transaction is put to one after the other, and the first that refuses it
 * is the last that hears of it.  The message itself they see one by one at
 * its end, each as those before it have left it.
 *
 * They hear nothing before the first MAIL: by then it is known who has logged
 * in, and who only looks in costs them nothing.  What they say of the client
 * and of its HELO is then the answer to MAIL.
 *
 * A filter that fails costs what milter-default says: the step is put off, or
 * the message goes on without it.
 */
struct session;
struct message;
struct mail_command;
struct rcpt_command;

struct milters {
	size_t n;
	struct milter *items;
	char *helo; /* what they were told */
	bool tls;
	const struct milter *discards; /* wants the message thrown away */
	/* Why they refused last, and which of them. */
	struct milter_refusal refusal;
	const char *filter;
};

#define EACH_MILTER(all, m)                                                    \
	struct milter *m = (all)->items;                                       \
	m < (all)->items + (all)->n;                                           \
	m++

/* None of them hears of anything yet; false: no memory. */
bool milters_begin(struct session *);

/* -- steps; false: refused, and milters_refuse() tells the client so -- */

bool milters_mail(struct session *, const struct mail_command *);
bool milters_rcpt(struct session *, const char *recipient,
    const struct rcpt_command *, bool local);
bool milters_data(struct session *, const char *id);
bool milters_unknown(struct session *, const char *line);

/* Reply and log; id and recipient: of what was refused, or NULL. */
void milters_refuse(struct session *, const char *id, const char *recipient);

/* Does any filter hear of this transaction? */
bool milters_hear(const struct session *);

/* The transaction is over, and not by the end of its message. */
void milters_reset(struct session *);

/* The session is. */
void milters_end(struct session *);

/* -- for the end of a message (milter_message.c) -- */

enum milter_step {
	STEP_ON,
	STEP_PASS, /* it wants to hear no more of this */
	STEP_SKIP, /* no more of the body */
	STEP_DISCARD,
	STEP_REFUSED, /* as the refusal says */
	STEP_FAILED
};

/* What an answer means that is no change of the message. */
enum milter_step milters_read_step(struct milters *, struct milter *,
    const char *id, const struct milter_reply *);

/*
 * Put the packets to a filter, and hear its answer unless its options have
 * that it gives none.
 */
enum milter_step milters_put(struct milters *, struct milter *,
    const struct buf *packets, uint32_t mute, const char *id);

/*
 * What becomes of the step; false: refused.  A filter that has had enough is
 * asked no more about this message.
 */
bool milters_settle(struct milters *, struct milter *, enum milter_step);

#endif
