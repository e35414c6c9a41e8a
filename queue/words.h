/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_WORDS_H
#define QUEUE_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Ages and sizes as people write and read them.
 */
enum { WORDS_SIZE = 32 }; /* holds any of them */

/*
 * Digits and at most one unit: of seconds s, m, h, d, w; of octets K, M, G.
 * False: it is something else, or too large.
 */
bool words_read_age(const char *text, int64_t *seconds);
bool words_read_size(const char *text, uint64_t *octets);

/*
 * A point in time: an age (before now), YYYY-MM-DD, or that with a blank or T
 * and HH:MM or HH:MM:SS behind it, in local time, or in UTC with Z at its end.
 */
bool words_read_time(const char *text, int64_t now, int64_t *when);

/* At most four characters: 59s, 59m, 47h, 999d; 999, 9.9K, 999K, 9.9G. */
void words_age(char out[WORDS_SIZE], int64_t seconds);
void words_size(char out[WORDS_SIZE], uint64_t octets);

/* "3 min", "2 h", "5 days": for sentences. */
void words_duration(char out[WORDS_SIZE], int64_t seconds);

/*
 * In local time: the time of day when it is the day of now, else with the
 * date.
 */
void words_time(char out[WORDS_SIZE], int64_t when, int64_t now);

#endif
