/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_NAMES_H
#define QUEUE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/spool.h"

/*
 * The names in the spool's folders, brought together: 16 octets for each,
 * whatever their order on the disk.  Those that make a message (an envelope
 * and content in one folder) come out in the order of their envelopes'
 * inodes, which is the order in which a disk reads them fastest.
 */
enum name_place { NAME_CUR = 1, NAME_NEW = 2, NAME_ENVELOPE = 4 };

struct name {
	uint64_t id;
	uint64_t key; /* the inode's number and, in its low bits, the place */
};

struct names {
	struct name *items;
	size_t n, room;
};

/* False without memory. */
bool names_add(struct names *, const char *id, uint64_t inode, enum name_place);

/*
 * Leave those that make a message, by inode.  Of each id that does not, odd()
 * is told: where it stands, a set of name_place.
 */
void names_merge(struct names *, void (*odd)(const char *id, unsigned places));

/* After the merge: one of them, and where its content is. */
enum spool_folder names_at(const struct names *, size_t i, char id[FS_ID_SIZE]);

void names_free(struct names *);

#endif
