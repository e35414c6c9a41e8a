/* SPDX-License-Identifier: ISC */
#ifndef USERDB_RESOLVE_H
#define USERDB_RESOLVE_H

#include "common/verdict.h"
#include "userdb/directory.h"

/*
 * Where an address leads.  In this order, within our domains:
 *
 *	the user of that name; one who was added as a user of the system is
 *	refused while his account, uid or home is not fit for mail
 *	the alias of that name
 *	either of them without its +detail
 *	with system-users, a user of the system, in the first domain
 *	postmaster (RFC 5321 section 4.5.1), and what falls to him: root,
 *	abuse, hostmaster, mailer-daemon (RFC 2142)
 *	the alias that catches all of the domain
 *
 * The host's own name counts as one of our domains: what has no entry there
 * is looked up in the first domain.
 */
enum resolved {
	RESOLVED_MAILBOX, /* target: canonical address of a virtual user */
	RESOLVED_SYSTEM,  /* target: login name of a system user */
	RESOLVED_ALIAS,	  /* alias: its name; see resolve_targets() */
	RESOLVED_FORWARD, /* target: one address */
	RESOLVED_REMOTE,  /* target: the domain */
	RESOLVED_NOT	  /* verdict says why: permanent or not */
};

struct resolution {
	enum resolved kind;
	enum verdict verdict;
	char target[PROTOCOL_ADDRESS_MAX + 1];
	struct address alias;
	/* of a mailbox: its user's own mailbox-messages, "" the config's */
	char limit[ENTRY_LIMIT_MAX + 1];
};

/*
 * Is an address ours?  FOUND: its domain is then as the database has it,
 * which for none and for the host's own name may be the first one.
 */
enum found resolve_place(struct directory *, struct address *);

/* One step.  What leads reports back (rewrite.h) leads nowhere here. */
void resolve(struct directory *, const char *address, struct resolution *);

/* The addresses behind an alias or forward, in order, until false. */
enum found resolve_targets(struct directory *, const struct resolution *,
    bool (*found)(const char *address, void *context), void *context);

/*
 * All the way.  RECIPIENT_OK when mail can be taken for the address;
 * RELAY_DENIED when it is not ours; LOOP when aliases behind it go round in
 * circles or on for too long, even if others of them do not; the verdict of
 * one of its targets when none leads anywhere.
 */
enum verdict resolve_check(struct directory *, const char *address);

/*
 * The one mailbox that the address leads to, through as many aliases as
 * there are; false: none, several, or nobody can tell now.  target: its
 * canonical address, or of a user of the system his login name.
 */
bool resolve_mailbox(
    struct directory *, const char *address, struct resolution *);

/*
 * Does this target of an alias, which it has already, come back to it, or
 * else go round in circles or on for too long?
 */
enum found resolve_loops(
    struct directory *, const struct address *alias, const char *target);

/*
 * May this login (a canonical address) send as that address?  What leads to
 * him: his own address with and without +detail, and aliases; and what the
 * postmaster has granted him, an address with and without +detail or a whole
 * domain, of ours or not.
 */
enum verdict resolve_sender(
    struct directory *, const char *login, const char *address);

/* The canonical form of a login name: "alice" is of the first domain. */
enum found resolve_login(
    struct directory *, const char *login, struct address *);

enum { RESOLVE_DEPTH_MAX = 20, RESOLVE_NODES_MAX = 4096, ALIAS_TARGETS_MAX = 500 };

#endif
