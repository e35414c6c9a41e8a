/* SPDX-License-Identifier: ISC */
#include "common/cursor.h"

#include <string.h>

static bool
is_one_of(char c, const char *octets)
{
	return c != '\0' && strchr(octets, c) != NULL;
}

struct span
span_trim(struct span s, const char *octets)
{
	while (s.len > 0 && is_one_of(s.data[0], octets)) {
		s.data++;
		s.len--;
	}
	while (s.len > 0 && is_one_of(s.data[s.len - 1], octets))
		s.len--;
	return s;
}

struct cursor
cursor_over(const void *octets, size_t n)
{
	const unsigned char *p = octets;

	return (struct cursor){.start = p, .pos = p, .end = p + n};
}

struct span
cursor_take(struct cursor *c, size_t n)
{
	struct span taken = {"", 0};

	if (n > cursor_left(c)) {
		c->failed = true;
		return taken;
	}
	if (c->failed)
		return taken;
	taken = (struct span){(const char *)c->pos, n};
	c->pos += n;
	return taken;
}

void
cursor_skip(struct cursor *c, size_t n)
{
	(void)cursor_take(c, n);
}

uint16_t
cursor_u16(struct cursor *c)
{
	struct span s = cursor_take(c, 2);
	const unsigned char *p = (const unsigned char *)s.data;

	return s.len == 2 ? (uint16_t)((unsigned)p[0] << 8 | p[1]) : 0;
}

uint32_t
cursor_u32(struct cursor *c)
{
	struct span s = cursor_take(c, 4);
	const unsigned char *p = (const unsigned char *)s.data;

	if (s.len != 4)
		return 0;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

void
cursor_seek(struct cursor *c, size_t offset)
{
	if (c->failed)
		return;
	if (offset > (size_t)(c->end - c->start)) {
		c->failed = true;
		return;
	}
	c->pos = c->start + offset;
}

struct span
cursor_until(struct cursor *c, unsigned char stop)
{
	struct span taken = {"", 0};
	const unsigned char *p = NULL;

	if (cursor_left(c) > 0)
		p = memchr(c->pos, stop, cursor_left(c));
	if (p == NULL) {
		c->failed = true;
		return taken;
	}
	taken = cursor_take(c, (size_t)(p - c->pos));
	c->pos++;
	return taken;
}

const char *
cursor_string(struct cursor *c, size_t max)
{
	struct span s = cursor_until(c, '\0');

	if (!c->failed && s.len > max)
		c->failed = true;
	return c->failed ? NULL : s.data;
}

uint64_t
cursor_decimal(struct cursor *c)
{
	const unsigned char *from = c->pos, *p = from;
	uint64_t value = 0;

	for (; !c->failed && p < c->end && *p >= '0' && *p <= '9'; p++)
		/* As many digits as these cannot overflow. */
		if (p - from < 19)
			value = value * 10 + (uint64_t)(*p - '0');
		else
			c->failed = __builtin_mul_overflow(
					value, (uint64_t)10, &value) ||
			    __builtin_add_overflow(
				value, (uint64_t)(*p - '0'), &value);
	if (p == from || p - from > 20)
		c->failed = true;
	if (c->failed)
		return 0;
	c->pos = p;
	return value;
}

void
cursor_expect(struct cursor *c, const char *text)
{
	size_t n = strlen(text);
	struct span s = cursor_take(c, n);

	if (s.len != n || memcmp(s.data, text, n) != 0)
		c->failed = true;
}
