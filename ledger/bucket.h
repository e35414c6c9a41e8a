/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_BUCKET_H
#define LEDGER_BUCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "common/buf.h"
#include "common/config.h"
#include "ledger/fields.h"

/*
 * How much of a rate is used up: what happens fills the bucket, time empties
 * it.  A rate of 60 a minute allows 60 at once, and from then on one a second.
 *
 * Where the rate is changed the bucket stays as full as it is, and never
 * more than full.  Times are unix seconds; where the clock was set back it is
 * as full as it was, now.
 */
struct bucket {
	time_t at;     /* as full as that at that time */
	uint64_t used; /* microseconds until it is empty */
};

/* Would so many more fit in?  One always fits into an empty one. */
bool bucket_fits(
    struct bucket *, const struct config_rate *, unsigned n, time_t now);

/* Seconds until they do; 0: now. */
uint32_t bucket_wait(
    struct bucket *, const struct config_rate *, unsigned n, time_t now);

/* They happened, whether they fit or not; never more than full. */
void bucket_add(
    struct bucket *, const struct config_rate *, unsigned n, time_t now);

/* How many would have filled it so. */
uint64_t bucket_count(
    const struct bucket *, const struct config_rate *, time_t now);

/* Microseconds until it is empty. */
uint64_t bucket_used(const struct bucket *, time_t now);

/* As fields of a line of the journal; and back. */
void bucket_write(const struct bucket *, struct buf *line);
void bucket_read(struct fields *, struct bucket *, time_t now);

#endif
