/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_WHY_H
#define QUEUE_WHY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "queue/envelope.h"
#include "queue/select.h"

/*
 * What a message, or a destination, waits for: sentences for a postmaster.
 * Pure: facts go in, a sentence is appended.  Times are unix seconds.
 */

/* A destination, as queue knows it (queue/admin.h). */
struct why_place {
	bool known;
	char name[256]; /* of its host, or a domain */
	char state[16]; /* open|limited|paused|resting */
	uint64_t window, running, waiting;
	int64_t next, when;
	char code[16], text[ENVELOPE_TEXT_MAX + 1];
};

/* Recipients who wait, by domain. */
struct why_group {
	const char *domain;
	size_t recipients;
	const struct recipient *latest; /* who had the last word; NULL: none */
	struct why_place place;
};

/* An attempt that runs. */
struct why_attempt {
	bool known;
	uint64_t seconds, routing, local, remote;
};

struct why_message {
	const char *id;
	enum queue_state state;
	const struct envelope *e;
	const char *held; /* why; NULL: it is not */
	int64_t next, expires;
	struct why_attempt attempt;
	struct why_group *groups;
	size_t n;
};

void why_message(struct buf *, const struct why_message *, int64_t now);

/* What waits for a destination. */
struct why_waiting {
	size_t messages, held;
	int64_t oldest; /* accepted */
	int64_t next;   /* the earliest that waits for a time; 0: none */
	int64_t when;   /* of the last words from envelopes; 0: none */
	char text[ENVELOPE_TEXT_MAX + 1];
};

void why_destination(struct buf *, const char *name, const struct why_place *,
    const struct why_waiting *, int64_t now);

/* Those who wait, by domain: how many groups, at most so many. */
size_t why_group(
    const struct envelope *, struct why_group *groups, size_t most);

#endif
