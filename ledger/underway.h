/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_UNDERWAY_H
#define LEDGER_UNDERWAY_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "ledger/logins.h"

/*
 * Attempts whose outcome has not come.  Each may become a failure, so no more
 * may be under way than the limits have room for: what has failed and what is
 * under way stay below the limit together, for client, network and user, or
 * at a user's own client for that alone.  One more waits until there is room,
 * which many good logins at the same moment make quickly, or until so much
 * has failed that it is refused.
 *
 * An attempt that nothing is heard of is forgotten after UNDERWAY_S, one that
 * waits in vain is refused after UNDERWAY_WAIT_S.
 */
enum {
	UNDERWAY_S = 60,
	UNDERWAY_WAIT_S = 20,
	UNDERWAY_MAX = 8192 /* with those that wait; beyond: refused */
};

enum underway { UNDERWAY_GOES, UNDERWAY_WAITS, UNDERWAY_REFUSED };

/*
 * An attempt begins.  Who asks (a pointer that is only compared) and the
 * serial name it.  REFUSED: *wait is the seconds until it may be tried again.
 */
enum underway underway_begin(void *asker, uint64_t serial, const char *client,
    const char *user, time_t now, uint32_t *wait);

/* It is over: its outcome was counted, or none will come.  Right for any. */
void underway_end(void *asker, uint64_t serial);

/* Nothing will come of any of his. */
void underway_gone(void *asker);

/*
 * Forget what is too old, and decide about those that waited: call it when
 * something was over, and every second while it returns true: some wait.
 * decided() may not call back; wait 0: it goes.
 */
bool underway_decide(
    time_t now, void (*decided)(void *asker, uint64_t serial, uint32_t wait));

#endif
