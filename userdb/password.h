/* SPDX-License-Identifier: ISC */
#ifndef USERDB_PASSWORD_H
#define USERDB_PASSWORD_H

#include <stdbool.h>

#include "userdb/entry.h"

/*
 * Passwords and their hashes, by crypt(3).  New hashes are yescrypt; any
 * that crypt(5) knows are verified.
 */
enum { PASSWORD_MAX = 511 }; /* CRYPT_MAX_PASSPHRASE_SIZE with its NUL */

/* A new hash with a random salt; -1 and errno on failure. */
int password_hash(const char *password, char out[ENTRY_HASH_MAX + 1]);

/*
 * Takes as long as the hash is expensive.  With "" (no hash, no such user) as
 * long as a new hash would, and is false.
 */
bool password_verify(const char *password, const char *hash);

/* Can crypt(3) verify this?  NULL, or why not. */
const char *password_check_hash(const char *hash);

/* Can it be a password?  NULL, or why not. */
const char *password_check(const char *password);

#endif
