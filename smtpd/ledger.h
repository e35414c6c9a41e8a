/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LEDGER_H
#define SMTPD_LEDGER_H

#include <stdbool.h>

#include "common/ipc.h"

/*
 * The process's connection to ledger (common/protocol.h), made when it is
 * needed and kept.  What ledger is told and asked may be forgotten: where it
 * is not there, or slow, mail goes on without, the log says so once, and it
 * is tried again ten seconds later.
 */

/* Never waits. */
void ledger_tell(const struct packet *);

/*
 * A question, and its answer into the same packet, within a second.  False:
 * there is none.
 */
bool ledger_ask(struct packet *);

/* The answer to the last question was malformed. */
void ledger_drop(void);

#endif
