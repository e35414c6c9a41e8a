/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_LOCAL_H
#define QUEUE_LOCAL_H

#include <stddef.h>

#include "queue/attempt.h"

/*
 * Deliveries by mailbox: a few connections for all virtual users, one for
 * each system user with mail on its way, many deliveries outstanding on each.
 * The recipient's work says where to; attempt_result() gets the answer,
 * perhaps from within.
 */
void local_deliver(struct attempt *, size_t index);

/*
 * Whose content is open already, until the same is said of NULL: a delivery
 * that goes out before that need not open it by its name.
 */
void local_at_hand(const struct message *, int content);

#endif
