/* SPDX-License-Identifier: ISC */
#ifndef COMMON_CURSOR_H
#define COMMON_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A reader over octets that came from outside: it cannot overrun, and its
 * failure is sticky.  After the first failure every take-function does
 * nothing and returns zero, NULL or an empty span; the caller reads a whole
 * structure and checks cursor_ok() once.
 */
struct cursor {
	const unsigned char *start, *pos, *end;
	bool failed;
};

struct span {
	const char *data; /* borrowed; not NUL-terminated */
	size_t len;
};

/* Without these octets at its ends. */
struct span span_trim(struct span, const char *octets);

struct cursor cursor_over(const void *octets, size_t n);

static inline bool
cursor_ok(const struct cursor *c)
{
	return !c->failed;
}

static inline size_t
cursor_left(const struct cursor *c)
{
	return c->failed ? 0 : (size_t)(c->end - c->pos);
}

/* All taken and nothing failed. */
static inline bool
cursor_done(const struct cursor *c)
{
	return !c->failed && c->pos == c->end;
}

static inline uint8_t
cursor_u8(struct cursor *c)
{
	if (cursor_left(c) > 0)
		return *c->pos++;
	c->failed = true;
	return 0;
}

uint16_t cursor_u16(struct cursor *); /* network order */
uint32_t cursor_u32(struct cursor *); /* network order */
struct span cursor_take(struct cursor *, size_t n);
void cursor_skip(struct cursor *, size_t n);

/* Continue at this offset from the start (DNS compression). */
void cursor_seek(struct cursor *, size_t offset);

/* Up to the next octet stop, which is taken too but not in the span. */
struct span cursor_until(struct cursor *, unsigned char stop);

/* A NUL-terminated string of at most max octets without its NUL. */
const char *cursor_string(struct cursor *, size_t max);

/* A run of decimal digits, 1 to 20 of them, that fits. */
uint64_t cursor_decimal(struct cursor *);

/* Exactly this text. */
void cursor_expect(struct cursor *, const char *text);

#endif
