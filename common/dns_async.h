/* SPDX-License-Identifier: ISC */
#ifndef COMMON_DNS_ASYNC_H
#define COMMON_DNS_ASYNC_H

#include <stddef.h>
#include <stdint.h>

#include "common/dns.h"
#include "common/dns_read.h"

/*
 * Questions to the DNS for a process that must never wait: they are sent by
 * UDP, and the answers come through the event loop (common/loop.h).  The
 * servers are those of dns_open(), asked one after the other where one is
 * silent or has no good answer; which one is asked first is the one that
 * answered last.
 *
 * An answer counts when it comes from the server that was asked, to the port
 * that was asked from (one of many, and each for a while only), with the
 * question's random id, and repeats the question.  What does not fit a packet
 * (TC) is not fetched by TCP: it is DNS_BROKEN, as is what cannot be read.
 */
struct config;
struct dns_async;    /* opaque */
struct dns_question; /* opaque */

/*
 * At most so many questions are out at a time, at some 500 octets each.
 * Needs loop_init() and, like dns_open(), resolv.conf.  NULL and errno on
 * failure.  Sockets are made when they are needed: at most
 * DNS_ASYNC_SOCKETS for each of at most 8 servers.
 */
enum { DNS_ASYNC_SOCKETS = 16 };
struct dns_async *dns_async_open(const struct config *, size_t most);

/*
 * The same with the servers of one that is open already, which nobody else
 * asks anything until the end, and which stays.
 */
struct dns_async *dns_async_over(struct dns *, size_t most);

/* No question may be left, and this is not for within a call.  NULL is fine. */
void dns_async_close(struct dns_async *);

/*
 * Called once, from the loop, never from within dns_async_ask(): the answer
 * is valid until it returns, and there is one with DNS_FOUND alone.  New
 * questions may be asked and others be cancelled from within.
 */
typedef void dns_answered(
    void *context, enum dns_status, const struct dns_answer *);

/*
 * Ask for exactly this name; aliases are followed.  By the deadline
 * (monotonic) the call comes, with DNS_TEMPORARY where nobody answers.  NULL:
 * too many are out, there is no memory, or the name is none.
 */
struct dns_question *dns_async_ask(struct dns_async *, const char *name,
    uint16_t type, int64_t deadline, dns_answered *, void *context);

/* No call comes any more, and the question is gone.  NULL is fine. */
void dns_async_cancel(struct dns_question *);

#endif
