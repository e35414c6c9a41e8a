/* SPDX-License-Identifier: ISC */
#ifndef USERDB_STORE_H
#define USERDB_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/cursor.h"

/*
 * Keys and values, kept by Berkeley DB: a transactional environment of one
 * process and one thread.  What has been changed and acknowledged is on
 * stable storage; what was not is undone by the next one who opens it.
 *
 * One process at a time: the folder is locked (flock) while it is open.
 */
struct store; /* opaque */

enum store_result {
	STORE_OK,
	STORE_ABSENT,  /* no such key */
	STORE_LOCKED,  /* another process has it open */
	STORE_VERSION, /* written by a later release */
	STORE_FULL,    /* hardly any room left on the disk: nothing written */
	STORE_FAILED,  /* this look-up or change failed; logged */
	STORE_BROKEN   /* the environment is unusable until it is opened anew */
};

enum { STORE_KEY_MAX = 1024, STORE_VALUE_MAX = 4096 };

/*
 * Open the store in this folder (an absolute path, mode 0700), make it where
 * there is none, undo what was not acknowledged.  NULL on failure, with the
 * reason in *result (and logged, but for STORE_LOCKED).
 */
struct store *store_open(const char *folder, enum store_result *result);
void store_close(struct store *);

/* At most max octets (STORE_VALUE_MAX is enough for any) and their number. */
enum store_result store_get(
    struct store *, struct span key, char *value, size_t max, size_t *n);

/* One at a time, or as part of the transaction that has begun. */
enum store_result store_put(struct store *, struct span key, struct span value);
enum store_result store_delete(struct store *, struct span key);

/*
 * Several changes as one.  There is at most one transaction.  After a
 * failure within it only store_abort() is right.  A commit that is not
 * durable becomes so with the next one that is; order is kept.
 */
enum store_result store_begin(struct store *);
enum store_result store_commit(struct store *, bool durable);
void store_abort(struct store *);

/*
 * From this key on (its own included) in the order of octets, until found()
 * returns false.  Spans are valid within the call.  found() may get and
 * iterate, but not change.
 */
enum store_result store_each(struct store *, struct span from,
    bool (*found)(struct span key, struct span value, void *context),
    void *context);

/*
 * Housekeeping, from time to time: a checkpoint when there is reason for
 * one; logs that recovery no longer needs are removed.
 */
enum store_result store_tend(struct store *);

/* Has anything answered STORE_BROKEN? */
bool store_is_broken(const struct store *);

/* In words, for a message to the postmaster. */
const char *store_reason(enum store_result);

#endif
