/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_TRACE_SET_H
#define QUEUE_TRACE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/fs.h"

/*
 * Messages that a trace is about, numbered as they were met.  A report joins
 * the story of the message that it is about.
 */
#define TRACE_SET_NONE  ((size_t)-1)
#define TRACE_SET_ALONE ((size_t)-2) /* a line about no message */

struct trace_set {
	struct trace_member {
		uint64_t id;
		size_t story; /* the number of the member that it belongs to */
	} * members;
	size_t n;
	size_t *slots; /* numbers + 1, by id; 0: free */
	size_t nslots; /* a power of two */
};

/* Its story; TRACE_SET_NONE: it is not in. */
size_t trace_set_find(const struct trace_set *, const char *id);

/*
 * Put it in, if it is not: into that story, or one of its own
 * (TRACE_SET_NONE).  Its story; TRACE_SET_NONE without memory.
 */
size_t trace_set_add(struct trace_set *, const char *id, size_t story);

void trace_set_name(
    const struct trace_set *, size_t number, char id[FS_ID_SIZE]);
void trace_set_free(struct trace_set *);

#endif
