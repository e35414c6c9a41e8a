/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_ROOM_H
#define QUEUE_ROOM_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Room for more mail on the spool's file system.  What spool-reserve and
 * spool-reserve-inodes keep free is for ourselves: outcomes, deferrals and
 * reports can still be written when no mail is taken in any more.
 *
 * The kernel is asked once a second, and at every question while there is
 * none, so that mail is taken again as soon as there is.  That nothing is
 * taken, and that it is again, is logged once.
 */

/*
 * Is there room for a message of so many octets (0: nobody knows) beside
 * those that have a promise?
 */
bool room_for(uint64_t octets);

/* It is being received. */
void room_promise(uint64_t octets);

/* It no longer is; taken: it is in the spool now. */
void room_settle(uint64_t octets, bool taken);

/*
 * A call failed with this errno.  True when that was for want of room, which
 * no figures tell of (a quota): logged here, once, until room_worked().
 */
bool room_failed(int reason);
void room_worked(void);

#endif
