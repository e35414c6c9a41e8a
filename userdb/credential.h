/* SPDX-License-Identifier: ISC */
#ifndef USERDB_CREDENTIAL_H
#define USERDB_CREDENTIAL_H

#include "common/scram.h"
#include "common/verdict.h"
#include "userdb/cache.h"
#include "userdb/handover.h"
#include "userdb/login.h"
#include "userdb/pool.h"
#include "userdb/tally.h"

/* The client of a check that names none. */
#define LOGIN_LOCAL "local"

/*
 * A login under way.  login.c leads it from its request, by way of ledger,
 * its check, a second look at the user and the hand-over, to its answer; how
 * it is checked is the credential's affair, a file each.
 */
struct login {
	struct pool_job job;
	struct handover handover;
	struct tally tally;
	struct login *next;
	struct peer *peer;
	const struct credential *credential;
	int end; /* -1: only checked */
	bool tls, waiting; /* waiting: for a proof */
	char given[PROTOCOL_LOGIN_MAX + 1]; /* as it was typed */
	char whose[PROTOCOL_LOGIN_MAX + 1]; /* that, less a folder's name */
	char canonical[PROTOCOL_LOGIN_MAX + 1]; /* the same, for tallies */
	char client[PROTOCOL_NAME_MAX + 1];
	char mechanism[PROTOCOL_NAME_MAX + 1];
	bool exists; /* and is not disabled: then user is */
	struct entry user; /* as it was when the login began */
	char *secret; /* password or token, wiped */
	/* password.c's */
	struct cache_key key;
	struct entry app; /* its target "": the user's own password */
	char new_hash[ENTRY_HASH_MAX + 1], new_scram[ENTRY_SCRAM_MAX + 1];
	/* scram.c's */
	struct scram_verifier verifier;
	bool verifier_is_real;
	char nonce[SCRAM_NONCE_TEXT + 1];
	char *first, *final, *proof;
	char signature[SCRAM_KEY_TEXT + 1];
	/* digest.c's */
	char *challenge, *response;
	bool apop;
	/* token.c's */
	bool lacks_scope;
};

struct credential {
	/* Ends in login_settle() or login_later(), now or afterwards. */
	void (*check)(struct login *);
	/* It was right: is it still, for the user as he is now? */
	bool (*stands)(const struct login *, const struct entry *user);
	/* The login is good: what is to be remembered (may be NULL). */
	void (*remember)(struct login *, struct entry *user);
	/* Add to the answer (may be NULL). */
	void (*answer)(const struct login *, bool good, struct packet *);
};

extern const struct credential credential_password, credential_token,
    credential_digest, credential_scram;

/* The directory that login_begin() was given. */
struct directory *login_directory(void);

/*
 * What every request has: mechanism and user may be NULL.  Looks the user up.
 * The end is the login's.  NULL when there is no memory, and the end closed.
 */
struct login *login_new(struct peer *, const struct credential *,
    const char *user, const char *client, const char *mechanism, int end);

/* The user that a login turns out to be of. */
enum found login_name(struct login *, const char *user);

/* The user that was given, and the folder. */
enum found login_find(struct login *);

/* Ask ledger, then the credential. */
void login_go(struct login *);

/* The end of a check: right, or the reason why not; nobody can tell now. */
void login_settle(struct login *, bool right, const char *reason);
void login_later(struct login *, const char *reason);

/* Over without an answer. */
void login_forget(struct login *);

/* The peer's login that waits for a proof; NULL: there is none. */
struct login *login_waiting(const struct peer *);

/* A change of this entry, soon on stable storage. */
void login_store(const struct entry *);

/* Free a string after wiping it. */
void login_wipe(char *);

#endif
