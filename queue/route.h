/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_ROUTE_H
#define QUEUE_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/verdict.h"

/*
 * Where an address leads, asked of userdb: many questions at a time, each
 * answered exactly once, from the loop, within half a minute (as
 * ROUTE_LATER when userdb is away).
 */
enum route_kind {
	ROUTE_MAILBOX, /* target: canonical address of a virtual user */
	ROUTE_SYSTEM,  /* target: login name */
	ROUTE_ALIAS,   /* targets: addresses */
	ROUTE_REMOTE,  /* target: domain */
	ROUTE_UNKNOWN, /* verdict */
	ROUTE_LATER,   /* verdict */
	ROUTE_SENDER   /* none: of the questions below route_ask() */
};

struct route {
	enum route_kind kind;
	enum verdict verdict;
	char *reason;   /* of a sender that stays; NULL: none */
	bool no_answer; /* LATER because userdb is away, not by its word */
	size_t n;
	char **targets; /* freed after the answer; who keeps one sets it NULL */
};

/* Free what it holds; it is empty then. */
void route_free(struct route *);

/*
 * The asker must live until it is answered.  What userdb has let us keep, and
 * what there is no memory to ask, is answered from within route_ask().
 */
typedef void route_answered(void *asker, size_t index, struct route *);

/* null: of mail without a sender, which alone leads back (SRS). */
void route_ask(const char *address, bool null, route_answered *, void *asker,
    size_t index);

/*
 * May this login send as that address?  The same way, but never from within
 * where there is memory; index 0.
 */
void route_ask_sender(const char *login, const char *address, route_answered *,
    void *asker);

/*
 * The login's own limits (protocol.h, "budget"): targets[0], "" or none for
 * the config's; verdict: OK, or why nobody can tell.
 */
void route_ask_limits(const char *login, route_answered *, void *asker);

/*
 * Under whose name mail of this sender leaves for an alias of that domain of
 * ours: targets[0], or none for his own; verdict: OK, or why nobody can tell.
 */
void route_ask_srs(const char *sender, const char *domain, route_answered *,
    void *asker, size_t index);

#endif
