/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_FETCHING_H
#define LEDGER_FETCHING_H

#include <stdbool.h>
#include <stddef.h>

#include "common/peer.h"

/*
 * What is to be fetched, and fetch's workers, who do it one at a time and
 * say when they are free.  What comes of it goes into the table of
 * ledger/sts.h, and those who wait are told.
 */

/* A worker of fetch has connected; the descriptor becomes its peer's. */
void fetching_worker(const char *role, int fd);

/*
 * Have the policy of that domain fetched, for the id of its record, ""
 * without one.  The same one twice is one.  False: there is too much to do.
 */
bool fetching_ask(const char *domain, const char *id);

/* Nobody waits for it any more: where nobody has begun with it, leave it. */
void fetching_leave(const char *domain);

/* How many are not done yet. */
size_t fetching_count(void);

/* Before all that; done() is called when one is done. */
void fetching_begin(void (*done)(const char *domain));

#endif
