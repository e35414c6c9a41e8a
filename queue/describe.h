/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_DESCRIBE_H
#define QUEUE_DESCRIBE_H

#include "common/ipc.h"
#include "queue/envelope.h"
#include "queue/holds.h"

/* A message in words, from its envelope, for queue and its tool. */

/* waiting, delivered, failed, bounced or alias. */
const char *describe_status(const struct recipient *);

/* How many recipients the sender gave. */
size_t describe_originals(const struct envelope *);

/* The latest word about somebody who waits; "": none. */
const char *describe_outcome(const struct envelope *);

/* Why it is still here: why it is held, or that. */
const char *describe_reason(const struct envelope *, const struct holds *);

/* The packets of queue/admin.h about a message. */
struct description {
	const char *id, *state;
	unsigned attempts;
	int64_t next; /* unix seconds, 0: now */
	const char *reason;
};

void describe_message(
    struct packet *, const struct description *, const struct envelope *);
void describe_recipient(struct packet *, const struct envelope *, size_t index);

#endif
