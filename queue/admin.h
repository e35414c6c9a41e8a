/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_ADMIN_H
#define QUEUE_ADMIN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/peer.h"

/*
 * What postrider-queue may ask on role-admin, one request at a time; and of
 * that, on role-public, anybody: list.
 *
 *	-> list
 *	<- message id= time= size= sender= login= uid= state= attempts= next=
 *	   recipients= pending= reason=
 *				the oldest first.  time, next: unix seconds
 *				(next 0: now); login "" and uid 4294967295:
 *				none; state incoming|active|waiting; recipients
 *				as the sender gave them; pending: those that
 *				wait; reason: the last outcome of one of them
 *	<- end count=
 *	   On role-public: one's own, by uid; everything for root and for the
 *	   user that the suite runs as; and behind each message a recipient
 *	   packet as below for each of the first LISTED_RECIPIENTS who wait.
 *	-> show id=
 *	<- message ...		as above
 *	<- recipient index= address= parent= status= dsn= when= relay= text=
 *				each; status waiting|delivered|failed|bounced|
 *				alias; parent: index of the alias it is from,
 *				its own when from none
 *	<- end count=
 *	-> cat id=
 *	<- content +fd		read-only
 *	-> flush [id=]		what waits is tried now
 *	<- flushed count=
 *	-> delete id=		no report to anybody; one that is being tried
 *				goes when that has ended
 *	<- deleted count=
 *	For an id that is not here
 *	<- unknown id=
 */
struct listing;

enum { LISTED_RECIPIENTS = 100 };

/* A connection on role-admin; fd becomes ours. */
void admin_begin(int fd);

/*
 * Send the list, as fast as the peer reads it: only that uid's, or -1 for
 * all, with the recipients or without.  Takes the peer's drained() for itself;
 * clears *where at its end.
 */
struct listing *listing_begin(
    struct peer *, int64_t uid, bool recipients, struct listing **where);
void listing_free(struct listing *);

#endif
