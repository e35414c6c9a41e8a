/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_TRACE_LOG_H
#define QUEUE_TRACE_LOG_H

#include "queue/tool.h"
#include "queue/trace-line.h"

/*
 * Where the log is (postrider-queue(8)): opened as whoever started the tool,
 * read after it has become somebody less.
 */
void trace_open(struct tool *);

/*
 * Give every line of it, the oldest file first, to the reader; more than once
 * if need be.  Lines are without their end, and no longer than
 * TRACE_LINE_MAX.
 */
typedef int trace_read(struct tool *, const char *line, size_t n, void *);
int trace_each(struct tool *, trace_read *, void *context);

/* What the log says of a message that is not here: one sentence. */
int trace_ended(struct tool *, const char *id, struct buf *);

/*
 * Why the log says that mail of this client (an IP address, or a network) or
 * address (a pattern) is not taken: a sentence.  keyword: of
 * postrider.conf(5), that decides it; NULL: none does.
 */
int trace_refused(
    struct tool *, char *word, struct buf *, const char **keyword);

#endif

