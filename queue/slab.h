/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_SLAB_H
#define QUEUE_SLAB_H

#include <stddef.h>

/*
 * Things of one size by the million: taken from large pieces of memory, so
 * that each costs its own octets and nothing beside them.  What is given back
 * is used again first; the pieces stay.
 */
struct slab {
	size_t size; /* of one: a multiple of a pointer's */
	void *free;
};

void *slab_take(struct slab *); /* zeroed; NULL without memory */
void slab_give(struct slab *, void *);

#endif
