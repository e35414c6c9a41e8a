/* SPDX-License-Identifier: ISC */
#ifndef USERDB_TALLY_H
#define USERDB_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/protocol.h"

/*
 * ledger, which counts failed logins, is asked before a credential is looked
 * at and told what became of it.  Without it, or when it does not answer
 * within two seconds, logins go on uncounted.
 */
enum tally_result { TALLY_GOOD, TALLY_WRONG, TALLY_UNKNOWN };

struct tally {
	const char *client, *user; /* the caller's, until done() */
	void (*done)(struct tally *, bool allowed);
	/* private: */
	struct tally *next;
	uint64_t serial;
	int64_t deadline;
};

void tally_begin(void);

/* done() is called, perhaps at once. */
void tally_ask(struct tally *);

/* Forget it: done() will not be called.  Right for one never asked. */
void tally_withdraw(struct tally *);

void tally_tell(
    const char *client, const char *user, enum tally_result result);

#endif
