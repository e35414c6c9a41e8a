/* SPDX-License-Identifier: ISC */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * A growing byte buffer with a hard upper bound and a sticky failure.
 *
 * Once an append has failed (no memory, or the bound would be exceeded)
 * every later append does nothing and returns false, so that a writer may
 * build a whole text and check buf_ok() once.  The contents are what was
 * there before the failure.
 */
struct buf {
	char *data; /* owned; not NUL-terminated, see buf_text() */
	size_t len; /* octets in use */
	size_t cap; /* octets allocated */
	size_t max; /* len never exceeds this */
	bool failed;
};

/* An empty buffer that holds at most max octets; allocates nothing. */
#define BUF_INIT(bound) ((struct buf){.max = (bound)})

void buf_free(struct buf *);

/* Forget the contents and the failure, keep the memory. */
void buf_reset(struct buf *);

static inline bool
buf_ok(const struct buf *b)
{
	return !b->failed;
}

/*
 * Room for n more octets behind data + len.  The caller may write there and
 * then raise len itself.
 */
bool buf_reserve(struct buf *, size_t n);

bool buf_add(struct buf *, const void *octets, size_t n);
bool buf_addc(struct buf *, char c);
bool buf_adds(struct buf *, const char *text);
bool buf_addf(struct buf *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool buf_addv(struct buf *, const char *format, va_list)
    __attribute__((format(printf, 2, 0)));

/* Drop the first n octets (all of them when n is larger). */
void buf_consume(struct buf *, size_t n);

/*
 * The contents as a string: a NUL is kept behind them, outside len.  NULL
 * after a failure.  Valid until the next change.
 */
const char *buf_text(struct buf *);

#endif
