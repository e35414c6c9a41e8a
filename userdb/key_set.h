/* SPDX-License-Identifier: ISC */
#ifndef USERDB_KEY_SET_H
#define USERDB_KEY_SET_H

#include <openssl/evp.h>
#include <stddef.h>

#include "common/cursor.h"

/*
 * A JSON Web Key Set (RFC 7517) as a token's issuer publishes it.  Keys that
 * are of another kind, for another use, or weak are left out: what stays are
 * RSA keys of 2048 to 8192 bits (for RS256) and P-256 (for ES256), public.
 */
enum {
	KEY_SET_OCTETS = 256 * 1024,
	KEY_SET_MAX = 64, /* keys; what is behind them is left out */
	KEY_ID_MAX = 255,
	KEY_RSA_LEAST = 2048,
	KEY_RSA_MOST = 8192
};

struct key_set; /* opaque */

/* NULL, and *wrong says why: no JSON, no set, no key of use. */
struct key_set *key_set_read(struct span text, const char **wrong);
void key_set_free(struct key_set *);

size_t key_set_count(const struct key_set *);

/*
 * The key of that id that this algorithm ("RS256", "ES256") goes with.
 * Without an id (NULL) the only one that the algorithm goes with, if there
 * is exactly one.  NULL: there is none; it stays the set's.
 */
EVP_PKEY *key_set_find(
    const struct key_set *, const char *id, const char *algorithm);

#endif
