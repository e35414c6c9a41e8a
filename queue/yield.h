/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_YIELD_H
#define QUEUE_YIELD_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Intake yields to delivery: when what came in last has been waiting for its
 * first attempt for some seconds (all places are taken: a slow mailbox, a
 * slow disk), those who want to hand in more wait a while for their answer,
 * the longer the later deliveries are, up to YIELD_MAX_MS.  Nobody is refused
 * for that.
 */
enum { YIELD_AFTER_MS = 2000, YIELD_MAX_MS = 10000 };

/* Embedded in who waits. */
struct yield {
	struct yield *next, *previous;
	int64_t until;
	void (*go)(struct yield *);
	bool waits;
};

/*
 * True: go() is called when it may go on.  False: nothing is late, it may go
 * on now.
 */
bool yield_wait(struct yield *, void (*go)(struct yield *));

/* It does not want any more; also right when it does not wait. */
void yield_stop(struct yield *);

#endif
