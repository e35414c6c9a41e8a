/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_QUESTION_H
#define QUEUE_QUESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ipc.h"
#include "queue/route.h"

/* A question to userdb, and what its answer says: queue/route.c asks it. */

/* What is asked about the address, and with which other word. */
enum about {
	ABOUT_ROUTE,  /* where does it lead? */
	ABOUT_LOGIN,  /* may this login send as it? */
	ABOUT_REWRITE, /* what instead of it, for an alias of this domain? */
	ABOUT_LIMITS   /* a login itself: how much may it send? */
};

struct question {
	struct question *next;
	route_answered *answered;
	void *asker;
	size_t index;
	unsigned tries;
	int64_t deadline;
	uint64_t serial;
	struct route route; /* an alias's targets, as they come */
	enum about about;
	bool null;   /* as route_ask() has it */
	char *other; /* a login or a domain, behind the address; or NULL */
	char address[];
};

/* NULL without memory: it is answered. */
struct question *question_new(const char *address, const char *other,
    route_answered *, void *asker, size_t index);

/* Tell the asker, and free it; later: that nobody could tell. */
void question_answer(struct question *);
void question_answer_later(struct question *);

/*
 * Take an answer's packet up into the question that find() knows by its
 * serial number.  NULL: it makes no sense, or nobody has asked that.
 */
struct answered {
	bool more; /* another packet follows: an alias's targets */
	bool keep; /* it holds until userdb says that something has changed */
};
struct question *question_read(struct packet *,
    struct question *(*find)(uint64_t serial, enum about), struct answered *);

#endif
