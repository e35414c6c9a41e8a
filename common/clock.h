/* SPDX-License-Identifier: ISC */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Milliseconds of a clock that never jumps; for deadlines and durations. */
int64_t clock_monotonic_ms(void);

/* Seconds since the epoch; for what is written down. */
time_t clock_now(void);

/* Milliseconds, microseconds since the epoch. */
int64_t clock_now_ms(void);
int64_t clock_now_us(void);

/*
 * What is left until a monotonic deadline, as poll(2) wants it: 0 when it
 * has passed.  A negative deadline means none and gives -1.
 */
int clock_left(int64_t deadline_ms);

/* RFC 5322 section 3.3 date-time in local time with its zone. */
enum { CLOCK_DATE_SIZE = 40 };
void clock_date(time_t when, char out[CLOCK_DATE_SIZE]);

#endif
