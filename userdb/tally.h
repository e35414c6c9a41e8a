/* SPDX-License-Identifier: ISC */
#ifndef USERDB_TALLY_H
#define USERDB_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/protocol.h"

/*
 * ledger, which counts failed logins, is asked before a credential is looked
 * at and told what became of it.  Without it, or when it does not answer
 * within two seconds, logins go on uncounted.  It may answer that others from
 * there have to end first; then it has half a minute.
 */
enum tally_result { TALLY_GOOD, TALLY_WRONG, TALLY_UNKNOWN };

struct tally {
	const char *client, *user; /* the caller's, until it is told */
	void (*done)(struct tally *, bool allowed);
	/* private: */
	struct tally *next;
	uint64_t serial; /* 0: ledger knows nothing of it */
	int64_t deadline;
};

void tally_begin(void);

/* done() is called, perhaps at once. */
void tally_ask(struct tally *);

/* What became of it: once, where it was asked and allowed. */
void tally_tell(struct tally *, enum tally_result);

/*
 * Forget it: done() will not be called, and where nothing was told nothing
 * became of it.  Right for one never asked.
 */
void tally_withdraw(struct tally *);

#endif
