/* SPDX-License-Identifier: ISC */
#ifndef USERDB_REWRITE_H
#define USERDB_REWRITE_H

#include "userdb/directory.h"

/*
 * Senders of mail that our aliases send on to other hosts (srs.h), under the
 * key that the database keeps.
 */

/* Read the key, or make it where there is none. */
enum found rewrite_begin(struct directory *);

/*
 * The address under which mail of this sender leaves for an alias of that
 * domain (what is no domain of ours: the first one).  ABSENT: it stays as it
 * is, and *why is a static phrase, or NULL where that is nothing to speak of:
 * the sender is one of ours, or nobody.
 */
enum found rewrite_sender(struct directory *, const char *sender,
    const char *domain, char out[PROTOCOL_ADDRESS_MAX + 1], const char **why);

/*
 * Whom a report to that address is for; ABSENT: it is none that leads back.
 * Mail with a sender of its own has no business there: else an address that
 * has once been seen would be a relay to one person.
 */
enum found rewrite_back(struct directory *, const char *address,
    char out[PROTOCOL_ADDRESS_MAX + 1]);

#endif
