/* SPDX-License-Identifier: ISC */
#ifndef USERDB_PASSWORD_H
#define USERDB_PASSWORD_H

#include <stdbool.h>

#include "common/scram.h"
#include "userdb/entry.h"

/*
 * Passwords and their hashes, by crypt(3).  New hashes are yescrypt; any
 * that crypt(5) knows are verified.
 */
enum {
	PASSWORD_MAX = 511, /* CRYPT_MAX_PASSPHRASE_SIZE with its NUL */
	/*
	 * Of SCRAM, on which a stolen database is as strong as it is on the
	 * hash: some 50 ms for the client, once.  Not configurable: who has
	 * none must look like who has.
	 */
	PASSWORD_ITERATIONS = 50000
};

/*
 * A new hash with a random salt; -1 and errno on failure.  cost: yescrypt's,
 * 1 to 11 (crypt(5)); each step takes about twice the time.
 */
int password_hash(
    const char *password, unsigned cost, char out[ENTRY_HASH_MAX + 1]);

/*
 * Takes as long as the hash is expensive.  With "" (no hash, no such user) as
 * long as a new hash of this cost would, and is false; with a hash of another
 * kind than ours as long as both, unless it is true.
 */
bool password_verify(const char *password, unsigned cost, const char *hash);

/* Is the hash of another method, or cheaper than that? */
bool password_is_weak(const char *hash, unsigned cost);

/*
 * The SCRAM verifier of the password with this salt, as entries keep it; ""
 * when the password is none for SCRAM (common/saslprep.h).
 */
void password_scram(const char *password,
    const unsigned char salt[SCRAM_SALT], char out[ENTRY_SCRAM_MAX + 1]);

/* Can crypt(3) verify this?  NULL, or why not. */
const char *password_check_hash(const char *hash);

/* Can it be a password?  NULL, or why not. */
const char *password_check(const char *password);

#endif
