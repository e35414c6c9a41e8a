/* SPDX-License-Identifier: ISC */
#ifndef USERDB_ADMIN_H
#define USERDB_ADMIN_H

#include <stdint.h>

#include "common/ipc.h"
#include "userdb/directory.h"

/*
 * What the postmaster may ask for: the requests of role-admin in
 * common/protocol.h, one packet answered by one packet.  userdb answers with
 * it over the socket, postrider-user by itself while userdb does not run.
 */
struct admin {
	struct directory *directory;
	uint64_t changes; /* counted, from a random start */
	/* the import under way; see import.c */
	const void *importer; /* whose it is; NULL: none */
	int64_t touched;      /* monotonic: when he was last heard of */
	uint64_t entries;
	char postmaster[PROTOCOL_ADDRESS_MAX + 1];
	/* An import that was not ended is being undone: how far. */
	bool sweeping;
	enum entry_type sweep_type;
	struct entry_key sweep_from;
};

void admin_begin(struct admin *, struct directory *);

/*
 * who: the connection that it came from.  False for what is no request;
 * there is no answer then.
 */
bool admin_answer(struct admin *, const void *who,
    const struct packet *request, struct packet *answer);

/* This connection is gone; an import of its is undone. */
void admin_gone(struct admin *, const void *who);

/*
 * Undo a bounded part of an import that was not ended, if there is one.  True
 * while there is more to do.
 */
bool admin_sweep(struct admin *);

/* -- among admin.c, users.c, apps.c, grants.c, aliases.c, import.c -- */

/* Make the answer "failed"; true for the caller to return. */
bool admin_fail(struct packet *answer, int exit_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool admin_fail_store(struct packet *answer, enum store_result);
bool admin_fail_lookup(struct packet *answer);
/* The end of a change: of its transaction, and of its answer. */
bool admin_finish(struct admin *, enum store_result, struct packet *answer);
/* Add a note to the answer "done". */
void admin_note(struct packet *answer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* May this entry be added?  NULL, or why not; at most max octets of it. */
bool admin_may_add(struct directory *, struct entry *, char *why, size_t max);

/* Let this user be the postmaster if there is none. */
enum store_result admin_appoint(
    struct directory *, const char *user, bool *appointed);

bool admin_user_add(struct admin *, const struct packet *, struct packet *);
bool admin_user_set(struct admin *, const struct packet *, struct packet *);
bool admin_user_limit(struct admin *, const struct packet *, struct packet *);
bool admin_user_del(struct admin *, const struct packet *, struct packet *);
bool admin_user_find(struct admin *, const struct packet *, struct packet *);
bool admin_app_add(struct admin *, const struct packet *, struct packet *);
bool admin_app_del(struct admin *, const struct packet *, struct packet *);
bool admin_grant_add(struct admin *, const struct packet *, struct packet *);
bool admin_grant_del(struct admin *, const struct packet *, struct packet *);
bool admin_may_grant(
    struct directory *, const struct entry *, char *why, size_t max);
bool admin_salt(struct admin *, const struct packet *, struct packet *);
/* The user that a request is about; false with the reason in the answer. */
bool admin_find_user(
    struct admin *, const char *text, struct entry *, struct packet *answer);
/* All of a user's; within a transaction. */
enum store_result admin_delete_apps(
    struct directory *, const struct entry *user);
enum store_result admin_delete_grants(
    struct directory *, const struct address *user);
/* What beside the hash is of the password: NULL, or what is wrong with it. */
const char *admin_check_password(const struct entry *);
bool admin_alias_add(struct admin *, const struct packet *, struct packet *);
bool admin_alias_del(struct admin *, const struct packet *, struct packet *);
bool import_begin(struct admin *, const void *who, struct packet *answer);
bool import_lines(struct admin *, const void *who, const struct packet *,
    struct packet *answer);
bool import_end(struct admin *, const void *who, struct packet *answer);
void import_undo(struct admin *);
/* Another's import is in the way: why not, in the answer. */
bool import_blocks(struct admin *, const void *who, struct packet *answer);

#endif
