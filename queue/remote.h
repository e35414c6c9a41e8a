/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_REMOTE_H
#define QUEUE_REMOTE_H

#include <stddef.h>

#include "queue/attempt.h"

/*
 * Deliveries by deliver: each of its workers says when it is ready and gets
 * one job, which is one message for its recipients at one domain.  Jobs wait
 * for a worker in a queue of their destination, few of them; destinations
 * take turns (queue/destination.h).  A worker gets the next job of the
 * destination that it has just served, when there is one and its turn: a
 * session there may still be open.
 */
enum { REMOTE_RECIPIENTS = 100 /* of a job (RFC 5321 section 4.5.3.1.8) */ };

/* A worker connected; fd becomes ours. */
void remote_worker(int fd);

enum remote_answer {
	REMOTE_TAKEN,  /* attempt_result() or attempt_withdrawn() for each */
	REMOTE_CLOSED, /* its destination takes nothing now */
	REMOTE_NO_MEMORY
};

/*
 * These recipients, all at this domain (NULL: no memory).  alone: the message
 * goes nowhere else, and must not pass by those that are parked there.
 */
enum remote_answer remote_deliver(struct attempt *, struct domain *domain,
    const size_t *indices, size_t n, bool alone);

#endif
