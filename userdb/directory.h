/* SPDX-License-Identifier: ISC */
#ifndef USERDB_DIRECTORY_H
#define USERDB_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/config.h"
#include "userdb/entry.h"
#include "userdb/store.h"

/*
 * Domains, users and aliases: those of the store and those of the config
 * taken together.
 *
 * An import becomes visible at once, however many transactions it took: its
 * entries bear the name of their batch, and as long as the note "import"
 * says that this batch is under way they are not there.  Whoever ends it
 * deletes the note (it is done), or the entries and then the note (undone).
 */
enum { DIRECTORY_SECRET = 64 };

struct directory {
	struct store *store;
	const struct config *config;
	char pending[FS_ID_SIZE]; /* the batch under way, "" none */
	bool importing;		  /* it is this batch that looks */
	char secret[DIRECTORY_SECRET + 1]; /* salt.h's */
	char srs_key[DIRECTORY_SECRET + 1]; /* rewrite.h's */
};

enum found { FOUND, ABSENT, FAILED };

/* Reads the note "import".  The store and the config stay the caller's. */
enum found directory_begin(
    struct directory *, struct store *, const struct config *);

/* -- looking -- */

/* By type, name and (of an alias) target; the whole entry is filled in. */
enum found directory_get(struct directory *, struct entry *);

/* A user by his exact name. */
enum found directory_user(
    struct directory *, const struct address *, struct entry *);

/* Has the alias any target? */
enum found directory_alias(struct directory *, const struct address *);

/* FOUND when mail for the domain is ours. */
enum found directory_domain(struct directory *, const char *domain);

/* The domain that bare names are of; "" when there is none. */
enum found directory_first_domain(
    struct directory *, char out[ADDRESS_DOMAIN_MAX + 1]);

/* A note's text (PROTOCOL_ADDRESS_MAX + 1 octets). */
enum found directory_note(struct directory *, const char *name, char *out);

/*
 * Every visible entry whose key begins with prefix, from a key on (NULL: the
 * first), until found() returns false.  Those that cannot be read are
 * logged and left out; FAILED tells that there were such, FOUND and ABSENT
 * whether there was any other.
 */
enum found directory_each(struct directory *, const struct entry_key *prefix,
    const struct entry_key *from,
    bool (*found)(const struct entry *, void *context), void *context);

/* The targets of an alias. */
enum found directory_targets(struct directory *, const struct address *alias,
    bool (*found)(const struct entry *, void *context), void *context);

/* A user's app passwords. */
enum found directory_apps(struct directory *, const struct address *user,
    bool (*found)(const struct entry *, void *context), void *context);

/* What a user may send as besides his own addresses. */
enum found directory_grants(struct directory *, const struct address *user,
    bool (*found)(const struct entry *, void *context), void *context);

/* -- changing -- */

enum store_result directory_put(struct directory *, const struct entry *);
enum store_result directory_delete(struct directory *, const struct entry *);
enum store_result directory_set_note(
    struct directory *, const char *name, const char *text); /* NULL: delete */

#endif
