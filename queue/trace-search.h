/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_TRACE_SEARCH_H
#define QUEUE_TRACE_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/tool.h"
#include "queue/trace-line.h"
#include "queue/trace-set.h"
#include "queue/trace-whom.h"

/* Lines of the log that belong to some messages (postrider-queue(8)). */

struct trace_found {
	char *text;      /* owned */
	int64_t time_ms; /* of the log, or of the line before */
	size_t story, order;
	/* Of those about no message, once trace_sessions() has told them
	 * apart: a session's number, from 1; 0: of none. */
	size_t session;
};

struct trace_search {
	struct trace_set ids; /* that are looked for */
	int64_t since_ms, until_ms;
	struct trace_found *lines;
	size_t n;
	int64_t last_ms;
	bool keep; /* the last reading: lines are kept */
	struct trace_whom whom;
};

/*
 * Find the lines about its ids, and about the addresses and clients among
 * the tool's words; more ids come to light with that.  Without any of these:
 * about whom was not let in.  EX_OK, or what went wrong, which
 * was told.
 */
int trace_search(struct tool *, struct trace_search *);

/* One reading of that: a trace_read, context is the search. */
int trace_look(struct tool *, const char *text, size_t n, void *context);

/*
 * Tell sessions apart: lines about one client, which a worker of smtpd or
 * pop3d said, and what others said about it in that time.
 */
int trace_sessions(struct tool *, struct trace_search *);

/* Story by story, the sessions behind them, and by time. */
void trace_sort(struct trace_search *);

void trace_search_free(struct trace_search *);

#endif
