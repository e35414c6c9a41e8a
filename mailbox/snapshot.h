/* SPDX-License-Identifier: ISC */
#ifndef MAILBOX_SNAPSHOT_H
#define MAILBOX_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/maildir.h"

/*
 * What is in a Maildir when a session begins: the messages of new/ and cur/,
 * in the order of their names' time and then of their names.  Later arrivals
 * are not in it; what others move or delete meanwhile is looked for again.
 */
struct snapshot_message {
	uint64_t time;	/* from the name, 0 where it has none */
	uint64_t octets; /* on the wire */
	uint32_t name;	/* offset in names */
	unsigned is_new : 1, has_octets : 1, delete : 1, seen : 1;
	unsigned counted : 1; /* octets are not from the name */
};

struct snapshot {
	int maildir, new, cur, tmp; /* open folders */
	struct buf names;
	struct snapshot_message *messages;
	size_t n, room;
	uint64_t octets; /* of all */
	size_t measured, remembered; /* see sizes.h */
	bool links_only; /* what we delivered here is never a copy */
	bool failed;	 /* out of memory */
};

/* One of nothing. */
void snapshot_none(struct snapshot *);

/*
 * Take one.  The open Maildir becomes the snapshot's; sizes is what
 * sizes_open() gave.  -1 and errno on failure (ENOMEM also for more messages
 * than we serve).
 */
int snapshot_take(struct snapshot *, int maildir, int sizes);
void snapshot_free(struct snapshot *);

const char *snapshot_name(const struct snapshot *, size_t i);

/* Its place in the order: as strcmp(its name, name), flags left aside. */
int snapshot_compare(const struct snapshot *, size_t i, const char *name);

/* As maildir_uidl(), but no other message's, whatever the names are. */
void snapshot_uidl(
    const struct snapshot *, size_t i, char out[MAILDIR_UIDL_MAX + 1]);

/* Read-only, a regular file; -1 with ENOENT when somebody removed it. */
int snapshot_open(struct snapshot *, size_t i);

/*
 * Do what the marks say.  A message whose delivery the queue may not have
 * recorded leaves its name in tmp/ (DESIGN promise P2).  Folders are synced
 * once.  Returns how many deletions failed.
 */
size_t snapshot_commit(struct snapshot *, size_t *deleted);

/*
 * Remove from tmp/ the names that no re-delivery can ask for any more, and
 * what other programs left there for more than 36 hours.
 */
void snapshot_sweep(
    int maildir, bool links_only, int64_t now, int64_t queue_lifetime);

#endif
