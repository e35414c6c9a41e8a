/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_REWRITE_H
#define QUEUE_REWRITE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/verdict.h"

/*
 * The sender under which mail leaves for what an alias of one domain leads
 * to: another than the envelope's where that is a stranger (SRS, userdb(8)).
 * userdb is asked once an attempt for each domain of ours.
 */
struct rewrite {
	struct rewrite *next; /* of the attempt */
	bool answered;
	enum verdict verdict; /* OK, or why nobody can tell now */
	char *sender;         /* NULL: the envelope's */
	char domain[];
};

struct attempt;

/*
 * All are routed: those outside go out, once it is known under whose name.
 * The attempt may end with it.
 */
void attempt_leave(struct attempt *);

/* For a recipient that goes out; NULL: the envelope's. */
const char *attempt_sender(const struct attempt *, size_t index);

void rewrite_free(struct rewrite *); /* and those behind it */

#endif
