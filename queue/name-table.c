/* SPDX-License-Identifier: ISC */
#include "queue/name-table.h"

#include <stdlib.h>
#include <string.h>

#include "queue/envelope.h"

enum { CHAIN = 2 /* on average, at the most */, LEAST = 1024 };

static struct named **
bucket(const struct name_table *t, uint32_t hash)
{
	return &t->buckets[hash & (t->size - 1)];
}

struct named *
name_table_find(const struct name_table *t, const char *name)
{
	uint32_t hash = envelope_hash(name);
	struct named *found;

	if (t->size == 0)
		return NULL;
	found = *bucket(t, hash);
	while (found != NULL &&
	    (found->hash != hash || strcmp(found->name, name) != 0))
		found = found->chain;
	return found;
}

static bool
grow(struct name_table *t)
{
	struct name_table more = {
	    .size = t->size > 0 ? 2 * t->size : LEAST, .n = t->n};
	struct named *thing, *next;

	if (t->n < CHAIN * t->size)
		return true;
	more.buckets = calloc(more.size, sizeof(struct named *));
	if (more.buckets == NULL)
		return t->size > 0; /* longer chains, then */
	for (size_t i = 0; i < t->size; i++)
		for (thing = t->buckets[i]; thing != NULL; thing = next) {
			next = thing->chain;
			thing->chain = *bucket(&more, thing->hash);
			*bucket(&more, thing->hash) = thing;
		}
	free(t->buckets);
	*t = more;
	return true;
}

bool
name_table_add(struct name_table *t, struct named *thing)
{
	if (!grow(t))
		return false;
	thing->hash = envelope_hash(thing->name);
	thing->chain = *bucket(t, thing->hash);
	*bucket(t, thing->hash) = thing;
	t->n++;
	return true;
}

void
name_table_remove(struct name_table *t, struct named *thing)
{
	struct named **where = bucket(t, thing->hash);

	while (*where != thing)
		where = &(*where)->chain;
	*where = thing->chain;
	t->n--;
}

void
name_table_each(const struct name_table *t,
    void (*call)(struct named *, void *), void *context)
{
	struct named *thing, *next;

	for (size_t i = 0; i < t->size; i++)
		for (thing = t->buckets[i]; thing != NULL; thing = next) {
			next = thing->chain;
			call(thing, context);
		}
}
