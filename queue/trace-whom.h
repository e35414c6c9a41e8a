/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_TRACE_WHOM_H
#define QUEUE_TRACE_WHOM_H

#include <stdbool.h>
#include <stddef.h>

#include "common/config.h"
#include "queue/trace-line.h"

/*
 * Whom a trace is about: words that people give.  A client is an IP address,
 * or a network; anything else is a pattern of addresses.
 */
struct trace_whom {
	char **words; /* borrowed */
	size_t n;
	struct config_nets clients; /* those words that are; owned */
	bool not_let_in; /* there is no word at all: whoever was refused */
};

/* False: no memory. */
bool trace_whom_read(struct trace_whom *, char **words, size_t n);
void trace_whom_free(struct trace_whom *);

/* The line names one of its addresses as sender or recipient. */
bool trace_names_address(const struct trace_whom *, const struct trace_line *);

/* It is about one of its clients, or about any that was not let in. */
bool trace_names_client(const struct trace_whom *, const struct trace_line *);

/*
 * A client did not get what it wanted: a refusal, for good or for now, a
 * connection that we or it cut, a login that failed.
 */
bool trace_is_refusal(const struct trace_line *);

#endif
