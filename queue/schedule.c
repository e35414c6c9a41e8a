/* SPDX-License-Identifier: ISC */
#include "queue/schedule.h"

#include <stdlib.h>

enum { LEAST = 256 }; /* room of a heap */

static int64_t
to_ms(uint64_t seconds)
{
	return seconds > INT64_MAX / 2000 ? INT64_MAX / 2
					  : (int64_t)seconds * 1000;
}

int64_t
schedule_delay(
    const struct retry_policy *policy, unsigned attempts, uint32_t random)
{
	int64_t base = to_ms(policy->minimum), most = to_ms(policy->maximum);
	int64_t spread;

	for (unsigned i = 1; i < attempts && base < most; i++)
		base *= 2;
	if (base > most)
		base = most;
	spread = base / 4;
	return base - spread / 2 +
	    (int64_t)((uint64_t)random % ((uint64_t)spread + 1));
}

int64_t
schedule_wait(const struct retry_policy *policy, unsigned attempts,
    int64_t age_ms, uint32_t random)
{
	int64_t delay = schedule_delay(policy, attempts, random);
	int64_t left = to_ms(policy->lifetime) - age_ms;

	if (delay > left)
		delay = left;
	return delay > 0 ? delay : 0;
}

bool
schedule_expired(const struct retry_policy *policy, int64_t age_ms)
{
	return age_ms >= to_ms(policy->lifetime);
}

int64_t
schedule_patience(const struct retry_policy *policy, bool warned)
{
	bool warns = !warned && policy->warning > 0 &&
	    policy->warning < policy->lifetime;

	return to_ms(warns ? policy->warning : policy->lifetime);
}

int64_t
schedule_resume(const struct retry_policy *policy, int64_t next, int64_t now)
{
	int64_t most = to_ms(policy->maximum);

	if (next <= now)
		return 0;
	/* Compared before it is multiplied: next comes from a file. */
	if (next - now > most / 1000)
		return most;
	return (next - now) * 1000;
}

static void
place(struct due_heap *heap, struct due *item, uint32_t slot)
{
	heap->items[slot] = item;
	item->slot = slot;
}

static void
rise(struct due_heap *heap, struct due *item, uint32_t slot)
{
	for (; slot > 1 && heap->items[slot / 2]->at > item->at; slot /= 2)
		place(heap, heap->items[slot / 2], slot);
	place(heap, item, slot);
}

static void
sink(struct due_heap *heap, struct due *item, uint32_t slot)
{
	uint32_t child;

	while ((child = 2 * slot) <= heap->n) {
		if (child < heap->n &&
		    heap->items[child + 1]->at < heap->items[child]->at)
			child++;
		if (heap->items[child]->at >= item->at)
			break;
		place(heap, heap->items[child], slot);
		slot = child;
	}
	place(heap, item, slot);
}

static bool
grow(struct due_heap *heap)
{
	uint32_t room = heap->room == 0 ? LEAST : heap->room * 2;
	struct due **items;

	if (heap->n + 1 < heap->room)
		return true;
	if (heap->room > UINT32_MAX / 2)
		return false;
	items = reallocarray(heap->items, room, sizeof(struct due *));
	if (items == NULL)
		return false;
	heap->items = items;
	heap->room = room;
	return true;
}

/* Messages move between heaps: none keeps the room of all of them. */
static void
shrink(struct due_heap *heap)
{
	uint32_t room = heap->room / 2;
	struct due **items;

	if (heap->n >= heap->room / 4 || room < LEAST)
		return;
	items = reallocarray(heap->items, room, sizeof(struct due *));
	if (items == NULL)
		return;
	heap->items = items;
	heap->room = room;
}

bool
due_set(struct due_heap *heap, struct due *item, int64_t at)
{
	due_remove(heap, item);
	if (!grow(heap))
		return false;
	item->at = at;
	heap->n++;
	rise(heap, item, heap->n);
	return true;
}

void
due_remove(struct due_heap *heap, struct due *item)
{
	struct due *last;
	uint32_t slot = item->slot;

	if (slot == 0)
		return;
	item->slot = 0;
	last = heap->items[heap->n--];
	if (last != item) {
		if (slot > 1 && heap->items[slot / 2]->at > last->at)
			rise(heap, last, slot);
		else
			sink(heap, last, slot);
	}
	shrink(heap);
}

struct due *
due_first(const struct due_heap *heap)
{
	return heap->n > 0 ? heap->items[1] : NULL;
}

void
due_free(struct due_heap *heap)
{
	free(heap->items);
	*heap = (struct due_heap){NULL, 0, 0};
}
