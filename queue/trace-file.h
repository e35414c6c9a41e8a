/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_TRACE_FILE_H
#define QUEUE_TRACE_FILE_H

#include "queue/trace-log.h"

/* A part of the log. */
struct trace_file {
	int fd;
	bool packed;     /* by gzip */
	int64_t written; /* the last time, unix seconds; 0: not known */
};

/* All its lines, from the first; one that cannot be rewound is kept. */
int trace_file_read(
    struct tool *, struct trace_file *, trace_read *, void *context);

/* What journalctl tells, from that time on; -1: there is none. */
int trace_journal(const char *since);

#endif
