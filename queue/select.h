/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_SELECT_H
#define QUEUE_SELECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/envelope.h"

/*
 * Which messages a command is about (postrider-queue(8)).  Pure: what is
 * known of a message goes in, whether it is wanted comes out.
 */
enum queue_state { /* as they travel in packets */
	STATE_INCOMING,
	STATE_ACTIVE,
	STATE_READY,
	STATE_WAITING,
	STATE_HELD,
	STATES
};

const char *state_name(enum queue_state);
bool state_named(const char *name, enum queue_state *);

struct selection {
	uint64_t *ids; /* sorted; owned */
	size_t n;
	/* patterns (queue/pattern.h), owned; NULL: any */
	char *sender, *recipient, *domain, *login;
	bool has_uid, has_older, has_younger, has_least, has_most;
	int64_t uid;
	int64_t older, younger; /* seconds */
	uint64_t least, most;   /* octets */
	unsigned states;        /* 1 << enum queue_state; 0: any */
	bool all;
};

void selection_free(struct selection *);

/* Nothing was said: everything, where that is allowed. */
bool selection_is_empty(const struct selection *);

/* Only ids. */
bool selection_is_ids(const struct selection *);

/*
 * One argument of an option; *why is a static phrase, or NULL: no memory.
 */
bool select_sender(struct selection *, const char *, const char **why);
bool select_recipient(struct selection *, const char *, const char **why);
bool select_domain(struct selection *, const char *, const char **why);
bool select_login(struct selection *, const char *, const char **why);
bool select_uid(struct selection *, const char *, const char **why);
bool select_older(struct selection *, const char *, const char **why);
bool select_younger(struct selection *, const char *, const char **why);
bool select_size(struct selection *, const char *, const char **why);
bool select_states(struct selection *, const char *, const char **why);

/* Of 16 hexadecimal digits; false without memory. */
bool select_id(struct selection *, const char *);

/* Once all ids are in. */
void selection_sort(struct selection *);

struct candidate {
	uint64_t id;
	enum queue_state state;
	int64_t age; /* seconds */
	const struct envelope *e;
};

/* Where it stands among the ids, which has it. */
size_t selection_place(const struct selection *, uint64_t id);

bool selection_has_id(const struct selection *, uint64_t id);
bool selection_wants(const struct selection *, const struct candidate *);

/* Behind the last "@"; "" when there is none. */
const char *select_domain_of(const char *address);

#endif
