/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "common/cursor.h"
#include "common/protocol.h"
#include "queue/envelope-read.h"

bool
read_bad(struct reading *r, const char *why)
{
	if (r->why == NULL)
		r->why = why;
	return false;
}

static int
hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The octets at the beginning that stand for themselves, max at the most. */
static size_t
take_plain(struct cursor *c, unsigned char stop, char *out, size_t max)
{
	const unsigned char *p = c->pos;
	size_t n = 0;

	if (max > cursor_left(c))
		max = cursor_left(c);
	while (n < max && p[n] >= ' ' && p[n] != 0x7f && p[n] != '\\' &&
	    p[n] != stop) {
		out[n] = (char)p[n];
		n++;
	}
	c->pos += n;
	return n;
}

bool
read_text(struct reading *r, unsigned char stop, char *out, size_t max)
{
	struct cursor *c = &r->line;
	size_t n = take_plain(c, stop, out, max);

	while (cursor_left(c) > 0) {
		unsigned char octet = cursor_u8(c);

		if (stop != 0 && octet == stop) {
			stop = 0;
			break;
		}
		if (octet < ' ' || octet == 0x7f)
			return read_bad(r, "control character");
		if (octet == '\\') {
			int high, low;

			cursor_expect(c, "x");
			high = hex_digit(cursor_u8(c));
			low = hex_digit(cursor_u8(c));
			if (!cursor_ok(c) || high < 0 || low < 0 ||
			    high + low == 0)
				return read_bad(r, "bad escape");
			octet = (unsigned char)(high << 4 | low);
		}
		if (n == max)
			return read_bad(r, "text too long");
		out[n++] = (char)octet;
	}
	out[n] = '\0';
	return stop == 0 ? true : read_bad(r, "field missing");
}

char *
read_keep(struct reading *r, const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL)
		r->no_memory = true;
	return copy;
}

bool
read_line_text(struct reading *r, char **where)
{
	char text[PROTOCOL_TEXT_MAX + 1];

	if (!read_text(r, 0, text, PROTOCOL_TEXT_MAX))
		return false;
	if (where == NULL)
		return true;
	*where = read_keep(r, text);
	return *where != NULL;
}

bool
read_option(struct reading *r, const char *name, char *out, size_t max)
{
	struct cursor *c = &r->line;
	const unsigned char *end = c->end, *blank;
	size_t n = strlen(name);
	bool ok;

	out[0] = '\0';
	if (cursor_left(c) < n + 2 || c->pos[0] != ' ' ||
	    memcmp(c->pos + 1, name, n) != 0 || c->pos[n + 1] != '=')
		return true;
	cursor_skip(c, n + 2);
	blank = memchr(c->pos, ' ', cursor_left(c));
	if (blank != NULL)
		c->end = blank;
	ok = read_text(r, 0, out, max);
	c->end = end;
	return ok && out[0] == '\0' ? read_bad(r, "empty option") : ok;
}

bool
read_address(struct reading *r, char *out)
{
	char *p;

	cursor_expect(&r->line, "<");
	if (!cursor_ok(&r->line) ||
	    !read_text(r, '>', out, PROTOCOL_ADDRESS_MAX))
		return read_bad(r, "bad address");
	/* What we write never has these: they would break headers and packets.
	 */
	for (p = out; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return read_bad(r, "control character in address");
	return true;
}

bool
read_at_end(struct reading *r)
{
	return cursor_done(&r->line) ? true : read_bad(r, "bad line");
}

bool
read_number(struct reading *r, uint64_t max, uint64_t *value)
{
	*value = cursor_decimal(&r->line);
	return cursor_ok(&r->line) && *value <= max ? true
						    : read_bad(r, "bad number");
}

bool
read_seconds(struct reading *r, int64_t *value)
{
	uint64_t number;

	if (!read_number(r, INT64_MAX / 4096, &number))
		return false;
	*value = (int64_t)number;
	return true;
}

bool
read_index(struct reading *r, size_t *index)
{
	uint64_t number;

	if (!read_number(r, ENVELOPE_RECIPIENTS_MAX, &number))
		return false;
	cursor_expect(&r->line, " ");
	if (number >= r->e->n)
		return read_bad(r, "no such recipient");
	*index = (size_t)number;
	return true;
}

bool
read_add_recipient(struct reading *r, const char *address, size_t parent)
{
	if (address[0] == '\0')
		return read_bad(r, "null recipient");
	if (r->e->n == ENVELOPE_RECIPIENTS_MAX)
		return read_bad(r, "too many recipients");
	r->no_memory = !envelope_add_recipient(r->e, address, parent);
	return !r->no_memory;
}
