/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_TRACE_LINE_H
#define QUEUE_TRACE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

/*
 * A line of the log (postrider-log(5)), with what syslogd or journalctl put
 * in front of it.  Pure.
 */
enum { TRACE_PAIRS_MAX = 32, TRACE_LINE_MAX = 8192 };

struct trace_line {
	int64_t time_ms; /* since the epoch; -1: it does not say */
	const char *program, *event;
	long pid;
	struct trace_pair {
		const char *key, *value; /* with all escapes undone */
	} pairs[TRACE_PAIRS_MAX];
	size_t n;
	/* what the above points to: every field gets a NUL more */
	char text[TRACE_LINE_MAX + 2 * TRACE_PAIRS_MAX + 16];
};

/*
 * False: it is none of ours.  A clock without a year means the last such day
 * before now (unix seconds), in local time.
 */
bool trace_parse(struct trace_line *, const char *line, size_t n, int64_t now);

const char *trace_value(const struct trace_line *, const char *key); /* NULL */

/* It says how a message's, or a recipient's, story ended. */
bool trace_is_ending(const struct trace_line *);

/* What it tells, in words; a line that is not known by its pairs. */
void trace_sentence(struct buf *, const struct trace_line *);

#endif
