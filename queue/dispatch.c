/* SPDX-License-Identifier: ISC */
#include "queue/dispatch.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/loop.h"
#include "queue/attempt.h"

enum {
	ACTIVE_MAX = 2000,
	ACTIVE_RETRIES = ACTIVE_MAX * 3 / 4,
	STARTS_A_TURN = 32
};

static struct due_heap fresh, repeated;
static struct timer timer;
static size_t active;
static bool stopped;
void (*dispatch_idle)(void);

static struct message *
owner(struct due *due)
{
	return due != NULL ? container_of(due, struct message, due) : NULL;
}

/* The next that may start, whether it is due or not. */
static struct message *
candidate(void)
{
	struct message *f = owner(due_first(&fresh));
	struct message *r = owner(due_first(&repeated));

	if (stopped || active >= ACTIVE_MAX)
		return NULL;
	if (active >= ACTIVE_RETRIES)
		r = NULL;
	if (f == NULL || r == NULL)
		return f != NULL ? f : r;
	if (f->due.at <= clock_monotonic_ms())
		return f;
	return f->due.at <= r->due.at ? f : r;
}

static void run(struct timer *);

static void
set_timer(void)
{
	struct message *m = candidate();

	timer.fire = run;
	if (m != NULL)
		loop_timer(&timer, m->due.at - clock_monotonic_ms());
	else
		loop_timer_stop(&timer);
}

static void
run(struct timer *t)
{
	struct message *m;

	(void)t;
	for (int i = 0; i < STARTS_A_TURN; i++) {
		m = candidate();
		if (m == NULL || m->due.at > clock_monotonic_ms())
			break;
		dispatch_forget(m);
		m->state = MESSAGE_ACTIVE;
		active++;
		attempt_begin(m);
	}
	set_timer();
}

void
dispatch_wait(struct message *m, int64_t ms)
{
	struct due_heap *heap = m->attempts == 0 ? &fresh : &repeated;

	dispatch_forget(m);
	m->state = MESSAGE_WAITING;
	if (!due_set(heap, &m->due, clock_monotonic_ms() + ms)) {
		/* It stays in the spool; the next start finds it. */
		log_event(
		    LEVEL_ERROR, "no memory", log_text("what", "schedule"));
		exit(1);
	}
	set_timer();
}

bool
dispatch_take(struct message *m)
{
	if (stopped || active >= ACTIVE_MAX)
		return false;
	m->state = MESSAGE_ACTIVE;
	active++;
	return true;
}

void
dispatch_done(void)
{
	active--;
	if (active == 0 && dispatch_idle != NULL)
		dispatch_idle();
	set_timer();
}

void
dispatch_forget(struct message *m)
{
	if (m->due.slot == 0)
		return;
	if (m->due.slot <= fresh.n && fresh.items[m->due.slot] == &m->due)
		due_remove(&fresh, &m->due);
	else
		due_remove(&repeated, &m->due);
}

static size_t
hurry(struct due_heap *heap, int64_t now)
{
	/* All equal: any order of a heap is right. */
	for (size_t i = 1; i <= heap->n; i++)
		heap->items[i]->at = now;
	return heap->n;
}

size_t
dispatch_flush(void)
{
	int64_t now = clock_monotonic_ms();
	size_t n = hurry(&fresh, now) + hurry(&repeated, now);

	set_timer();
	return n;
}

size_t
dispatch_active(void)
{
	return active;
}

void
dispatch_stop(void)
{
	stopped = true;
	set_timer();
}
