/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_LIFETIME_H
#define QUEUE_LIFETIME_H

#include <stdint.h>

/*
 * How old a message is, told by a clock that may be wrong.  While queue runs
 * it trusts a clock that cannot jump; envelopes have times of one that can.
 * spool/clock keeps what is known about that one:
 *
 *	alive SECONDS		queue ran at that time
 *	jump SECONDS BY		at that time the clock was set, or stood still
 *				(suspended), so that what had come before
 *				seems older by that than it is
 *
 * At start a step of the clock and a time in which nothing ran look alike.
 * More than LIFETIME_GAP of it counts for nothing: mail is given up too late
 * rather than too early, and nothing that was in the spool while the machine
 * was away for a week is given up before it was tried.
 */
enum {
	LIFETIME_GAP = 4 * 3600,   /* seconds */
	LIFETIME_STEP = 60,        /* less is no jump */
	LIFETIME_PERIOD = 10 * 60, /* so often it is written */
	LIFETIME_JUMPS_MAX = 64,
	LIFETIME_FILE_MAX = 8192
};

struct lifetime_jump {
	int64_t at, by;
};

struct lifetime {
	int64_t alive; /* 0: not known */
	struct lifetime_jump jumps[LIFETIME_JUMPS_MAX];
	unsigned n;
};

/* -- pure -- */

/* Seconds since `time`, never negative. */
int64_t lifetime_since(const struct lifetime *, int64_t time, int64_t now);

/* At `at` it was found that what was before seems older by that. */
void lifetime_jumped(struct lifetime *, int64_t at, int64_t by);

/* The clock says `now`; it was alive before, and nobody has looked since. */
void lifetime_resume(struct lifetime *, int64_t now);

/* What cannot be understood is left out. */
void lifetime_read(struct lifetime *, const char *text, unsigned long n);

/* -- of this spool -- */

void lifetime_begin(void);
int64_t lifetime_age(int64_t time); /* of a message accepted then, now */

#endif
