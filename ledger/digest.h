/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_DIGEST_H
#define LEDGER_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "ledger/fields.h"
#include "ledger/table.h"

/*
 * Keyed hashes (SipHash), for what need not be told again, only known again.
 * The key is this ledger's, and is in its journal; nobody else can find two
 * texts with one digest, or tell what a digest is of.
 */
struct digest {
	uint64_t half[2];
};

/* Of these texts, in order; all zero when it cannot be made. */
struct digest digest_of(const char *const *texts, size_t n);

int digest_compare(const struct digest *, const struct digest *);

void digest_write(const struct digest *, struct buf *line);
void digest_read(struct fields *, struct digest *);

/* The key, for the journal; digest_begin() makes one where there is none. */
extern struct table digest_table;
void digest_begin(void);

/*
 * How many rows somebody has, about: somebody being a digest.  A bounded
 * number of counters; who shares one is unlucky, and no more.
 */
struct crowds {
	uint32_t counts[1 << 16];
};

void crowds_add(struct crowds *, uint64_t somebody);
void crowds_remove(struct crowds *, uint64_t somebody);
uint32_t crowds_count(const struct crowds *, uint64_t somebody);

#endif
