/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "queue/destination.h"
#include "queue/slab.h"

enum {
	CHAIN = 2,       /* lanes a bucket, on average, at the most */
	YOUNG_TURNS = 3, /* before one of the others */
	LEAST = 256
};

/*
 * Never empty, so that its messages tell whose it is and where.  They are a
 * ring, and lanes another: its last one's next is the first.
 */
struct lane {
	struct lane *chain;
	struct lane *next, *previous; /* in the round of turns */
	struct message *last;
};

_Static_assert(sizeof(struct lane) <= 32, "a million of them");

static struct {
	struct lane **buckets;
	size_t size, n;
	struct slab slab;
} table = {.slab = {.size = sizeof(struct lane)}};

/* -- the lane of a sender at a destination -- */

static size_t
hash(const struct destination *d, uint32_t sender)
{
	uint64_t mixed = (uint64_t)(uintptr_t)d / 16 + sender;

	mixed *= 0x9e3779b97f4a7c15u;
	return (size_t)(mixed >> 32) & (table.size - 1);
}

static struct lane **
bucket_of(const struct message *m)
{
	return &table.buckets[hash(m->domain->destination, m->sender)];
}

static struct lane *
find(const struct message *m)
{
	struct lane *lane = *bucket_of(m);

	while (lane != NULL &&
	    (lane->last->sender != m->sender ||
		lane->last->domain->destination != m->domain->destination))
		lane = lane->chain;
	return lane;
}

static bool
grow(void)
{
	struct lane **old = table.buckets, *lane, *next;
	size_t size = table.size == 0 ? LEAST : table.size * 2;
	size_t before = table.size;

	if (table.n < CHAIN * table.size)
		return true;
	table.buckets = calloc(size, sizeof(struct lane *));
	if (table.buckets == NULL) {
		table.buckets = old;
		return old != NULL;
	}
	table.size = size;
	for (size_t i = 0; i < before; i++)
		for (lane = old[i]; lane != NULL; lane = next) {
			struct lane **where = bucket_of(lane->last);

			next = lane->chain;
			lane->chain = *where;
			*where = lane;
		}
	free(old);
	return true;
}

/* -- turns: a ring by its next one -- */

/* The last of that round; when it is next, nobody else waits longer. */
static void
enter_round(struct lane **round, struct lane *lane)
{
	struct lane *first = *round;

	if (first == NULL) {
		lane->next = lane->previous = lane;
		*round = lane;
		return;
	}
	lane->next = first;
	lane->previous = first->previous;
	first->previous->next = lane;
	first->previous = lane;
}

static void
leave_round(struct lanes *lanes, struct lane *lane)
{
	struct lane *next = lane->next != lane ? lane->next : NULL;

	if (lanes->young == lane)
		lanes->young = next;
	if (lanes->old == lane)
		lanes->old = next;
	lane->next->previous = lane->previous;
	lane->previous->next = lane->next;
}

/* -- messages -- */

static void
append(struct lane *lane, struct message *m)
{
	struct message *last = lane->last;

	m->next = last != NULL ? last->next : m;
	m->previous = last != NULL ? last : m;
	m->next->previous = m;
	m->previous->next = m;
	lane->last = m;
}

bool
lanes_park(struct message *m)
{
	struct lanes *lanes = &m->domain->destination->lanes;
	struct lane *lane;

	if (!grow())
		return false;
	lane = find(m);
	if (lane == NULL) {
		lane = slab_take(&table.slab);
		if (lane == NULL)
			return false;
		enter_round(
		    m->attempts == 0 ? &lanes->young : &lanes->old, lane);
		lane->chain = *bucket_of(m);
		*bucket_of(m) = lane;
		table.n++;
	}
	append(lane, m);
	lanes->n++;
	return true;
}

static void
drop(struct lane *lane, struct lane **where, struct lanes *lanes)
{
	while (*where != lane)
		where = &(*where)->chain;
	*where = lane->chain;
	leave_round(lanes, lane);
	slab_give(&table.slab, lane);
	table.n--;
}

/* True: the lane is gone with it. */
static bool
take_out(struct lane *lane, struct message *m)
{
	struct lanes *lanes = &m->domain->destination->lanes;
	bool alone = m->next == m;

	lanes->n--;
	if (alone)
		drop(lane, bucket_of(m), lanes);
	else if (lane->last == m)
		lane->last = m->previous;
	m->next->previous = m->previous;
	m->previous->next = m->next;
	m->next = m->previous = NULL;
	return alone;
}

void
lanes_leave(struct message *m)
{
	(void)take_out(find(m), m);
}

struct message *
lanes_next(struct destination *d)
{
	struct lanes *lanes = &d->lanes;
	bool young =
	    lanes->young != NULL && (lanes->old == NULL || lanes->credit > 0);
	struct lane *lane = young ? lanes->young : lanes->old;
	struct message *m;

	if (lane == NULL)
		return NULL;
	lanes->credit =
	    young && lanes->credit > 0 ? lanes->credit - 1 : YOUNG_TURNS;
	m = lane->last->next;
	if (take_out(lane, m))
		return m;
	leave_round(lanes, lane);
	enter_round(&lanes->old, lane);
	return m;
}
