/* SPDX-License-Identifier: ISC */
#ifndef COMMON_SEATS_H
#define COMMON_SEATS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/*
 * What each worker of a pool does, in memory that they share: whether it is
 * busy, so that its parent need not be woken to be told; and for which client,
 * so that no client takes all of them (A21).  A client is an IPv4 address, or
 * the 64 bits of an IPv6 network, whose owner has all the addresses in it.
 */

/* For n workers, before the first is forked; -1 and errno. */
int seats_open(size_t n);

/*
 * The parent's: a free seat for a new worker, and its seat when it is gone.
 * SIZE_MAX or so: there is none, and the worker has to be asked.
 */
size_t seats_reserve(void);
void seats_free(size_t seat);

enum seat_state {
	SEAT_NONE,  /* nobody knows */
	SEAT_FRESH, /* idle, has served nobody yet */
	SEAT_BUSY,
	SEAT_IDLE
};

enum seat_state seats_state(size_t seat);

/* Is each of the first n taken, by a worker that is busy? */
bool seats_are_busy(size_t n);

/* The parent wants to hear of everything from now on. */
void seats_listen(void);

/*
 * A worker's: it is busy, or idle, from now on.  True: its parent should be
 * told, because fewer than spare are idle now, or because it listens.
 */
bool seats_tell(size_t seat, bool busy, unsigned spare);

/*
 * A worker's: it serves this client now.  How many of them serve the same
 * one, itself counted; 0 where nobody counts (no seats, no IP address, the
 * first 64 bits all zero, as of ::1).
 */
size_t seats_take(size_t seat, const struct sockaddr_storage *client);
void seats_leave(size_t seat);

#endif
