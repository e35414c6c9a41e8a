/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_HOLD_H
#define QUEUE_HOLD_H

#include <stdbool.h>
#include <stddef.h>

#include "common/ipc.h"
#include "queue/envelope.h"
#include "queue/holds.h"
#include "queue/message.h"

/*
 * Mail that is not tried until it is released: by its own envelope, which
 * says so, or by a rule for its login, its sender or its Unix user, which
 * holds what is here and what comes.
 *
 * A message that is held by a rule alone has no word of that in its envelope:
 * whoever looks into one (at its commit, at start, before an attempt) asks
 * hold_reason().
 */

/* Read the rules; spool is open. */
void hold_begin(void);

/* Why such a message is held; NULL: it is not. */
const char *hold_reason(const struct envelope *);

/* Hold it from now on, whether it waits or not, and log why. */
void hold_message(struct message *, const char *id, const char *reason);

/* The same, if its envelope or a rule says so. */
bool hold_applies(struct message *, const struct envelope *);

/*
 * Make a rule, or give one another reason; end one.  It is in force at once.
 * A child process writes and syncs spool/holds, so that this one need not
 * wait; the wish (NULL: nobody waits) is then called back, from the loop.
 * Changes that come meanwhile share the next writing.
 */
struct hold_wish {
	struct hold_wish *next;
	unsigned long number; /* of the change that it waits for */
	/* why: NULL, or why the disk has it not; it is in force all the same,
	 * and tried again */
	void (*done)(struct hold_wish *, const char *why);
};

/* 0; -1 and errno: nothing changed (ENOSPC: too many rules). */
int hold_rule(
    enum hold_kind, const char *name, const char *reason, struct hold_wish *);
/* False: there was no such rule, and the wish is not called. */
bool hold_rule_end(enum hold_kind, const char *name, struct hold_wish *);

/* Other words for a rule as it is; 0, or -1 and errno. */
int hold_rule_reword(enum hold_kind, const char *name, const char *reason);

/* The wisher is gone. */
void hold_forget(struct hold_wish *);

const struct holds *hold_rules(void);

/* The rule that this login's mail is held by; NULL: none. */
const struct hold_rule *hold_login_rule(const char *login);

/* Some rule was made or ended since the start. */
bool hold_has_changed(void);

#endif
