/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_WINDOW_H
#define LEDGER_WINDOW_H

#include <stdint.h>
#include <time.h>

/*
 * How often something happened lately: a sliding window of `span` seconds
 * in slots.  What happened counts for at least the span and at most a
 * seventh longer.  Times are unix seconds; where the clock was set back, what
 * seems to lie in the future counts as of now.
 */
enum { WINDOW_SLOTS = 8, WINDOW_COUNT_MAX = 1 << 28 };

struct window {
	int64_t newest;                /* slot number of counts[0] */
	uint32_t counts[WINDOW_SLOTS]; /* the newest first */
};

void window_add(struct window *, uint32_t span, time_t now);
void window_add_many(struct window *, uint32_t span, time_t now, unsigned n);

/* Read again: so many at that time, as window_time() told it. */
void window_restore(
    struct window *, uint32_t span, time_t when, time_t now, unsigned n);

/* What counts at that time. */
unsigned window_count(const struct window *, uint32_t span, time_t now);

/* Seconds until fewer than limit count; 0: fewer do now. */
uint32_t window_wait(
    const struct window *, uint32_t span, time_t now, unsigned limit);

/* When slot i (of WINDOW_SLOTS) began, for who writes it down. */
time_t window_time(const struct window *, uint32_t span, unsigned i);

/* The same for another span. */
void window_rescale(struct window *, uint32_t from, uint32_t to, time_t now);

#endif
