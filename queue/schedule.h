/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_SCHEDULE_H
#define QUEUE_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * When the next attempt is due (RFC 5321 section 4.5.4.1).  Pure: times go
 * in, times come out.
 */
struct retry_policy { /* seconds */
	uint64_t minimum, maximum, lifetime;
	uint64_t warning; /* 0: none */
};

/*
 * Milliseconds to wait after this many attempts (1: the first has failed):
 * the minimum, doubled for each further one up to the maximum, and of that
 * 7/8 to 9/8 by random (any 32 bits), so that what failed together does not
 * come back together.
 */
int64_t schedule_delay(
    const struct retry_policy *, unsigned attempts, uint32_t random);

/*
 * The same, but not beyond the end of the life time, so that the last
 * attempt is made there.  age is how long the message has been here.
 */
int64_t schedule_wait(const struct retry_policy *, unsigned attempts,
    int64_t age_ms, uint32_t random);

bool schedule_expired(const struct retry_policy *, int64_t age_ms);

/*
 * At which age, in milliseconds, its sender is to hear of a message that is
 * not tried: when it is late, if that was not said yet, else when it expires.
 */
int64_t schedule_patience(const struct retry_policy *, bool warned);

/*
 * Of a message found at start: milliseconds from now (unix seconds) until
 * the recorded next attempt.  A clock that jumped back must not hold mail
 * for longer than one maximum.
 */
int64_t schedule_resume(const struct retry_policy *, int64_t next, int64_t now);

/* A heap of what is due, the earliest first; embedded in its owner. */
struct due {
	int64_t at;    /* monotonic milliseconds */
	uint32_t slot; /* 0: not in the heap */
};

struct due_heap {
	struct due **items; /* from 1 */
	uint32_t n, room;
};

/* Put in, or move when it is there.  False without memory. */
bool due_set(struct due_heap *, struct due *, int64_t at);
void due_remove(struct due_heap *, struct due *);
struct due *due_first(const struct due_heap *); /* NULL: empty */
void due_free(struct due_heap *);

#endif
