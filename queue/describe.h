/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_DESCRIBE_H
#define QUEUE_DESCRIBE_H

#include "common/ipc.h"
#include "queue/envelope.h"

/* The packets of queue/admin.h about a message, also without a daemon. */
struct description {
	const char *id, *state;
	unsigned attempts;
	int64_t next; /* unix seconds, 0: now */
};

void describe_message(
    struct packet *, const struct description *, const struct envelope *);
void describe_recipient(
    struct packet *, const struct envelope *, size_t index);

#endif
