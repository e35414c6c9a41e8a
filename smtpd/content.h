/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_CONTENT_H
#define SMTPD_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/buf.h"

/*
 * A message on its way into queue's file, behind the headers that are ours.
 * Up to CONTENT_MEMORY octets wait in memory and leave with the headers in
 * one write at the end.  A larger message is written as it comes, and its
 * headers must be known by then; or, where they depend on all of it, it waits
 * in a scratch file, and the kernel copies it behind them at the end.  While
 * it waits it can be read, and be replaced.
 */
enum { CONTENT_MEMORY = 256 * 1024 };

struct content {
	int fd;		    /* the file; the caller's */
	struct buf *headers; /* the caller's, complete before the first write */
	struct buf memory;
	bool spilled; /* the headers are out */
	int error;    /* errno of the first failure; nothing more is kept */
	/* Gives the scratch file, -1 and errno; NULL: there is none. */
	int (*open_scratch)(void *context);
	void *context;
	int scratch;	   /* ours; -1: none so far */
	uint64_t base;	    /* where in it ours begin */
	uint64_t scratched; /* how many */
	/* What is being replaced, until it is known whether it is. */
	struct {
		struct buf memory;
		uint64_t base, scratched;
	} before;
};

void content_init(struct content *, int fd, struct buf *headers);
void content_free(struct content *);

/* The headers are complete at content_finish(), not earlier. */
void content_wait_for_headers(
    struct content *, int (*open_scratch)(void *), void *context);

/* Where the next n octets go, NULL after a failure; then how many came. */
char *content_room(struct content *, size_t n);
void content_came(struct content *, size_t n);

void content_add(struct content *, const char *octets, size_t n);

/* Keep no more of it: the message is refused already. */
void content_discard(struct content *);

/* -- of one that waits for its headers -- */

uint64_t content_octets(const struct content *);

/* Up to n octets from there on; 0 at the end; -1 and errno: it has failed. */
ssize_t content_read(struct content *, uint64_t at, char *out, size_t n);

/*
 * What is added from now on takes the place of what is there; at the end
 * either that or what was before is kept.
 */
void content_replace(struct content *);
void content_replaced(struct content *, bool keep_new);

/* All of it is in the file; -1 and errno if it is not. */
int content_finish(struct content *);

#endif
