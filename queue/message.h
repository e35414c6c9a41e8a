/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_MESSAGE_H
#define QUEUE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/fs.h"
#include "queue/schedule.h"
#include "queue/spool.h"

/*
 * What memory keeps of every message in the spool: this, and nothing that
 * grows with its envelope, which stays on disk.  The index finds it by id.
 * With its places in the index, in the schedule and in a lane of its
 * destination (queue/destination.h) it costs 128 octets at the most.
 */
struct attempt;
struct domain;
struct envelope;

enum message_state {
	MESSAGE_UNSYNCED, /* committed, its client has not synced it yet */
	MESSAGE_WAITING,  /* in the schedule, for a time */
	MESSAGE_READY,    /* in a lane, until its destination may take it; in
			   * the schedule for the end of its life */
	MESSAGE_HELD,     /* until the postmaster releases it */
	MESSAGE_ACTIVE    /* an attempt runs */
};

struct message {
	struct message *chain; /* the index's */
	uint64_t id;
	struct message *next, *previous; /* in its lane, while READY */
	/* where all that is pending goes; NULL: to several, or not known */
	struct domain *domain;
	struct due due;    /* WAITING: next attempt; READY: expiry, warning */
	int64_t born;      /* accepted, in monotonic milliseconds */
	uint32_t sender;   /* whose turn in a lane it takes: a hash */
	uint16_t attempts; /* that ended in a deferral */
	enum message_state state : 3;
	enum spool_folder folder : 2;
	bool again : 1;       /* may have been delivered before */
	bool found : 1;       /* at start, and not tried since */
	bool doomed : 1;      /* to be deleted when its attempt ends */
	bool held : 1;        /* to be HELD from then on */
	bool warned : 1;      /* of its delay there is no more to say */
	bool of_login : 1;    /* sender is a login's */
	uint8_t troubles : 4; /* attempts in a row that failed in-house */
};

/* NULL without memory.  The index has it from then on. */
struct message *message_add(const char *id);
void message_drop(struct message *); /* out of the index, and freed */

struct message *message_find(const char *id); /* NULL: not here */
size_t message_count(void);                   /* those that are ours */

void message_id(const struct message *, char out[FS_ID_SIZE]);

struct message *message_numbered(uint64_t id);

/* Milliseconds since it was accepted. */
int64_t message_age(const struct message *);

/*
 * Note whom it is from and where what is pending goes: of a message met at
 * start, or whose envelope has changed while no attempt ran.
 */
void message_describe(struct message *, const struct envelope *);

/* Whose it is: the login's, the local user's, or the sender address's hash. */
uint32_t message_sender(const struct envelope *);

/* Note that. */
void message_is_of(struct message *, uint32_t sender, bool of_login);

/*
 * It is held, or no longer; those of each login are counted
 * (queue/held.c).
 */
void message_hold(struct message *, bool held);

/* Of the envelope's: of all that is pending; NULL: of none, or several. */
const char *message_domain(const struct envelope *);

/* Refer to the domain of that name from now on, or to none (NULL). */
void message_lead_to(struct message *, const char *name);

/* The same of one that is held. */
void message_lead(struct message *, struct domain *);

/* Call for each, in no order; it may change, and drop, that message. */
void message_each(void (*)(struct message *, void *), void *);

#endif
