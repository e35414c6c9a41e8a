/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_STATS_H
#define QUEUE_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/envelope.h"
#include "queue/select.h"

/*
 * What a queue is made of: messages counted by name.  Pure but for memory.
 */
enum { STATS_AGES = 6 };

/* Upper bounds in seconds; the last has none. */
extern const int64_t stats_ages[STATS_AGES - 1];
extern const char *const stats_age_names[STATS_AGES];

struct tally {
	struct tally *chain;
	size_t messages;
	uint64_t octets;
	int64_t oldest; /* accepted, unix seconds; 0: none */
	size_t ages[STATS_AGES];
	int64_t when; /* of the last words; 0: none */
	char *text;   /* they themselves; owned */
	size_t last;  /* the number of the message counted last */
	char *host;   /* of a domain: where its mail goes; owned; NULL */
	char name[];
};

struct tallies {
	struct tally **slots;
	size_t nslots, n;
};

struct stats {
	struct tally *total, *states[STATES];
	struct tallies domains;    /* of those who wait */
	struct tallies sources[3]; /* by enum stats_source */
	size_t messages, recipients;
};

enum stats_source { SOURCE_LOGIN, SOURCE_UID, SOURCE_SENDER };

bool stats_begin(struct stats *);
void stats_free(struct stats *);

/* False without memory. */
bool stats_count(
    struct stats *, enum queue_state, const struct envelope *, int64_t now);

/* Into one list, the largest first; owned by the caller, not the tallies. */
struct tally **tallies_sorted(const struct tallies *);

/* Find it or make it; NULL without memory. */
struct tally *tallies_get(struct tallies *, const char *name);

void tallies_free(struct tallies *);

/* Add one to another. */
bool tally_merge(struct tally *, const struct tally *);

#endif
