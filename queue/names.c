/* SPDX-License-Identifier: ISC */
#include "queue/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { PLACE_BITS = 3, PLACES = (1 << PLACE_BITS) - 1 };

bool
names_add(
    struct names *all, const char *id, uint64_t inode, enum name_place place)
{
	if (all->n == all->room) {
		size_t room = all->room == 0 ? 4096 : 2 * all->room;
		struct name *more =
		    reallocarray(all->items, room, sizeof(*more));

		if (more == NULL)
			return false;
		all->items = more;
		all->room = room;
	}
	all->items[all->n++] = (struct name){
	    .id = strtoull(id, NULL, 16), .key = inode << PLACE_BITS | place};
	return true;
}

static int
by_id(const void *left, const void *right)
{
	const struct name *a = left, *b = right;

	return a->id < b->id ? -1 : a->id > b->id;
}

static int
by_key(const void *left, const void *right)
{
	const struct name *a = left, *b = right;

	return a->key < b->key ? -1 : a->key > b->key;
}

static void
write_id(uint64_t id, char out[FS_ID_SIZE])
{
	snprintf(out, FS_ID_SIZE, "%016" PRIx64, id);
}

void
names_merge(struct names *all, void (*odd)(const char *id, unsigned places))
{
	char id[FS_ID_SIZE];
	size_t n = 0;

	if (all->n > 1)
		qsort(all->items, all->n, sizeof(all->items[0]), by_id);
	for (size_t i = 0; i < all->n;) {
		struct name whole = {.id = all->items[i].id};
		unsigned places = 0;

		for (; i < all->n && all->items[i].id == whole.id; i++) {
			uint64_t key = all->items[i].key;

			places |= key & PLACES;
			if ((key & NAME_ENVELOPE) != 0)
				whole.key = key & ~(uint64_t)PLACES;
		}
		if (places == (NAME_ENVELOPE | NAME_CUR) ||
		    places == (NAME_ENVELOPE | NAME_NEW)) {
			whole.key |= places & ~(unsigned)NAME_ENVELOPE;
			all->items[n++] = whole;
		} else {
			write_id(whole.id, id);
			odd(id, places);
		}
	}
	all->n = n;
	if (n > 1)
		qsort(all->items, n, sizeof(all->items[0]), by_key);
}

enum spool_folder
names_at(const struct names *all, size_t i, char id[FS_ID_SIZE])
{
	write_id(all->items[i].id, id);
	return (all->items[i].key & NAME_CUR) != 0 ? SPOOL_CUR : SPOOL_NEW;
}

void
names_free(struct names *all)
{
	free(all->items);
	*all = (struct names){NULL, 0, 0};
}
