/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_BOUNCE_H
#define QUEUE_BOUNCE_H

#include "queue/attempt.h"

/*
 * Reports to senders (RFC 3464).  They are written by a process of their
 * own, confined and without any right to the spool: it reads a stranger's
 * header and waits for the disk, and the queue does neither.  It hands its
 * report in as any client would, and only when that is committed and synced
 * does the recipient count as bounced, or told, or warned.  A death between the
 *two makes the sender hear of it twice, never not at all.
 *
 * queue and reporter, one at a time:
 *	-> report id= kind= hostname= to= [copy=] limit= expires= final=
 *	   +fd +fd			content and envelope, read-only; kind
 *					failure|success|delay; to: whom; copy:
 *					who gets one, too; limit: octets of a
 *					message that is returned whole;
 *					expires: until when it is tried, unix
 *					seconds; final 1: it is a copy itself
 *	<- reported id= verdict= report=
 *					ok: committed as report; else refused
 *	-> notice hostname= login= reason= since= most= [id=] [client=]
 *	   [sender=] [app=]		to the postmaster (queue/notice.h)
 *	<- reported id= verdict= report=
 *					id: "notice"
 */
void bounce_begin(void); /* forks: before the sandbox, with the loop */

/* A report, as a->report says.  attempt_told() answers, from the loop. */
void bounce_ask(struct attempt *);

/*
 * The postmaster is to hear that a login's mail is held.  Lives until told()
 * is called, from the loop.
 */
struct bounce_notice {
	char *login, *reason; /* the caller's, like all text here */
	char id[FS_ID_SIZE];  /* of the message that was too much; "" */
	char *client, *sender, *app; /* NULL: not known */
	int64_t since;               /* unix seconds */
	void (*told)(struct bounce_notice *, enum bounce_answer,
	    const char *report);
};

void bounce_notify(struct bounce_notice *);

/*
 * The protocol= of what the reporter hands in: a report to a sender, and what
 * only the postmaster gets.
 */
#define PROTOCOL_OF_REPORTS "report"
#define PROTOCOL_OF_COPIES  "copy of a report"
#define PROTOCOL_OF_NOTICES "notice"

/* The reporter's life: its exit code.  queue: a connection to hand in. */
int reporter_run(int control, int queue_end);

#endif
