/* SPDX-License-Identifier: ISC */
#include "queue/yield.h"

#include <stddef.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/loop.h"
#include "queue/dispatch.h"

enum { TICK_MS = 100 };

static struct {
	struct yield *first, *last;
	struct timer timer;
	bool slowed; /* and it was logged */
} line;

static void
tell(bool slowed, int64_t late)
{
	if (slowed == line.slowed)
		return;
	line.slowed = slowed;
	if (slowed)
		log_event(LEVEL_WARNING, "intake slowed",
		    log_delay("delay", late),
		    log_text("reason", "deliveries do not keep up"));
	else
		log_event(LEVEL_INFO, "intake not slowed");
}

void
yield_stop(struct yield *y)
{
	if (!y->waits)
		return;
	y->waits = false;
	if (y->previous != NULL)
		y->previous->next = y->next;
	else
		line.first = y->next;
	if (y->next != NULL)
		y->next->previous = y->previous;
	else
		line.last = y->previous;
}

/* In the order in which they came; one that goes may make others go away. */
static void
tick(struct timer *t)
{
	bool late = dispatch_late() >= YIELD_AFTER_MS;
	int64_t now = clock_monotonic_ms();
	struct yield *y;

	tell(late, dispatch_late());
	while ((y = line.first) != NULL && (!late || y->until <= now)) {
		yield_stop(y);
		y->go(y);
	}
	if (line.first != NULL || late)
		loop_timer(t, TICK_MS);
}

bool
yield_wait(struct yield *y, void (*go)(struct yield *))
{
	int64_t late = dispatch_late();
	int64_t wait = late / 2 < YIELD_MAX_MS ? late / 2 : YIELD_MAX_MS;

	if (late < YIELD_AFTER_MS)
		return false;
	tell(true, late);
	*y = (struct yield){.previous = line.last,
	    .until = clock_monotonic_ms() + wait,
	    .go = go,
	    .waits = true};
	if (line.last != NULL)
		line.last->next = y;
	else
		line.first = y;
	line.last = y;
	line.timer.fire = tick;
	if (line.timer.slot == 0)
		loop_timer(&line.timer, TICK_MS);
	return true;
}
