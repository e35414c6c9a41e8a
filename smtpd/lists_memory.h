/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LISTS_MEMORY_H
#define SMTPD_LISTS_MEMORY_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * What the lists have said of addresses: at most LISTS_ADDRESSES_MAX of them,
 * of which the one that was not wanted for the longest time goes first.
 */
enum { LISTS_ADDRESSES_MAX = 32768, LISTS_BUCKETS = 8192 };

struct list_look_up;

struct listed {
	struct in6_addr address; /* IPv4 as IPv4 in IPv6 */
	uint32_t lines;          /* of the config that it meets; 1 << index */
	int64_t until;           /* monotonic milliseconds */
	char *text;              /* what they have to say; owned, NULL */
	struct list_look_up *look_up; /* it goes on; NULL */
	struct listed *next;          /* in the same bucket */
	struct listed *newer, *older;
};

struct lists_memory {
	size_t n;
	struct listed *newest, *oldest;
	struct listed *buckets[LISTS_BUCKETS];
};

/*
 * What is known of it, or a new one; it is the newest then.  NULL: no memory,
 * or all that are known have their look-ups going on.
 */
struct listed *lists_recall(
    struct lists_memory *, const struct sockaddr_storage *);

void lists_forget(struct lists_memory *); /* all of them */

#endif
