/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_OVERRUN_H
#define QUEUE_OVERRUN_H

#include <stdbool.h>

#include "queue/budgets.h"
#include "queue/envelope.h"

/*
 * A login has sent more than it may (queue/budgets.h): this message is held,
 * a rule holds what comes behind it, and the postmaster is told, once a rule.
 */

/* At start, with the rules read: tell of those of which he was not told. */
void overrun_begin(void);

/*
 * The message is about to be committed; app: the app password that its login
 * came in with, or NULL.  False: it cannot be held, and must not go out.
 */
bool overrun_hold(struct envelope *, const char *id, const char *app,
    const struct overrun *);

#endif
