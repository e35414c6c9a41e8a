/* SPDX-License-Identifier: ISC */
#ifndef USERDB_CACHE_H
#define USERDB_CACHE_H

#include <stdbool.h>

/*
 * Logins that were right a short while ago, so that a client that polls does
 * not cost a password hash each time.  What is kept is a keyed digest of
 * name, password and password hash, under a key that lives and dies with
 * this process: a changed password misses, and nothing in it can be turned
 * back.
 */
enum { CACHE_SECONDS = 600, CACHE_DIGEST = 32 };

struct cache_key {
	bool good;
	unsigned char digest[CACHE_DIGEST];
};

/* -1 when there is no randomness; the cache is then always empty. */
int cache_begin(void);

struct cache_key cache_key(
    const char *user, const char *password, const char *hash);
bool cache_has(const struct cache_key *);
void cache_add(const struct cache_key *);

#endif
