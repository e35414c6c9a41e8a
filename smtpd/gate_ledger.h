/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_GATE_LEDGER_H
#define SMTPD_GATE_LEDGER_H

#include <stdbool.h>
#include <sys/socket.h>

/*
 * What ledger says about who comes.  It is asked without waiting; where it is
 * away, or slow, one goes on without it.  Whom it refuses is remembered here
 * for a few seconds, so that a flood does not ask each time.
 */
enum ledger_verdict {
	LEDGER_FINE,
	LEDGER_CLIENT_RATE,
	LEDGER_NETWORK_RATE,
	LEDGER_GRUDGE
};

struct guest;

/*
 * False: there is nothing to wait for.  Else guest_heard() comes, from the
 * loop, within two seconds.
 */
bool ledger_ask(struct guest *);

/* The guest has gone, or does not wait any more. */
void ledger_forget(struct guest *);

/* LEDGER_FINE also where it was not asked lately. */
enum ledger_verdict ledger_recalls(const struct sockaddr_storage *);

/* It talked before the greeting or sent garbage; what: a word. */
void ledger_tell(const struct sockaddr_storage *, const char *what);

#endif
