/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_NAME_TABLE_H
#define QUEUE_NAME_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Things found by their names; they are their owner's.  It grows with their
 * number, so that a look takes as long among a million as among ten.
 */
struct named { /* embedded as the first of its owner */
	struct named *chain;
	const char *name;
	uint32_t hash;
};

struct name_table {
	struct named **buckets;
	size_t size; /* a power of two, or 0 */
	size_t n;
};

struct named *name_table_find(const struct name_table *, const char *name);

/* What it does not have yet, with its name.  False without memory. */
bool name_table_add(struct name_table *, struct named *);
void name_table_remove(struct name_table *, struct named *);

/* Call for each, in no order; that one may be removed, none be added. */
void name_table_each(
    const struct name_table *, void (*)(struct named *, void *), void *context);

#endif
