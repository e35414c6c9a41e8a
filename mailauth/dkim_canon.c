/* SPDX-License-Identifier: ISC */
#include "mailauth/dkim_canon.h"

#include <string.h>

void
dkim_canon_init(
    struct dkim_canon *c, bool relaxed, dkim_canon_taker *take, void *context)
{
	c->take = take;
	c->context = context;
	c->relaxed = relaxed;
	c->begun = c->blank = c->any = false;
	c->ends = 0;
	c->n = 0;
}

void
dkim_canon_flush(struct dkim_canon *c)
{
	if (c->n > 0)
		c->take(c->context, c->out, c->n);
	c->n = 0;
}

static void
put(struct dkim_canon *c, const char *octets, size_t n)
{
	if (n > sizeof(c->out) - c->n) {
		dkim_canon_flush(c);
		if (n > sizeof(c->out)) {
			c->take(c->context, octets, n);
			return;
		}
	}
	memcpy(c->out + c->n, octets, n);
	c->n += n;
}

static void
put_octet(struct dkim_canon *c, char octet)
{
	if (c->n == sizeof(c->out))
		dkim_canon_flush(c);
	c->out[c->n++] = octet;
}

void
dkim_canon_line_end(struct dkim_canon *c)
{
	put(c, "\r\n", 2);
}

/* Within a field a line end only ever stands among white space. */
static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

enum { WORD = sizeof(uint64_t) };
#define EACH(octet) (UINT64_C(0x0101010101010101) * (octet))

/* 0x80 in each octet of x that is this one, 0 in the others. */
static uint64_t
equal_octets(uint64_t x, uint64_t octet)
{
	const uint64_t low = EACH(0x7f), d = x ^ EACH(octet);

	return ~(((d & low) + low) | d | low);
}

/* No tab, no fold, no two blanks side by side: it stays as it is. */
static bool
is_plain(const char *p)
{
	uint64_t x, spaces;

	memcpy(&x, p, WORD);
	spaces = equal_octets(x, ' ');
	return (equal_octets(x, '\t') | equal_octets(x, '\n') |
		   (spaces & spaces << 8)) == 0;
}

/*
 * Runs of blanks become one, as far as it fits; eight octets at a time where
 * nothing is to be done about them.  A blank at the end is given back: it may
 * be the line's last.
 */
static size_t
squeeze_some(struct dkim_canon *c, const char *p, size_t n)
{
	size_t room = sizeof(c->out) - c->n, made = 0, i = 0;
	char *out = c->out + c->n;
	bool was_blank = false;

	if (n > room)
		n = room;
	while (i < n) {
		bool blank = is_blank(p[i]);

		if (n - i >= WORD && !(blank && was_blank) && is_plain(p + i)) {
			memcpy(out + made, p + i, WORD);
			made += WORD;
			i += WORD;
			was_blank = p[i - 1] == ' ';
			continue;
		}
		out[made] = blank ? ' ' : p[i];
		made += !(blank && was_blank);
		was_blank = blank;
		i++;
	}
	c->blank = was_blank;
	c->n += made - was_blank;
	return n;
}

static void
squeeze(struct dkim_canon *c, const char *p, size_t n)
{
	while (n > 0) {
		size_t done = 1;

		if (is_blank(*p)) {
			c->blank = true;
		} else {
			if (c->blank && c->begun)
				put_octet(c, ' ');
			c->begun = true;
			c->blank = false;
			if (c->n == sizeof(c->out))
				dkim_canon_flush(c);
			done = squeeze_some(c, p, n);
		}
		p += done;
		n -= done;
	}
}

/* Line ends that turned out not to be the body's last. */
static void
put_owed_ends(struct dkim_canon *c)
{
	for (; c->ends > 0; c->ends--)
		dkim_canon_line_end(c);
	c->any = true;
}

/* Of one line, without its end. */
static void
take_piece(struct dkim_canon *c, const char *p, size_t n)
{
	if (c->relaxed)
		for (; n > 0 && is_blank(*p); p++, n--)
			c->blank = true;
	if (n == 0)
		return;
	put_owed_ends(c);
	if (!c->relaxed) {
		put(c, p, n);
		return;
	}
	c->begun = true;
	if (!c->blank && memchr(p, ' ', n) == NULL &&
	    memchr(p, '\t', n) == NULL)
		put(c, p, n);
	else
		squeeze(c, p, n);
}

void
dkim_canon_body(struct dkim_canon *c, const char *octets, size_t n)
{
	const char *end = octets + n;

	while (octets < end) {
		size_t left = (size_t)(end - octets);
		const char *lf = memchr(octets, '\n', left);

		take_piece(
		    c, octets, lf == NULL ? left : (size_t)(lf - octets));
		if (lf == NULL)
			return;
		c->ends++;
		c->blank = false;
		octets = lf + 1;
	}
}

void
dkim_canon_body_end(struct dkim_canon *c)
{
	if (c->any || !c->relaxed)
		dkim_canon_line_end(c);
	dkim_canon_flush(c);
}

/* -- header fields -- */

static void
put_lf_as_crlf(struct dkim_canon *c, struct span s)
{
	while (s.len > 0) {
		const char *lf = memchr(s.data, '\n', s.len);
		size_t n = lf == NULL ? s.len : (size_t)(lf - s.data);

		put(c, s.data, n);
		if (lf != NULL) {
			dkim_canon_line_end(c);
			n++;
		}
		s.data += n;
		s.len -= n;
	}
}

static void
put_name(struct dkim_canon *c, struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		char o = name.data[i];

		put_octet(c, o >= 'A' && o <= 'Z' ? (char)(o | 0x20) : o);
	}
	put_octet(c, ':');
}

void
dkim_canon_field(
    struct dkim_canon *c, const struct header_field *f, struct span hole)
{
	struct span all = c->relaxed ? f->value : f->text, before = all,
		    after = {"", 0};

	if (hole.len > 0) {
		before.len = (size_t)(hole.data - all.data);
		after.data = hole.data + hole.len;
		after.len = all.len - before.len - hole.len;
	}
	if (!c->relaxed) {
		put_lf_as_crlf(c, before);
		put_lf_as_crlf(c, after);
		return;
	}
	put_name(c, f->name);
	c->begun = c->blank = false;
	squeeze(c, before.data, before.len);
	squeeze(c, after.data, after.len);
	c->blank = false;
}
