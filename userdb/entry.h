/* SPDX-License-Identifier: ISC */
#ifndef USERDB_ENTRY_H
#define USERDB_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/buf.h"
#include "common/cursor.h"
#include "common/fs.h"
#include "common/protocol.h"
#include "userdb/store.h"

/*
 * What the user database holds, one entry each: a domain, a user, one target
 * of an alias, one of a user's app passwords, an address or domain that he may
 * send as besides his own, a note of its own.  As key and value in the store:
 *
 *	d/example.org			domain
 *	u/example.org/alice		user
 *	a/example.org/info NUL target	alias; "a/example.org/" catches all
 *	p/example.org/alice NUL phone	app password
 *	g/example.org/alice NUL target	grant; target "@example.net": all of it
 *	m/postmaster			note
 *
 * A value is lines "name value", type and version first, a sum over key and
 * value last, so that what the disk garbled is noticed.
 *
 * And as a line of text, for export, import and people:
 *
 *	domain example.org
 *	user alice@example.org hash=$y$... created=1763690000
 *	user bob@example.org hash=$y$... login-messages=5000/1d
 *	alias info@example.org alice@example.org
 *	app alice@example.org phone digest=2c26b46b... used=1763700000
 *	grant alice@example.org @example.net
 *	postmaster alice@example.org
 */
enum entry_type {
	ENTRY_DOMAIN,
	ENTRY_USER,
	ENTRY_ALIAS,
	ENTRY_APP,
	ENTRY_GRANT,
	ENTRY_NOTE
};

enum {
	ENTRY_HASH_MAX = 383,
	ENTRY_SYSTEM_MAX = 64,
	ENTRY_SCRAM_MAX = 256,
	ENTRY_SECRET_MAX = 684, /* 511 octets in base64 */
	ENTRY_DIGEST_MAX = 64,	/* SHA-256 in hexadecimal digits */
	ENTRY_APP_MAX = 64,
	GRANTS_MAX = 500, /* of a user */
	ENTRY_LIMIT_MAX = 23, /* NUMBER/DURATION */
	ENTRY_LINE_MAX = 2048
};

/*
 * What a user may have of his own where the config has something for all:
 * named as its keywords are.
 */
enum limit {
	LIMIT_LOGIN_MESSAGES,
	LIMIT_LOGIN_RECIPIENTS,
	LIMIT_LOGIN_NEW_RECIPIENTS,
	LIMIT_MAILBOX_MESSAGES,
	LIMITS
};

const char *limit_name(enum limit);
bool limit_named(const char *name, enum limit *);

struct entry {
	enum entry_type type;
	/*
	 * Domain: no local part.  User, alias: in lower case; an alias
	 * without a local part catches all.  Note: its name as local part.
	 */
	struct address name;
	/*
	 * An alias's target, a note's text, an app password's name, what is
	 * granted.
	 */
	char target[PROTOCOL_ADDRESS_MAX + 1];
	/* of a user: */
	char hash[ENTRY_HASH_MAX + 1];	   /* crypt(5); "": no password */
	char scram[ENTRY_SCRAM_MAX + 1];   /* common/scram.h; "": none */
	char secret[ENTRY_SECRET_MAX + 1]; /* the password; "": not kept */
	char system[ENTRY_SYSTEM_MAX + 1]; /* login name; "": virtual user */
	bool disabled;
	char limits[LIMITS][ENTRY_LIMIT_MAX + 1]; /* "": the config's */
	/* of an app password: */
	char digest[ENTRY_DIGEST_MAX + 1];
	uint64_t used; /* unix seconds, to the hour; 0: never */
	/* of any: */
	uint64_t created, changed; /* unix seconds */
	/*
	 * The import that brought it, see directory.h; "": none.
	 */
	char batch[FS_ID_SIZE];
};

struct entry_key {
	size_t n;
	char octets[STORE_KEY_MAX];
};

/* False when it does not fit. */
bool entry_key(const struct entry *, struct entry_key *);

/* What the keys of all entries of a type, and more exactly of this domain
 * (NULL: any) and local part (NULL: any), begin with. */
void entry_prefix(enum entry_type, const char *domain, const char *local,
    struct entry_key *);

static inline struct span
entry_key_span(const struct entry_key *key)
{
	return (struct span){key->octets, key->n};
}

/* Does the key begin with this prefix? */
bool entry_has_prefix(struct span key, const struct entry_key *prefix);

/* False when the value does not fit STORE_VALUE_MAX. */
bool entry_value(const struct entry *, struct buf *);

/* From the store; false for what this release did not write so. */
bool entry_read(struct span key, struct span value, struct entry *);

/* Only the key; the rest is empty. */
bool entry_read_key(struct span key, struct entry *);

/* As a line, without its end. */
void entry_format(const struct entry *, struct buf *line);

/* Can an app password have this name?  NULL, or why not. */
const char *entry_check_app(const char *name);

/*
 * What is granted, in lower case: an address, or "@domain" for all of a
 * domain.  NULL, or what is wrong with it.
 */
const char *entry_set_grant(struct entry *, const char *text);

/* From a line: NULL, or what is wrong with it. */
const char *entry_parse(const char *line, struct entry *);

#endif
