/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_BOUNCE_H
#define QUEUE_BOUNCE_H

#include "queue/attempt.h"

/*
 * Reports to senders (RFC 3464).  They are written by a process of their
 * own, confined and without any right to the spool: it reads a stranger's
 * header and waits for the disk, and the queue does neither.  It hands its
 * report in as any client would, and only when that is committed and synced
 * does the failed recipient count as bounced.  A death between the two makes
 * the sender hear of it twice, never not at all.
 *
 * queue and reporter, one at a time:
 *	-> report id= hostname= +fd +fd	content and envelope, read-only; it is
 *					about those recipients that failed
 *	<- reported id= verdict= report=
 *					ok: committed as report; else refused
 */
void bounce_begin(void); /* forks: before the sandbox, with the loop */

/* Answered by attempt_bounced(), from the loop. */
void bounce_ask(struct attempt *);

/* The reporter's life: its exit code.  queue: a connection to hand in. */
int reporter_run(int control, int queue_end);

#endif
