/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_ATTEMPT_STEPS_H
#define QUEUE_ATTEMPT_STEPS_H

#include "common/verdict.h"
#include "queue/attempt.h"

/* What queue/attempt.c and queue/routing.c have of each other. */

/* -- queue/attempt.c -- */

/* Room for the work of every recipient there is; false without memory. */
bool attempt_room(struct attempt *);

/* So much more stands in memory for it (queue/budget.h). */
void attempt_weigh(struct attempt *, size_t octets);

/* A recipient's outcome, without ending the attempt. */
void attempt_settle(struct attempt *, size_t index, const struct result *);
void attempt_settle_verdict(
    struct attempt *, size_t index, enum verdict, bool trouble);

/* Not tried: its destination takes nothing now. */
void attempt_park(struct attempt *, size_t index);

/* When nothing is out any more, it ends. */
void attempt_step(struct attempt *);

/* -- queue/routing.c -- */

/* Ask where a recipient leads; its answer, perhaps from within. */
void attempt_ask(struct attempt *, size_t index);
void attempt_routed(void *attempt, size_t index, struct route *);

/* All are routed (queue/rewrite.h): those outside go out, by domain. */
void attempt_deliver_remote(struct attempt *);

#endif
