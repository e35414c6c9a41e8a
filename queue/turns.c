/* SPDX-License-Identifier: ISC */
#include "common/loop.h"
#include "queue/destination.h"
#include "queue/queue.h"

/*
 * Whose turn it is among destinations: each waits in the round of those of
 * its standing, or for its time.
 */
enum {
	PLACES = 1000, /* for attempts on their way to deliver */
	AHEAD = 20     /* prepared beyond those that run */
};

/* What those of a standing have taken of what all share. */
static struct share {
	size_t places, workers;
} shares[STANDINGS];

/*
 * Of those with messages parked: who may go on as soon as those of its
 * standing may, the next of each round; and who waits for a time.
 */
static struct destination *rounds[STANDINGS];
static unsigned next_round;
static struct due_heap sleepers;

size_t
destination_in_memory(const struct destination *d)
{
	return d->at[STAGE_TICKET] + d->at[STAGE_PREPARED] +
	    d->at[STAGE_RUNNING];
}

/* The last of the round. */
static void
enter_round(struct destination *d)
{
	struct destination **round = &rounds[d->standing];

	if (d->in_round)
		return;
	d->in_round = true;
	if (*round == NULL) {
		d->next = d->previous = d;
		*round = d;
		return;
	}
	d->next = *round;
	d->previous = (*round)->previous;
	d->previous->next = d;
	(*round)->previous = d;
}

static void
leave_round(struct destination *d)
{
	struct destination **round = &rounds[d->standing];

	if (!d->in_round)
		return;
	d->in_round = false;
	if (*round == d)
		*round = d->next != d ? d->next : NULL;
	d->next->previous = d->previous;
	d->previous->next = d->next;
}

static unsigned
most(void)
{
	return (unsigned)queue.config.destination_concurrency;
}

/* One at a time while it is probed, few while it is slowed down. */
static size_t
room(const struct destination *d, int64_t now)
{
	size_t running = pace_room(&d->pace, most(), now);

	if (running == 0 || pace_rests(&d->pace))
		return running;
	if (d->pace.pause > 0)
		return running + 1;
	return running + (running < AHEAD ? running : AHEAD);
}

/*
 * One more of so many things that are shared, when all have taken so many and
 * those of its standing, and of less, as many.
 */
static bool
has_share(enum standing standing, size_t all, size_t taken, size_t suspect,
    size_t fresh)
{
	if (taken >= all)
		return false;
	switch (standing) {
	case STANDING_PROVEN:
		return true;
	case STANDING_NEW:
		return fresh == 0 || suspect + fresh < all - all / 4;
	default:
		return suspect == 0 || suspect < all / 2;
	}
}

static bool
has_place(enum standing standing)
{
	size_t suspect = shares[STANDING_SUSPECT].places;
	size_t fresh = shares[STANDING_NEW].places;

	return has_share(standing, PLACES,
	    shares[STANDING_PROVEN].places + suspect + fresh, suspect, fresh);
}

bool
destination_has_room(const struct destination *d, int64_t now)
{
	return destination_in_memory(d) < room(d, now) &&
	    has_place(d->standing);
}

bool
destination_may_run(
    const struct destination *d, size_t workers, size_t busy, int64_t now)
{
	size_t running = d->at[STAGE_RUNNING];

	if (running >= pace_room(&d->pace, most(), now) ||
	    !has_share(d->standing, workers, busy,
		shares[STANDING_SUSPECT].workers, shares[STANDING_NEW].workers))
		return false;
	/* It had a share: fewer than all are busy. */
	return running == 0 || running < workers - busy;
}

void
destination_stir(struct destination *d, int64_t now)
{
	bool waits = d->lanes.n > 0;

	if (waits && now < d->pace.opens)
		(void)due_set(&sleepers, &d->wake, d->pace.opens);
	else
		due_remove(&sleepers, &d->wake);
	if (waits && destination_in_memory(d) < room(d, now))
		enter_round(d);
	else
		leave_round(d);
}

struct destination *
destination_turn(int64_t now)
{
	struct due *first;

	while ((first = due_first(&sleepers)) != NULL && first->at <= now)
		destination_stir(
		    container_of(first, struct destination, wake), now);
	for (int i = 0; i < STANDINGS; i++) {
		struct destination **round = &rounds[next_round], *d;
		bool has = has_place((enum standing)next_round);

		next_round = (next_round + 1) % STANDINGS;
		while (has && (d = *round) != NULL) {
			*round = d->next;
			if (destination_in_memory(d) < room(d, now))
				return d;
			destination_stir(d, now); /* out of it */
		}
	}
	return NULL;
}

int64_t
destination_wakes(void)
{
	struct due *first = due_first(&sleepers);

	return first != NULL ? first->at : INT64_MAX;
}

void
destination_move(struct destination *d, enum stage from, enum stage to)
{
	struct share *share = &shares[d->standing];

	if (from != STAGE_NONE)
		d->at[from]--;
	if (to != STAGE_NONE)
		d->at[to]++;
	share->places += to != STAGE_NONE;
	share->places -= from != STAGE_NONE;
	share->workers += to == STAGE_RUNNING;
	share->workers -= from == STAGE_RUNNING;
}

void
destination_stand(struct destination *d, enum standing standing)
{
	struct share *before = &shares[d->standing], *after = &shares[standing];

	if (d->standing == standing)
		return;
	leave_round(d);
	before->places -= destination_in_memory(d);
	before->workers -= d->at[STAGE_RUNNING];
	after->places += destination_in_memory(d);
	after->workers += d->at[STAGE_RUNNING];
	d->standing = standing;
}
