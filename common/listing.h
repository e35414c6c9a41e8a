/* SPDX-License-Identifier: ISC */
#ifndef COMMON_LISTING_H
#define COMMON_LISTING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/ipc.h"

/*
 * The rows of the queue's answer to "list" and "show" (queue/admin.c), as
 * postrider-queue and mailq read them.  Strings point into the packet.
 */
struct listing_message {
	const char *id, *sender, *login, *state, *reason;
	uint64_t time, next; /* seconds since the epoch */
	uint64_t size;	     /* octets */
	uint64_t uid;	     /* UINT32_MAX: not a local user's */
	uint64_t attempts, recipients, pending;
};

struct listing_recipient {
	const char *address, *status, *dsn, *relay, *text;
	uint64_t index, parent, when;
};

/* False: malformed. */
bool listing_read_message(const struct packet *, struct listing_message *);
bool listing_read_recipient(const struct packet *, struct listing_recipient *);

#endif
