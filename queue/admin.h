/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_ADMIN_H
#define QUEUE_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/peer.h"

/*
 * What postrider-queue may ask on role-admin, one request at a time; and of
 * that, on role-public, anybody: list.  Whoever asks chooses among messages
 * himself, by what stands in their envelopes: queue hands out the index and
 * the folder, and then does what it is told by id.
 *
 * Looking.  states: incoming|active|ready|waiting|held; times are unix
 * seconds, next 0: now.
 *	-> index [id= ...]	all, or of these (up to ADMIN_IDS) those that
 *				are here
 *	<- folder +fd		spool/envelope, to read
 *	<- index m="ID STATE ATTEMPTS NEXT BORN" m=...
 *				as many as fit, in any order; one that was
 *				there all the time is named, others may be
 *	<- end count=
 *	-> attempt id=		of one that is being tried
 *	<- attempt seconds= routing= local= remote=
 *				since when, and how many recipients are with
 *				userdb, with mailbox, with deliver; or idle
 *	-> cat id=
 *	<- content +fd		read-only
 *	-> destinations name=	a domain, or the host that takes its mail
 *	<- destination name= state= window= running= waiting= next= when=
 *	   code= text=		name: of the host that mail of all its domains
 *				goes to, or of the domain while that is not
 *				known; state open|limited|paused|resting; next:
 *				when it may have mail again; when, code, text:
 *				the last words about its trouble
 *	<- end count=
 *	-> hosts d= d= ...	domains, up to ADMIN_IDS
 *	<- hosts h= h= ...	their destinations' names, in order; "": none
 *	-> rules
 *	<- rule kind= name= time= reason=
 *				each; kind login|sender|uid
 *	<- end count=
 *	-> held user=		how much of a login's mail is held
 *	<- held count= [time= reason=]
 *				time, reason: of the rule that it is held by
 * On role-public:
 *	-> list
 *	<- message id= time= size= sender= login= uid= state= attempts= next=
 *	   recipients= pending= reason=
 *				the oldest first (of more than 65,536 in any
 *				order); one's own, by uid, everything for root
 *				and for the user that the suite runs as; login
 *				"" and uid 4294967295: none; recipients as the sender gave them; pending:
 *				those that wait; reason: why it is held, or the
 *				last outcome of one of them
 *	<- recipient index= address= parent= status= dsn= when= relay= text=
 *				behind each message the first LISTED_RECIPIENTS
 *				of those who wait; status waiting; parent:
 *				index of the alias it is from, its own when
 *				from none
 *	<- end count=
 *
 * Steering, up to ADMIN_IDS ids each:
 *	-> flush id= ...	what waits, or is ready, is tried now
 *	-> flush [name=]	all of it, or all to that destination; the
 *				rests of all, or of that one, end
 *	<- flushed count=
 *	-> requeue id= ...	the same, as if it had come just now
 *	<- requeued count= active= [unknown=ID ...]
 *	-> delete id= ...	no report to anybody; one that is being tried
 *				goes when that has ended
 *	<- deleted count= active= [unknown=ID ...]
 *	-> hold reason= id= ...	those that are held already keep their reason
 *	<- held count= active= [unknown=ID ...]
 *				their envelopes say so; whoever asked syncs
 *				those before he believes it
 *	-> release id= ...
 *	<- released count= active= [unknown=ID ...]
 *				active: of those counted, how many are being
 *				tried and follow when that has ended
 *	-> rule kind= name= reason=	what comes from there is held from now
 *				on; name: a pattern (queue/pattern.h); a uid
 *				as a number
 *	-> rule-end kind= name=
 *	<- rule found=0|1	it is on stable storage (found: there was such
 *				a rule before)
 *	<- failed reason=
 *
 * For an id of attempt or cat that is not here
 *	<- unknown id=
 */
enum { LISTED_RECIPIENTS = 100, ADMIN_IDS = 256 };

/* A connection on role-admin; fd becomes ours. */
void admin_begin(int fd);

/*
 * Send the list, as fast as the peer reads it: only that uid's, or -1 for
 * all, with the recipients or without.  Takes the peer's drained() for itself;
 * clears *where at its end.
 */
struct listing;
struct listing *listing_begin(
    struct peer *, int64_t uid, bool recipients, struct listing **where);
void listing_free(struct listing *);

#endif
