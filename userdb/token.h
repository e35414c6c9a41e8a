/* SPDX-License-Identifier: ISC */
#ifndef USERDB_TOKEN_H
#define USERDB_TOKEN_H

#include <stdint.h>

#include "common/protocol.h"
#include "userdb/key_set.h"

/*
 * A bearer token that is a signed JWT (RFC 7519, RFC 7515; what RFC 8725 asks
 * for): RS256 or ES256, by a key of the issuer's set, for us, valid now, with
 * the scopes that the postmaster wants.
 */
struct token_demand {
	const char *issuer;
	const char *audiences; /* words: one of them */
	const char *scopes;    /* words: all of them; "": none */
	const char *claim;     /* that names the user */
};

enum { TOKEN_LEEWAY_S = 60 }; /* clocks differ */

enum token_result {
	TOKEN_GOOD,
	TOKEN_KEY_MISSING, /* no such key in the set: a new one, perhaps */
	TOKEN_NO_SCOPE,
	TOKEN_BAD
};

/*
 * now: unix seconds.  GOOD: user has the claim; else *why has the reason, for
 * the log.
 */
enum token_result token_check(const char *token, const struct key_set *,
    const struct token_demand *, int64_t now,
    char user[PROTOCOL_LOGIN_MAX + 1], const char **why);

#endif
