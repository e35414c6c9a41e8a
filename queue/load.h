/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_LOAD_H
#define QUEUE_LOAD_H

#include <stdbool.h>

#include "queue/envelope.h"
#include "queue/spool.h"

/*
 * Read a message of the spool and judge what stands there by the table in
 * queue/spool.h.
 */
enum load_result {
	LOAD_MESSAGE, /* the envelope is filled in */
	LOAD_SWEPT,   /* it was none, never acknowledged or done: removed */
	LOAD_ASIDE,   /* it could not be understood: in quarantine */
	LOAD_GONE,    /* nothing bears this name */
	LOAD_LATER    /* memory, descriptors or the disk fail now */
};

enum load_result load_message(
    struct spool *, const char *id, enum spool_folder, struct envelope *);

/* The same judgement without the right to change anything. */
enum load_result load_peek(
    struct spool *, const char *id, enum spool_folder, struct envelope *);

/* The same, and why it is none; "" when it is one. */
enum { LOAD_WHY_SIZE = 160 };
enum load_result load_judge(struct spool *, const char *id, enum spool_folder,
    struct envelope *, char why[LOAD_WHY_SIZE]);

/*
 * Its envelope alone; true: that is whole, and filled in.  Whether the
 * content is as it says is seen when the message is tried.
 */
bool load_glance(struct spool *, const char *id, struct envelope *);

#endif
