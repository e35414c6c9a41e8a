/* SPDX-License-Identifier: ISC */
#ifndef USERDB_JWKS_H
#define USERDB_JWKS_H

#include <stdbool.h>

#include "common/config.h"

/*
 * The keys that tokens are signed with: a set that the supervisor hands over
 * (a file), or that fetch brings (an https address).  A checker looks at each
 * new one; what is of no use costs a line in the log and leaves the old one
 * in use.
 */
void jwks_begin(const struct config *);

/* The config is another one now. */
void jwks_reload(void);

/*
 * A set, in a descriptor that stays the caller's; or why there is none.
 * what: where it is from, for the log.
 */
void jwks_offer(const char *what, int fd, const char *error);

/* The set in use; -1: there is none (yet).  It stays ours. */
int jwks_current(void);

/* A token names a key that is not in it. */
void jwks_is_old(void);

/* -- jwks_fetch.c -- */

struct peer;
struct packet;

/* (Re)read the config: is there something to fetch? */
void fetching_begin(const struct config *);

/* Now rather than later, unless it was done a moment ago. */
void fetching_hurry(void);

/* What fetch says (role-fetch); false: malformed. */
bool fetching_hear(struct peer *, struct packet *);
void fetching_gone(struct peer *);

#endif
