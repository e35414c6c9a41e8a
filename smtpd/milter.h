/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_MILTER_H
#define SMTPD_MILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/config.h"
#include "common/stream.h"
#include "smtpd/milter_packet.h"

/*
 * One content filter (milter) and one session: a connection that is made when
 * there is something to say, and kept until the session ends.
 *
 * A filter that is down, slow or talks nonsense has failed: its connection is
 * closed, the log has told why, and what becomes of the mail is the caller's
 * to decide (milters.h).
 */
enum milter_state {
	MILTER_CLOSED,
	MILTER_IDLE,       /* between two messages */
	MILTER_IN_MESSAGE, /* it hears of one */
	MILTER_DONE        /* it wants to hear of nothing more */
};

struct milter {
	const struct config_milter *config;
	size_t index; /* of the config's filters */
	enum milter_state state;
	bool lost;            /* it has failed in the middle of a message */
	bool introduced;      /* it knows of the client */
	bool greeted;         /* and of its HELO */
	struct stream stream; /* unless closed */
	struct milter_options options;
	struct buf data;   /* of what it said last */
	const char *stage; /* what it is asked about, for the log */
	int64_t whole;     /* monotonic: when all must be over; -1: no such */
};

void milter_init(struct milter *, const struct config_milter *, size_t index);

/* Say farewell where there is a connection; frees what it has. */
void milter_quit(struct milter *);

/* Connect and negotiate, unless that is done.  False: it has failed. */
bool milter_connect(struct milter *);

/*
 * What it says unasked would be taken for the answer to what it is asked next.
 * False: it has done so, or is gone, and has failed.
 */
bool milter_waits(struct milter *, const char *id);

/* Nothing goes on without its word, and it has none any more. */
bool milter_is_missed(const struct milter *);

/* Log why, close the connection.  id: of the message, or NULL. */
void milter_fail(struct milter *, const char *id, const char *reason);

/* -- saying something; it leaves when an answer is read -- */

void milter_say(struct milter *, const struct buf *packets);

/* -- what it answers -- */

enum milter_heard {
	MILTER_HEARD,
	MILTER_HEARD_BODY, /* of a new body, n octets: milter_body() */
	MILTER_SILENT      /* it has failed */
};

/* The time for what is heard next, from now on; not beyond `whole`. */
void milter_limit(struct milter *, uint64_t seconds);

/* The next answer; those of progress give it its time once more. */
enum milter_heard milter_hear(struct milter *, const char *id, uint64_t seconds,
    struct milter_reply *, uint64_t *n);

/* Some of the n octets announced; 0: it has failed. */
size_t milter_body(
    struct milter *, const char *id, uint64_t left, struct span *octets);

#endif
