/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_TALLIES_H
#define SMTPD_TALLIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/verdict.h"

/*
 * What ledger counts of strangers (common/protocol.h).  Without an answer
 * from it nobody is over a limit, and nobody is known.
 */
enum { TALLIES_WHAT_MAX = 32 };

struct tallies_rate {
	enum verdict verdict;            /* RECIPIENT_OK, or what is exceeded */
	char what[TALLIES_WHAT_MAX + 1]; /* the keyword; "": none */
	uint64_t wait;                   /* seconds */
};

/* Where a message goes; owned. */
struct tallies_mailboxes {
	size_t n, room;
	struct tallies_mailbox {
		char *name, *limit; /* limit: NULL: the config's */
	} * items;
};

struct session;

/*
 * May the client name another recipient?  Counts it.  address: of the one
 * that was looked up last, NULL: there is no such.
 */
void tallies_recipient(
    struct session *, const char *address, struct tallies_rate *);

/* It was accepted: the message counts for its mailbox, once it is taken. */
void tallies_accepted(struct session *, const char *address);
void tallies_forget(struct tallies_mailboxes *);

/*
 * Has that sender to that recipient, from behind the key, to wait?  The
 * seconds; 0: no.
 */
uint64_t tallies_grey(struct session *, const char *key, const char *recipient);

/* Was mail taken from the client, or behind the key (NULL: none), lately? */
bool tallies_known(struct session *, const char *key);

/* For how many seconds smtp-gate will not let it in for what it did; 0. */
uint64_t tallies_grudge(struct session *);

enum tallies_result {
	TALLIES_TAKEN,
	TALLIES_JUNK,
	TALLIES_REFUSED,
	TALLIES_UNKNOWN /* a recipient */
};

/* What became of a message or a recipient; key: NULL: none. */
void tallies_ended(struct session *, const char *key, enum tallies_result);

/* It talked before the greeting, sent garbage; what: a word of a-z and "-". */
void tallies_offence(struct session *, const char *what);

#endif
