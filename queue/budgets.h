/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_BUDGETS_H
#define QUEUE_BUDGETS_H

#include <stdint.h>

#include "queue/envelope.h"

/*
 * What a login may send: ledger counts it, and is asked about each message
 * of one before that is committed.  (What memory envelopes may take is
 * queue/budget.h.)
 *
 * A question is answered exactly once, perhaps from within, and within
 * BUDGETS_MS: where ledger is away nothing is counted, and mail goes out.
 */
enum { BUDGETS_MS = 2000 };

enum overrun_kind {
	OVERRUN_NONE,
	OVERRUN_MESSAGES,
	OVERRUN_RECIPIENTS,
	OVERRUN_NEW_RECIPIENTS
};

struct overrun {
	enum overrun_kind kind;
	uint64_t count, limit;
};

/* The keyword that it is about: "login-messages". */
const char *overrun_name(enum overrun_kind);

/* "messages", "recipients", "new recipients" */
const char *overrun_words(enum overrun_kind);

typedef void budgets_answered(void *asker, const struct overrun *);

/*
 * Count this message of its login.  limits: the login's own (protocol.h);
 * "": none.
 */
void budgets_ask(const struct envelope *, const char *limits,
    budgets_answered *, void *asker);

#endif
