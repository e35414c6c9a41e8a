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
 */
struct attempt;

enum message_state {
	MESSAGE_UNSYNCED, /* committed, its client has not synced it yet */
	MESSAGE_WAITING,  /* in the schedule */
	MESSAGE_ACTIVE	  /* an attempt runs */
};

struct message {
	struct message *chain; /* the index's */
	uint64_t id;
	struct due due;	   /* while it waits */
	int64_t born;	   /* accepted, in monotonic milliseconds */
	uint32_t attempts; /* that ended in a deferral */
	uint8_t state;	   /* enum message_state */
	uint8_t folder;	   /* enum spool_folder */
	bool again;	   /* may have been delivered before */
	bool doomed;	   /* to be deleted when its attempt ends */
	uint8_t troubles;  /* attempts in a row that failed within the house */
};

/* NULL without memory.  The index has it from then on. */
struct message *message_add(const char *id);
void message_drop(struct message *); /* out of the index, and freed */

struct message *message_find(const char *id); /* NULL: not here */
size_t message_count(void);		      /* those that are ours */

void message_id(const struct message *, char out[FS_ID_SIZE]);

/*
 * The ids of all of them, the oldest first; *ids is the caller's to free.
 * -1 without memory.  They may be gone when their turn comes.
 */
int message_ids(uint64_t **ids, size_t *n);
struct message *message_numbered(uint64_t id);

/* Milliseconds since it was accepted. */
int64_t message_age(const struct message *);

#endif
