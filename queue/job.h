/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_JOB_H
#define QUEUE_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ipc.h"
#include "common/peer.h"
#include "queue/attempt.h"

/*
 * One message for its recipients at one domain, as a worker of deliver gets
 * it (queue/remote.h).  Jobs wait in a queue of their destination; those
 * with any take turns.
 */
struct job {
	struct job *next;
	struct attempt *a; /* gone when all are answered */
	char id[FS_ID_SIZE];
	struct domain *domain;
	struct destination *destination; /* that counts it */
	int64_t started;
	unsigned era;   /* of routes */
	bool good, bad; /* heard of its host, and told */
	size_t n;
	struct {
		size_t index;
		bool answered;
	} recipients[];
};

/* Of the domain's destination, which there is.  NULL without memory. */
struct job *job_new(
    struct attempt *, struct domain *, const size_t *indices, size_t n);

/* -- turns -- */

void job_enqueue(struct job *);
struct job *job_dequeue(struct destination *); /* NULL: none */

/* The last of the round, if it has jobs and is not in it. */
void job_take_turn(struct destination *);

/*
 * The next of the round that may run, out of it; NULL: none, and *opens says
 * when one may by time alone.
 */
struct destination *job_next_turn(
    bool (*may_run)(const struct destination *, int64_t now), int64_t now,
    int64_t *opens);

/* -- its end -- */

/* One has left that stage: there is room again. */
void job_left(struct destination *, enum stage from);

/*
 * The job is over.  Recipients that nothing was said about may have the
 * message or not: the same again, soon.
 */
void job_end(struct job *, const char *why);

/* It will not be tried: of what is prepared, one, or all. */
void job_withdraw(struct destination *, struct job *);
void job_withdraw_all(struct destination *);

/* -- what is said about it (common/protocol.h) -- */

/* False: the content cannot be had, errno tells. */
bool job_send(const struct job *, struct peer *);

/* A "result"; false: malformed. */
bool job_result(struct job *, const struct packet *);

/* What became of its recipient i. */
void job_answer(struct job *, size_t i, const struct result *);

#endif
