/* SPDX-License-Identifier: ISC */
#include "queue/dispatch.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/loop.h"
#include "queue/attempt.h"
#include "queue/budget.h"
#include "queue/queue.h"

enum {
	ACTIVE_MAX = 2000,
	ACTIVE_RETRIES = ACTIVE_MAX * 3 / 4,
	STARTS_A_TURN = 32,
	PARKS_A_TURN = 512,
	NO_MEMORY_MS = 5 * 1000
};

static struct due_heap fresh, repeated, parked;
static struct timer timer;
static size_t active;
static unsigned era; /* of routes */
static bool stopped;
void (*dispatch_idle)(void);

static struct message *
owner(struct due *due)
{
	return due != NULL ? container_of(due, struct message, due) : NULL;
}

static void run(struct timer *);

static void
run_in(int64_t ms)
{
	timer.fire = run;
	if (timer.slot == 0 || clock_monotonic_ms() + ms < timer.due)
		loop_timer(&timer, ms);
}

static struct due_heap *
heap_of(const struct message *m)
{
	if (m->state == MESSAGE_READY)
		return &parked;
	/* What was here before the start must not hold up what comes in. */
	return m->attempts == 0 && !m->found ? &fresh : &repeated;
}

static void
stand_in(struct due_heap *heap, struct message *m, int64_t at)
{
	if (due_set(heap, &m->due, at))
		return;
	/* It stays in the spool; the next start finds it. */
	log_event(LEVEL_ERROR, "no memory", log_text("what", "schedule"));
	exit(1);
}

/* -- waiting -- */

void
dispatch_forget(struct message *m)
{
	struct domain *domain = m->domain;

	if (m->due.slot == 0)
		return;
	if (m->state == MESSAGE_READY) {
		lanes_leave(m);
		destination_stir(domain->destination, clock_monotonic_ms());
	}
	due_remove(heap_of(m), &m->due);
}

static bool
is_held(struct message *m)
{
	if (m->held)
		m->state = MESSAGE_HELD;
	return m->held;
}

void
dispatch_wait(struct message *m, int64_t ms)
{
	dispatch_forget(m);
	if (is_held(m))
		return;
	m->state = MESSAGE_WAITING;
	stand_in(heap_of(m), m, clock_monotonic_ms() + ms);
	run_in(ms);
}

/* When its sender is to hear of it, whatever its destination does. */
static int64_t
end_of_patience(const struct message *m)
{
	struct retry_policy policy = queue_policy();

	return m->born + schedule_patience(&policy, m->warned);
}

void
dispatch_park(struct message *m)
{
	struct destination *d =
	    m->domain != NULL ? domain_destination(m->domain) : NULL;

	dispatch_forget(m);
	if (is_held(m))
		return;
	if (d == NULL || !lanes_park(m)) {
		dispatch_wait(m, NO_MEMORY_MS);
		return;
	}
	m->state = MESSAGE_READY;
	stand_in(&parked, m, end_of_patience(m));
	destination_stir(d, clock_monotonic_ms());
	dispatch_serve();
}

void
dispatch_hold(struct message *m)
{
	message_hold(m, true);
	if (m->state != MESSAGE_WAITING && m->state != MESSAGE_READY)
		return;
	dispatch_forget(m);
	m->state = MESSAGE_HELD;
}

void
dispatch_release(struct message *m)
{
	message_hold(m, false);
	if (m->state == MESSAGE_HELD)
		dispatch_wait(m, 0);
}

/* -- starting -- */

/* No place for one more attempt, or no memory for its envelope. */
static bool
is_full(void)
{
	return active >= ACTIVE_MAX || budget_is_spent(BUDGET_ATTEMPTS);
}

int64_t
dispatch_late(void)
{
	struct message *m = owner(due_first(&fresh));
	int64_t late = m != NULL ? clock_monotonic_ms() - m->due.at : 0;

	return late > 0 && !stopped ? late : 0;
}

bool
dispatch_is_open(struct destination *d)
{
	return d->lanes.n == 0 && !is_full() && !stopped &&
	    destination_has_room(d, clock_monotonic_ms());
}

static void
start(struct message *m, struct destination *ticket)
{
	m->state = MESSAGE_ACTIVE;
	m->found = false;
	active++;
	if (ticket != NULL)
		destination_move(ticket, STAGE_NONE, STAGE_TICKET);
	attempt_begin(m, ticket);
}

/* Its time has come.  True: an attempt was begun, else it is parked. */
static bool
let_go(struct message *m)
{
	struct domain *domain = m->domain;
	struct destination *d = NULL;

	if (domain != NULL && !domain->local)
		d = domain_destination(domain);
	if (d != NULL && !dispatch_is_open(d)) {
		dispatch_park(m);
		return false;
	}
	dispatch_forget(m);
	start(m, d);
	return true;
}

/* The next that may start for its time's sake, due or not. */
static struct message *
candidate(int64_t now)
{
	struct message *f = owner(due_first(&fresh));
	struct message *r = owner(due_first(&repeated));
	struct message *p = owner(due_first(&parked));

	if (active >= ACTIVE_RETRIES)
		r = p = NULL;
	if (p != NULL && (r == NULL || p->due.at < r->due.at))
		r = p;
	if (f == NULL || r == NULL)
		return f != NULL ? f : r;
	if (f->due.at <= now)
		return f;
	return f->due.at <= r->due.at ? f : r;
}

/* Those whose destination may take them. */
static int
start_ready(int starts)
{
	int64_t now = clock_monotonic_ms();
	struct destination *d;

	while (starts > 0 && !is_full() &&
	    (d = destination_turn(now)) != NULL) {
		struct message *m = lanes_next(d);

		/* Out of its lane already. */
		due_remove(&parked, &m->due);
		start(m, d);
		destination_stir(d, now);
		starts--;
	}
	return starts;
}

static int
start_due(int starts)
{
	int64_t now = clock_monotonic_ms();
	struct message *m;

	for (int i = 0; i < PARKS_A_TURN && starts > 0; i++) {
		if (is_full() || (m = candidate(now)) == NULL ||
		    m->due.at > now)
			return starts;
		if (m->state == MESSAGE_READY) {
			dispatch_forget(m);
			m->state = MESSAGE_ACTIVE;
			active++;
			attempt_look(m);
			starts--;
		} else {
			starts -= let_go(m);
		}
	}
	return 0;
}

static void
run(struct timer *t)
{
	int64_t now, next;
	struct message *m;
	int due = STARTS_A_TURN, ready = STARTS_A_TURN;

	(void)t;
	if (stopped)
		return;
	due = start_due(due);
	ready = start_ready(ready);
	if (due == 0 || ready == 0) {
		run_in(0);
		return;
	}
	now = clock_monotonic_ms();
	/* With no place for it, time alone changes nothing. */
	if (is_full())
		return;
	next = destination_wakes();
	m = candidate(now);
	if (m != NULL && m->due.at < next)
		next = m->due.at;
	if (next != INT64_MAX)
		run_in(next > now ? next - now : 0);
}

void
dispatch_serve(void)
{
	run_in(0);
}

/* -- places -- */

bool
dispatch_take(struct message *m)
{
	if (stopped || is_full())
		return false;
	m->state = MESSAGE_ACTIVE;
	active++;
	return true;
}

void
dispatch_done(void)
{
	bool crowded = active >= ACTIVE_RETRIES;

	active--;
	if (active == 0 && dispatch_idle != NULL)
		dispatch_idle();
	if (crowded)
		run_in(0);
}

size_t
dispatch_active(void)
{
	return active;
}

size_t
dispatch_free(void)
{
	return active < ACTIVE_MAX ? ACTIVE_MAX - active : 0;
}

void
dispatch_stop(void)
{
	stopped = true;
	loop_timer_stop(&timer);
}

/* -- at the postmaster's word -- */

static void
hurry(struct due_heap *heap, int64_t now)
{
	/* All equal: any order of a heap is right. */
	for (size_t i = 1; i <= heap->n; i++)
		heap->items[i]->at = now;
}

static void
open_one(struct destination *d, void *context)
{
	(void)context;
	destination_open(d, clock_monotonic_ms());
}

size_t
dispatch_flush(void)
{
	int64_t now = clock_monotonic_ms();

	hurry(&fresh, now);
	hurry(&repeated, now);
	destination_each(open_one, NULL);
	run_in(0);
	return (size_t)fresh.n + repeated.n + parked.n;
}

bool
dispatch_flush_one(struct message *m)
{
	int64_t now = clock_monotonic_ms();
	struct destination *d;

	if (m->state != MESSAGE_WAITING && m->state != MESSAGE_READY)
		return false;
	d = m->domain != NULL ? m->domain->destination : NULL;
	if (d != NULL)
		destination_open(d, now);
	if (m->state == MESSAGE_WAITING) {
		dispatch_wait(m, 0);
	} else if (!stopped && !is_full() &&
	    destination_has_room(d, now)) {
		/* Before all others, for once. */
		dispatch_forget(m);
		start(m, d);
	}
	run_in(0);
	return true;
}

struct flushing {
	bool (*wanted)(const struct message *, void *);
	void *context;
	size_t n;
};

static void
flush_wanted(struct message *m, void *context)
{
	struct flushing *f = context;

	if (f->wanted(m, f->context))
		f->n += dispatch_flush_one(m);
}

size_t
dispatch_flush_some(
    bool (*wanted)(const struct message *, void *), void *context)
{
	struct flushing f = {.wanted = wanted, .context = context};

	message_each(flush_wanted, &f);
	return f.n;
}

/* -- who leads where -- */

/* Those parked at it, chained by next, in the order of their turns. */
static struct message *
unpark(struct destination *d, struct message *behind)
{
	struct message *first = behind, **where = &first, *m;

	while ((m = lanes_next(d)) != NULL) {
		due_remove(&parked, &m->due);
		m->state = MESSAGE_WAITING;
		m->next = *where;
		*where = m;
		where = &m->next;
	}
	destination_stir(d, clock_monotonic_ms());
	return first;
}

static void
park_again(struct message *m)
{
	while (m != NULL) {
		struct message *next = m->next;

		m->next = NULL;
		dispatch_park(m);
		m = next;
	}
}

void
dispatch_learn(struct domain *domain, const char *mx)
{
	struct destination *d = domain->destination;
	struct message *moving = NULL;

	if (queue.config.relay_host != NULL ||
	    (d != NULL && strcmp(d->name, mx) == 0))
		return;
	if (d != NULL)
		moving = unpark(d, NULL);
	domain_lead(domain, mx);
	park_again(moving);
}

/* A domain that userdb calls ours needs no destination. */
void
dispatch_learn_local(struct domain *domain)
{
	struct destination *d = domain->destination;
	struct message *moving = NULL;

	if (domain->local)
		return;
	domain->local = true;
	if (d != NULL)
		moving = unpark(d, NULL);
	while (moving != NULL) {
		struct message *next = moving->next;

		moving->next = NULL;
		if (moving->domain->local)
			dispatch_wait(moving, 0);
		else
			dispatch_park(moving);
		moving = next;
	}
}

static void
unpark_all(struct destination *d, void *context)
{
	struct message **moving = context;

	*moving = unpark(d, *moving);
}

unsigned
dispatch_era(void)
{
	return era;
}

void
dispatch_reroute(void)
{
	struct message *moving = NULL;

	era++;
	destination_each(unpark_all, &moving);
	domain_lead_all();
	park_again(moving);
}
