/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_DESTINATION_H
#define QUEUE_DESTINATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/message.h"
#include "queue/name-table.h"
#include "queue/pace.h"
#include "queue/schedule.h"

enum { DESTINATION_DSN_MAX = 12 };

/*
 * Where mail goes, and whose turn it is there.  No input and no output: times
 * are passed in.
 *
 * A domain is what stands behind the @.  A destination is one provider: the
 * name of the best MX host, once deliver has told it for a domain; until then
 * the domain itself.  With relay-host there is only that one.  Each has a
 * pace of its own (queue/pace.h), so that a dead one, or one that wants it
 * slower, holds up nobody else.
 *
 * Messages that may not go yet are parked: each in the lane of its sender
 * within its destination, untouched, without an envelope in memory.  Lanes
 * take turns, one message each, so that a sender with 100,000 messages delays
 * a sender with one by one.  A lane that a fresh message has opened comes
 * before those that wait already, but takes no more than three turns of four.
 * Destinations take turns, too.
 *
 * Workers and the places for attempts are shared.  Those that failed the last
 * time may have no more than half of them, together with those that nothing
 * is known of three quarters; the rest is for where mail got through.  What is
 * scarce goes in turns to each of these three kinds, so that no amount of mail
 * for one keeps another waiting.
 *
 * Both are kept for as long as messages refer to them, and the ones used last
 * for a while longer, for what is known of them.
 */
struct job; /* queue/remote.h */
struct lane;

struct lanes {
	struct lane *young, *old; /* each the next of its round */
	unsigned credit;          /* turns of the young before one of the old */
	size_t n;                 /* messages */
};

/* How far a message for it has come; those in memory are counted. */
enum stage {
	STAGE_NONE,
	STAGE_TICKET,   /* its attempt was begun for this destination */
	STAGE_PREPARED, /* a job, which waits for a worker */
	STAGE_RUNNING,
	STAGES
};

enum standing { STANDING_NEW, STANDING_PROVEN, STANDING_SUSPECT, STANDINGS };

struct destination {
	struct named named;
	struct destination *next, *previous; /* of those that may go on */
	bool in_round;
	enum standing standing;
	struct pace pace;
	struct due wake; /* when its pace lets it go on */
	struct lanes lanes;
	size_t at[STAGES];
	unsigned domains; /* that lead to it */
	/* jobs prepared, and its place in the round of those with any */
	struct job *first_job, *last_job;
	struct destination *turn;
	bool has_turn;
	/* the last word about its host's trouble; text NULL: all is well */
	char *text;
	char dsn[DESTINATION_DSN_MAX + 1];
	int64_t when; /* unix seconds */
	char name[];
};

struct domain {
	struct named named;
	struct domain *older, *newer;    /* while nothing refers to it */
	struct destination *destination; /* NULL: not needed yet */
	uint32_t uses;                   /* messages and jobs */
	bool local;                      /* userdb said so the last time */
	char name[];
};

/* -- domains: names in lower case, as addresses have them -- */

/* NULL without memory.  Held until domain_release(). */
struct domain *domain_hold(const char *name);
void domain_use(struct domain *); /* held once more */
void domain_release(struct domain *);

struct domain *domain_find(const char *name); /* NULL: not known */

/* Its destination, made when there is none; NULL without memory. */
struct destination *domain_destination(struct domain *);

/*
 * It leads to the destination of that name from now on; NULL: to be found
 * anew.  None of its messages is in a lane.
 */
void domain_lead(struct domain *, const char *name);
void domain_lead_all(void); /* anew, all of them */

/* -- lanes -- */

/*
 * Put it into its sender's lane, in its domain's destination, which there is.
 * False without memory.
 */
bool lanes_park(struct message *);
void lanes_leave(struct message *);
struct message *lanes_next(struct destination *); /* out of its lane; NULL */

/* -- turns (queue/turns.c) -- */

/* Something about it has changed: may it go on, or when. */
void destination_stir(struct destination *, int64_t now);

/*
 * The next that has messages parked and may begin an attempt for one now;
 * NULL: none.
 */
struct destination *destination_turn(int64_t now);

/* When there may be one again; INT64_MAX: not by time alone. */
int64_t destination_wakes(void);

/* One more attempt may be begun for it now, whoever else waits there. */
bool destination_has_room(const struct destination *, int64_t now);

/*
 * One more of its jobs may run now, when this many workers may exist and so
 * many of them are busy.
 */
bool destination_may_run(
    const struct destination *, size_t workers, size_t busy, int64_t now);

/* One message has come from one stage to another. */
void destination_move(struct destination *, enum stage from, enum stage to);
size_t destination_in_memory(const struct destination *); /* at any stage */

/*
 * Of that standing from now on, with all that it has taken; it is to be
 * stirred then.
 */
void destination_stand(struct destination *, enum standing);

/* Drop it when nothing refers to it any more. */
void destination_settle(struct destination *);

/* What was heard of it (queue/pace.h); the text is copied. */
struct heard {
	bool good;
	enum pace_trouble trouble; /* when it is not */
	int64_t started;           /* the delivery, monotonic milliseconds */
	const char *dsn, *text;    /* of the trouble */
};
void destination_heard(struct destination *, const struct heard *, int64_t now);

/* It rests no longer, and is not slowed down. */
void destination_open(struct destination *, int64_t now);

/* -- for people -- */

enum destination_state {
	DESTINATION_OPEN,
	DESTINATION_LIMITED, /* more waits than may run at a time */
	DESTINATION_PAUSED,  /* the host wants it slower */
	DESTINATION_RESTING  /* no session could be had */
};

enum destination_state destination_state(const struct destination *);
const char *destination_state_name(enum destination_state);

/* By a domain's name, else by its own; NULL: nothing is known of it. */
struct destination *destination_find(const char *name);

/*
 * Milliseconds until something may go there, when it rests or pauses; 0: now.
 */
int64_t destination_wait(const struct destination *, int64_t now);

/* How many deliveries at a time it may have when it does not rest. */
unsigned destination_window(const struct destination *);

/* It may change, and be dropped, meanwhile. */
void destination_each(void (*)(struct destination *, void *), void *context);

#endif
