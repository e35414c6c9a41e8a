/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_ATTEMPT_H
#define QUEUE_ATTEMPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/loop.h"
#include "queue/destination.h"
#include "queue/envelope.h"
#include "queue/message.h"
#include "queue/owed.h"
#include "queue/route.h"

/*
 * One attempt to deliver a message to those of its recipients that wait:
 *
 *	routing		each recipient's route is asked for; an alias becomes
 *			new recipients, which are routed in turn
 *	delivering	local recipients go to mailbox as soon as they are
 *			routed; remote ones, once all are routed, to deliver,
 *			grouped by domain
 *	finishing	outcomes are in the envelope; what failed is reported
 *			to the sender; then the message leaves the spool or
 *			waits for its next attempt
 */
enum work_stage {
	WORK_NONE,    /* not in this attempt */
	WORK_ROUTING, /* userdb is asked */
	WORK_LOCAL,   /* with mailbox */
	WORK_REMOTE,  /* waits for the others' routes, then with deliver */
	WORK_SAME,    /* another recipient leads to the same place */
	WORK_PARKED,  /* not tried: it takes nothing now */
	WORK_DONE
};

struct work { /* for the recipient of the same index */
	enum work_stage stage;
	enum route_kind kind;
	uint32_t hash; /* of target */
	char *target;  /* owned: mailbox, login, or domain */
	size_t same;   /* with WORK_SAME: whom it follows */
	/* with WORK_REMOTE, of an alias: the sender; NULL: the envelope's */
	struct rewrite *rewrite;
};

struct attempt {
	struct attempt *next, *previous; /* of all there are */
	struct message *m;
	char id[FS_ID_SIZE];
	struct envelope e;
	struct work *work; /* e.n of them */
	size_t room;
	size_t weight; /* of its envelope (queue/budget.h) */
	size_t unanswered; /* routes, and senders */
	struct rewrite *rewrites; /* queue/rewrite.h */
	size_t unfinished; /* deliveries, local and remote */
	int64_t began;     /* monotonic */
	struct buf lines;  /* for the envelope, not yet there */
	/* begun for it, while no job has come of that; NULL: not so */
	struct destination *ticket;
	bool look;           /* nothing is delivered: expire, or warn */
	bool parked;         /* some recipient is WORK_PARKED */
	bool deferred;       /* some recipient was, by its own side */
	bool singled_out;    /* and that not for its host's sake alone */
	bool trouble;        /* some was, for reasons of this house */
	bool linked;         /* the content is in a Maildir, too */
	bool unwritten;      /* an outcome could not be recorded */
	bool gone;           /* as there is no envelope any more */
	struct timer record; /* to try that again, and what comes then */
	void (*then)(struct attempt *);
	enum report_kind report;        /* under way, or the next to look at */
	void (*told)(struct attempt *); /* what comes when all are out */
	int64_t wait; /* for the next attempt */
};

/*
 * The first attempt of a message just committed: its envelope is taken over
 * (left empty), and the routes that its commit asked for a moment ago.
 */
void attempt_first(struct message *, struct envelope *, struct route *routes);

/*
 * An attempt of a message that waited; the envelope is read.  ticket: the
 * destination that counts it (STAGE_TICKET), or NULL.
 */
void attempt_begin(struct message *, struct destination *ticket);

/*
 * The same, of a parked message that nobody takes: its sender is to hear of
 * that, or it has expired.
 */
void attempt_look(struct message *);

void attempt_free(struct attempt *);

/* The one that runs for it; NULL: none. */
struct attempt *attempt_of(const struct message *);

/*
 * The postmaster holds its message from its end on, or not any more: noted,
 * and written into the envelope.  False: that failed, and nothing changed.
 */
bool attempt_hold(struct attempt *, const char *reason);
bool attempt_unhold(struct attempt *);

/* Its destination need not count it any longer. */
void attempt_drop_ticket(struct attempt *);

/* What became of one recipient. */
struct result {
	enum recipient_state state; /* DELIVERED, PENDING (later), FAILED */
	bool trouble; /* PENDING for reasons of this house: try again soon */
	bool host;    /* PENDING because of the host, whatever the message */
	bool linked;
	bool relayed; /* DELIVERED to a host that sends no reports */
	const char *dsn, *relay, *text;
	/* deliver's own, for the log; NULL: none */
	const char *delays, *tls, *verified;
	/* mailbox's, likewise: not the inbox */
	const char *folder;
};

void attempt_result(struct attempt *, size_t index, const struct result *);

/*
 * Nothing: it was not tried, as its destination rests, or its user has enough
 * on its way to him.
 */
void attempt_withdrawn(struct attempt *, size_t index);

/* -- queue/finish.c -- */

/* Note an outcome, log it, keep its line for the envelope. */
void attempt_note(struct attempt *, size_t index, const struct result *);

/* Write the kept lines. */
void attempt_record(struct attempt *);

/* Nothing runs any more: bounce, remove or wait. */
void attempt_finish(struct attempt *);

/* The same, again and again until they are there; then that. */
void attempt_write_then(struct attempt *, void (*then)(struct attempt *));

/* -- queue/tell.c -- */

/*
 * Every report that is due now by the envelope (queue/owed.h) and the
 * message's age: it is committed, then noted here and in the file; then that.
 * One that cannot be written now stays owed.  For an attempt that delivers
 * nothing, too.
 */
void attempt_tell(struct attempt *, void (*then)(struct attempt *));

/* Milliseconds until there is one of delay; -1: none will be. */
int64_t attempt_tells_in(const struct attempt *);

/* The answer of queue/bounce.h. */
enum bounce_answer {
	BOUNCE_SENT,    /* report: its id */
	BOUNCE_REFUSED, /* for good, report: why */
	BOUNCE_LATER
};
void attempt_told(struct attempt *, enum bounce_answer, const char *report);

#endif
