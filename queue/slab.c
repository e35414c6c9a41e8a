/* SPDX-License-Identifier: ISC */
#include "queue/slab.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE = 64 * 1024 };

static void
put(struct slab *s, void *thing)
{
	memcpy(thing, &s->free, sizeof(void *));
	s->free = thing;
}

void *
slab_take(struct slab *s)
{
	void *thing = s->free;

	if (thing == NULL) {
		char *piece = malloc(PIECE);

		if (piece == NULL)
			return NULL;
		for (size_t n = PIECE / s->size; n > 0; n--)
			put(s, piece + (n - 1) * s->size);
		thing = s->free;
	}
	memcpy(&s->free, thing, sizeof(void *));
	memset(thing, 0, s->size);
	return thing;
}

void
slab_give(struct slab *s, void *thing)
{
	put(s, thing);
}
