/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_DISPATCH_H
#define QUEUE_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/destination.h"
#include "queue/message.h"

/*
 * Which message is tried when.  Those that wait for a time stand in one of
 * two heaps, for first attempts and for repeated ones; only so many attempts
 * run at a time, and repeated ones may fill no more than a part of these
 * places, so that a pile of undeliverable mail never holds up what has just
 * come in.  Those that wait for their destination stand in a lane there
 * (queue/destination.h), and in a third heap for the time at which they
 * expire or their sender is to be warned.
 *
 * A message that is held stands nowhere.  To wait for anything is to become
 * HELD when it is marked so.
 */

/* Try it after this many milliseconds (0: as soon as there is a place). */
void dispatch_wait(struct message *, int64_t ms);

/* Try it when its domain's destination may take it. */
void dispatch_park(struct message *);

/* Take a place at once, for a message just committed; false: none free. */
bool dispatch_take(struct message *);

/* Give the place back; the message is not touched any more. */
void dispatch_done(void);

/* It is about to be dropped. */
void dispatch_forget(struct message *);

/*
 * Hold it from now on; an attempt that runs ends first.  Release it: it is
 * tried now.
 */
void dispatch_hold(struct message *);
void dispatch_release(struct message *);

/*
 * Try what waits now, and let no destination of it rest: all; those that are
 * wanted; one.  How many those were.
 */
size_t dispatch_flush(void);
size_t dispatch_flush_some(
    bool (*wanted)(const struct message *, void *), void *context);
bool dispatch_flush_one(struct message *);

/* Something may go that could not before: serve the destinations, soon. */
void dispatch_serve(void);

/*
 * One more attempt may be begun for this destination now: it has room, and
 * nobody waits there.
 */
bool dispatch_is_open(struct destination *);

/* deliver told a domain's best MX host; userdb, that it is local. */
void dispatch_learn(struct domain *, const char *mx);
void dispatch_learn_local(struct domain *);

/* relay-host has changed: another era. */
void dispatch_reroute(void);
unsigned dispatch_era(void);

size_t dispatch_active(void);
size_t dispatch_free(void); /* places that nobody has */

/*
 * For how many milliseconds the first of those that were never tried has
 * been waiting for a place; 0: none waits.
 */
int64_t dispatch_late(void);

/* Start no more attempts. */
void dispatch_stop(void);

/* Called when the last running attempt has ended. */
extern void (*dispatch_idle)(void);

#endif
