/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_DISPATCH_H
#define QUEUE_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/message.h"

/*
 * Which message is tried when.  Those that wait stand in one of two heaps,
 * for first attempts and for repeated ones; only so many attempts run at a
 * time, and repeated ones may fill no more than a part of these places, so
 * that a pile of undeliverable mail never holds up what has just come in.
 */

/* Try it after this many milliseconds (0: as soon as there is a place). */
void dispatch_wait(struct message *, int64_t ms);

/* Take a place at once, for a message just committed; false: none free. */
bool dispatch_take(struct message *);

/* Give the place back; the message is not touched any more. */
void dispatch_done(void);

/* It is about to be dropped. */
void dispatch_forget(struct message *);

/* Everything that waits, now.  How many that were. */
size_t dispatch_flush(void);

size_t dispatch_active(void);

/* Start no more attempts. */
void dispatch_stop(void);

/* Called when the last running attempt has ended. */
extern void (*dispatch_idle)(void);

#endif
