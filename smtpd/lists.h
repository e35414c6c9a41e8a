/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LISTS_H
#define SMTPD_LISTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/config.h"

/*
 * What the lists in the DNS say about a client's address (RFC 5782): all
 * zones of dnsbl and dnswl are asked at once, and the scores of what they
 * answer are added up.
 *
 * A zone that talks nonsense is not listened to (an alarm in the log says
 * so) until it has been looked at again: one that lists 127.0.0.1, or answers
 * 127.255.255.* or what is not within 127.0.0.0/8.  One that has not answered
 * in time for several clients in a row is not waited for until it answers
 * again.  What is known of an address is kept as long as the answers may be.
 */
enum { LISTS_TEXT_MAX = 400, LISTS_NAMES_MAX = 200 };

struct lists_result {
	int64_t score; /* of those that answered in time */
	/* Who lists it, for the log: "bl.example=3,wl.example=-2"; "" */
	char names[LISTS_NAMES_MAX + 1];
	/*
	 * Of a score that refuses: "listed by bl.example: " and what that
	 * says about it; printable ASCII, one line.  Else "".
	 */
	char text[LISTS_TEXT_MAX + 1];
};

struct dns;
struct lists;         /* opaque */
struct lists_inquiry; /* opaque */

/*
 * Needs loop_init(), and begins to try the zones.  The config stays the
 * caller's and must stay.  NULL and errno on failure; without any zone there
 * is nothing to fail.
 */
struct lists *lists_open(const struct config *);

/* No inquiry may be left.  NULL is fine. */
void lists_close(struct lists *);

/*
 * Called once, from the loop, within list-timeout; the result is valid until
 * it returns.
 */
typedef void lists_done(void *context, const struct lists_result *);

/*
 * Who is asked about: not relay-from, not trust-client; what is no IP address
 * neither.
 */
bool lists_apply(const struct config *, const struct sockaddr_storage *);

/*
 * Ask about an address.  NULL: the result is there already, and done is not
 * called.
 */
struct lists_inquiry *lists_ask(struct lists *, const struct sockaddr_storage *,
    lists_done *, void *context, struct lists_result *);

/* done is not called any more.  NULL is fine. */
void lists_cancel(struct lists_inquiry *);

/*
 * For a process without a loop: one look-up, which waits for list-timeout at
 * most, with zones that are tried at the same time.
 */
void lists_look_up(const struct config *, struct dns *,
    const struct sockaddr_storage *, struct lists_result *);

/* Is that a score that refuses? */
bool lists_refuse(const struct config *, int64_t score);

#endif
