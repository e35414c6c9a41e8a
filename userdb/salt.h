/* SPDX-License-Identifier: ISC */
#ifndef USERDB_SALT_H
#define USERDB_SALT_H

#include "common/scram.h"
#include "userdb/directory.h"

/*
 * Salts of SCRAM.  A server tells the salt to whoever asks, before any
 * proof.  So that this tells nobody who exists, a login's salt is the same
 * whether he does, whether he has a verifier, and whatever his password is:
 * a keyed digest of his name, under a secret that the database keeps.
 */
/* Read the secret, or make it where there is none. */
enum found salt_begin(struct directory *);

/* Of the login as it was given; salt_begin() has succeeded. */
bool salt_of(struct directory *, const char *login,
    unsigned char salt[SCRAM_SALT]);

/*
 * What the server says to such a login's SCRAM: his verifier, or for who has
 * none one that nothing matches.  real tells which it is.
 */
bool salt_verifier(struct directory *, const char *login,
    const struct entry *user, struct scram_verifier *, bool *real);

#endif
