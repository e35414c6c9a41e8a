/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_TOOL_STEER_H
#define QUEUE_TOOL_STEER_H

#include "queue/tool.h"

/* What commands that change messages share. */

struct change {
	const char *verb;   /* the request: "hold" */
	const char *answer; /* and its answer: "held" */
	bool reason;        /* it takes one */
	bool certain;       /* what it leaves as it was has failed */
	int (*direct)(struct tool *, const char *id); /* NULL: there is none */
	size_t count, active; /* out: how many; of these, how many later */
	int worst;            /* out: what went wrong with some */
};

struct ids {
	uint64_t *items;
	size_t n;
	bool held; /* no others */
	int worst; /* out: what went wrong with some that were to be seen */
};

/*
 * Those that are selected; with their index and the folder.  Free items.
 * held: of these, those that are held, or will be.
 */
int steer_select(struct tool *, bool held, struct ids *);

/* Change them all, whatever goes wrong with some. */
int steer(struct tool *, struct change *, const struct ids *);

/* What was counted, and what about it went wrong. */
int steer_report(const struct tool *, const struct change *);

#endif
