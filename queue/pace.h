/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_PACE_H
#define QUEUE_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/schedule.h"

/*
 * How fast one destination is served.  Pure: times (monotonic milliseconds)
 * and outcomes go in, what may be done comes out.
 *
 * window	Deliveries at a time: begins at PACE_WINDOW, one more for each
 *		window of successes up to the config's destination-concurrency,
 *		half when the host is in trouble, never under one.  What was
 *		under way when it was halved halves it no further.
 * pause	Between the starts of deliveries: none, until the host says
 *		that mail comes too fast.  Doubled while it goes on saying so,
 *		halved with each success.
 * rest		PACE_FAILURES deliveries in a row had no session: nothing is
 *		tried for retry-minimum, doubled for each further rest (with
 *		jitter) up to retry-maximum, but no longer than PACE_REST_MOST.
 *		Then one probe goes; its success opens the destination again.
 *		Trouble within sessions counts half.
 */
enum {
	PACE_WINDOW = 5,
	PACE_FAILURES = 3,
	PACE_PAUSE_FIRST = 1000, /* milliseconds */
	PACE_PAUSE_MOST = 5 * 60 * 1000,
	PACE_REST_MOST = 30 * 60 * 1000
};

struct pace {
	uint16_t window; /* 0 in a fresh one: PACE_WINDOW */
	uint16_t gained; /* successes since it was widened */
	uint16_t points; /* against it, in a row */
	uint16_t rests;  /* in a row; 0: it neither rests nor is probed */
	uint32_t pause;  /* milliseconds */
	int64_t opens;   /* nothing starts before */
	int64_t cut;     /* what started before has had its effect */
};

enum pace_trouble {
	PACE_NO_SESSION, /* no connection, greeting, EHLO or TLS */
	PACE_HOST,       /* MAIL refused for now, 421, connection lost */
	PACE_RATE        /* "too fast" */
};

/* How many may run now, when at most that many are to. */
unsigned pace_room(const struct pace *, unsigned most, int64_t now);

/* A delivery starts: the next may when the pause is over. */
void pace_start(struct pace *, int64_t now);

/* What became of a delivery that started then. */
void pace_success(struct pace *, unsigned most, int64_t started);
void pace_trouble(struct pace *, enum pace_trouble, int64_t started,
    int64_t now, const struct retry_policy *, uint32_t random);

/* It rests, or waits for its probe to come back. */
static inline bool
pace_rests(const struct pace *p)
{
	return p->rests > 0;
}

/* The postmaster knows better: open, as at the beginning. */
void pace_reset(struct pace *);

#endif
