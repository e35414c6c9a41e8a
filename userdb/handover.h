/* SPDX-License-Identifier: ISC */
#ifndef USERDB_HANDOVER_H
#define USERDB_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/protocol.h"

/*
 * A login that was right: its end of a socket pair goes on to the owner who
 * serves it from there, over a connection that is kept.  Nobody waits: who
 * does not take it within some seconds has it refused.
 */
enum handover_to { TO_QUEUE, TO_MAILBOX };

struct handover {
	enum handover_to to;
	int end; /* the caller's to close, after done() */
	char user[PROTOCOL_ADDRESS_MAX + 1]; /* canonical address */
	char system[PROTOCOL_NAME_MAX + 1];  /* login name, "" virtual */
	char app[PROTOCOL_NAME_MAX + 1];     /* its app password, "" none */
	bool junk; /* mailbox serves the folder Junk, not the inbox */
	void (*done)(struct handover *, bool taken);
	/* private: */
	struct handover *next;
	int64_t deadline;
};

/* done() is called, perhaps at once. */
void handover_pass(struct handover *);

/* Forget it: done() will not be called. */
void handover_withdraw(struct handover *);

#endif
