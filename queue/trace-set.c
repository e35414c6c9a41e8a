/* SPDX-License-Identifier: ISC */
#include "queue/trace-set.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Ids are random, so their low bits are the hash. */
static size_t *
slot_of(const struct trace_set *s, uint64_t id)
{
	size_t at = (size_t)id & (s->nslots - 1);

	while (s->slots[at] != 0 && s->members[s->slots[at] - 1].id != id)
		at = (at + 1) & (s->nslots - 1);
	return &s->slots[at];
}

size_t
trace_set_find(const struct trace_set *s, const char *id)
{
	size_t number;

	if (s->nslots == 0)
		return TRACE_SET_NONE;
	number = *slot_of(s, strtoull(id, NULL, 16));
	return number == 0 ? TRACE_SET_NONE : s->members[number - 1].story;
}

static bool
grow(struct trace_set *s)
{
	size_t nslots = s->nslots == 0 ? 64 : 2 * s->nslots;
	struct trace_member *members;
	size_t *slots;

	if (2 * s->n < s->nslots)
		return true;
	members = reallocarray(s->members, nslots, sizeof(*members));
	if (members == NULL)
		return false;
	s->members = members;
	slots = calloc(nslots, sizeof(*slots));
	if (slots == NULL)
		return false;
	free(s->slots);
	s->slots = slots;
	s->nslots = nslots;
	for (size_t i = 0; i < s->n; i++)
		*slot_of(s, s->members[i].id) = i + 1;
	return true;
}

size_t
trace_set_add(struct trace_set *s, const char *id, size_t story)
{
	uint64_t number = strtoull(id, NULL, 16);
	size_t *slot;

	if (!grow(s))
		return TRACE_SET_NONE;
	slot = slot_of(s, number);
	if (*slot == 0) {
		s->members[s->n] = (struct trace_member){.id = number,
		    .story = story == TRACE_SET_NONE ? s->n : story};
		*slot = ++s->n;
	}
	return s->members[*slot - 1].story;
}

void
trace_set_name(const struct trace_set *s, size_t number, char id[FS_ID_SIZE])
{
	snprintf(id, FS_ID_SIZE, "%016" PRIx64, s->members[number].id);
}

void
trace_set_free(struct trace_set *s)
{
	free(s->members);
	free(s->slots);
	*s = (struct trace_set){0};
}
