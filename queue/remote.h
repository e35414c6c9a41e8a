/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_REMOTE_H
#define QUEUE_REMOTE_H

#include <stddef.h>

#include "queue/attempt.h"

/*
 * Deliveries by deliver: each of its workers says when it is ready and gets
 * one job, which is one message for its recipients at one domain.  Jobs wait
 * in a queue of their domain; domains take turns, and none has more than
 * REMOTE_JOBS running, so that a dead one cannot hold all workers.
 */
enum {
	REMOTE_JOBS = 20,	/* of one domain at a time */
	REMOTE_RECIPIENTS = 100 /* of one job (RFC 5321 section 4.5.3.1.8) */
};

/* A worker connected; fd becomes ours. */
void remote_worker(int fd);

/*
 * These recipients, all at this domain.  attempt_result() gets each answer,
 * without memory from within.
 */
void remote_deliver(
    struct attempt *, const char *domain, const size_t *indices, size_t n);

#endif
