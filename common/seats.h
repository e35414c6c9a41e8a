/* SPDX-License-Identifier: ISC */
#ifndef COMMON_SEATS_H
#define COMMON_SEATS_H

#include <stddef.h>
#include <sys/socket.h>

/*
 * Which client each worker of a pool serves, in memory that they share, so
 * that no client takes all of them (A21).  A client is an IPv4 address, or
 * the 64 bits of an IPv6 network, whose owner has all the addresses in it.
 */

/* For n workers, before the first is forked; -1 and errno. */
int seats_open(size_t n);

/* The parent's: a free seat for a new worker, and its seat when it is gone. */
size_t seats_reserve(void);
void seats_free(size_t seat);

/*
 * A worker's: it serves this client now.  How many of them serve the same
 * one, itself counted; 0 where nobody counts (no seats, no IP address, the
 * first 64 bits all zero, as of ::1).
 */
size_t seats_take(size_t seat, const struct sockaddr_storage *client);
void seats_leave(size_t seat);

#endif
