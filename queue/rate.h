/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_RATE_H
#define QUEUE_RATE_H

#include <stdbool.h>

/*
 * Whether a temporary refusal, as a log shows it ("421 4.7.28 ..."), says
 * that mail comes too fast for this host, so that waiting between messages
 * helps: the words of the big providers and of the servers in common use
 * (queue/rate.c names them).  What is about one recipient, or greylisting,
 * is not meant.  Pure.
 */
bool rate_reply(const char *dsn, const char *text);

#endif
