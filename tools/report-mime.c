/* SPDX-License-Identifier: ISC */
#include "tools/report-mime.h"

#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "mailauth/header.h"

enum { BOUNDARY_MAX = 200 };

struct walk {
	bool (*found)(const char *octets, size_t n, void *context);
	void *context;
	unsigned parts;
	bool stopped, failed;
};

static void walk_entity(struct walk *, struct span, unsigned depth);

/* -- encodings -- */

static int
base64_digit(unsigned char c)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

/* Whatever is no digit is passed over (RFC 2045 section 6.8). */
static void
undo_base64(struct span in, struct buf *out)
{
	unsigned bits = 0, n = 0;

	for (size_t i = 0; i < in.len && in.data[i] != '='; i++) {
		int digit = base64_digit((unsigned char)in.data[i]);

		if (digit == -1)
			continue;
		bits = bits << 6 | (unsigned)digit;
		if (++n % 4 != 1)
			buf_addc(out, (char)(bits >> (6 - 2 * ((n - 1) % 4))));
	}
}

static int
hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	return at != NULL ? (int)(at - digits) % 16 : -1;
}

/* Section 6.7, and what is no code stays as it is. */
static void
undo_quoted(struct span in, struct buf *out)
{
	for (size_t i = 0; i < in.len; i++) {
		int high = i + 2 < in.len ? hex_digit(in.data[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(in.data[i + 2]) : -1;

		if (in.data[i] != '=') {
			buf_addc(out, in.data[i]);
		} else if (low >= 0) {
			buf_addc(out, (char)(high << 4 | low));
			i += 2;
		} else if (i + 1 < in.len && in.data[i + 1] == '\n') {
			i++;
		} else {
			buf_addc(out, '=');
		}
	}
}

/* -- header fields -- */

static struct span
field(const struct header_section *s, const char *name)
{
	const struct header_field *f;

	return header_count(s, name, &f) > 0 ? f->value : (struct span){"", 0};
}

static size_t
skip_blanks(struct span v, size_t i)
{
	while (i < v.len && strchr(" \t\n", v.data[i]) != NULL &&
	    v.data[i] != '\0')
		i++;
	return i;
}

/* Does the value begin with that word, and a separator behind it? */
static bool
is_word(struct span v, const char *word)
{
	size_t i = skip_blanks(v, 0), n = strlen(word);

	return v.len - i >= n && strncasecmp(v.data + i, word, n) == 0 &&
	    (i + n == v.len || strchr(" \t\n;(", v.data[i + n]) != NULL);
}

static bool
is_type(struct span v, const char *prefix)
{
	size_t i = skip_blanks(v, 0), n = strlen(prefix);

	return v.len - i >= n && strncasecmp(v.data + i, prefix, n) == 0;
}

/* A token or a quoted string, from there on; behind it. */
static size_t
take_value(struct span v, size_t i, char *out, size_t size)
{
	bool quoted = i < v.len && v.data[i] == '"';
	size_t n = 0;

	for (i += quoted; i < v.len; i++) {
		char c = v.data[i];

		if (quoted ? c == '"' : strchr(" \t\n;(", c) != NULL)
			break;
		if (quoted && c == '\\' && i + 1 < v.len)
			c = v.data[++i];
		if (n + 1 < size)
			out[n++] = c;
	}
	out[n] = '\0';
	return i + (quoted && i < v.len);
}

/* The parameter "boundary"; false: there is none. */
static bool
find_boundary(struct span v, char out[BOUNDARY_MAX + 1])
{
	char name[BOUNDARY_MAX + 1], value[BOUNDARY_MAX + 1];
	size_t i = 0;

	while (i < v.len) {
		size_t n = 0;

		while (i < v.len && v.data[i] != ';')
			i = v.data[i] == '"'
			    ? take_value(v, i, value, sizeof(value))
			    : i + 1;
		i = skip_blanks(v, i + (i < v.len));
		while (i < v.len && strchr("=; \t\n", v.data[i]) == NULL)
			if (n < BOUNDARY_MAX)
				name[n++] = v.data[i++];
			else
				i++;
		name[n] = '\0';
		i = skip_blanks(v, i);
		if (i >= v.len || v.data[i] != '=')
			continue;
		i = take_value(v, skip_blanks(v, i + 1), value, sizeof(value));
		if (strcasecmp(name, "boundary") == 0 && value[0] != '\0') {
			memcpy(out, value, sizeof(value));
			return true;
		}
	}
	return false;
}

/* -- parts -- */

static void
give(struct walk *w, struct span body, struct span encoding)
{
	struct buf out = BUF_INIT(body.len);

	if (is_word(encoding, "base64"))
		undo_base64(body, &out);
	else if (is_word(encoding, "quoted-printable"))
		undo_quoted(body, &out);
	else
		buf_add(&out, body.data, body.len);
	if (!buf_ok(&out))
		w->failed = true;
	else
		w->stopped = !w->found(
		    out.data != NULL ? out.data : "", out.len, w->context);
	buf_free(&out);
}

static bool
goes_on(const struct walk *w)
{
	return !w->stopped && !w->failed && w->parts < MIME_PARTS_MAX;
}

/* 0: no boundary; 1: a part begins behind it; 2: the last one ended. */
static int
boundary_kind(struct span line, const char *boundary)
{
	size_t n = strlen(boundary), i;

	if (line.len < n + 2 || memcmp(line.data, "--", 2) != 0 ||
	    memcmp(line.data + 2, boundary, n) != 0)
		return 0;
	i = n + 2;
	if (line.len >= i + 2 && memcmp(line.data + i, "--", 2) == 0)
		return 2;
	return skip_blanks(line, i) == line.len ? 1 : 0;
}

/* RFC 2046 section 5.1.1: the line end before a boundary belongs to it. */
static void
walk_parts(
    struct walk *w, struct span body, const char *boundary, unsigned depth)
{
	size_t at = 0, begin = 0;
	bool within = false;
	int kind = 0;

	while (at < body.len && kind != 2 && goes_on(w)) {
		const char *line = body.data + at;
		const char *lf = memchr(line, '\n', body.len - at);
		size_t n = lf != NULL ? (size_t)(lf - line) : body.len - at;
		size_t end = at > begin ? at - 1 : at;

		kind = boundary_kind((struct span){line, n}, boundary);
		if (kind != 0 && within)
			walk_entity(w,
			    (struct span){body.data + begin, end - begin},
			    depth + 1);
		at += n + (lf != NULL);
		if (kind != 0) {
			within = kind == 1;
			begin = at;
		}
	}
	/* Cut off: what is there of the last part. */
	if (within && goes_on(w) && begin < body.len)
		walk_entity(w,
		    (struct span){body.data + begin, body.len - begin},
		    depth + 1);
}

static void
walk_entity(struct walk *w, struct span entity, unsigned depth)
{
	struct header_section s;
	char boundary[BOUNDARY_MAX + 1];
	struct span type, body;
	size_t used;

	if (depth > MIME_DEPTH_MAX || !goes_on(w))
		return;
	w->parts++;
	header_init(&s);
	used = header_take(&s, entity.data, entity.len);
	header_end(&s);
	if (!buf_ok(&s.text))
		w->failed = true;
	body = (struct span){entity.data + used, entity.len - used};
	type = field(&s, "Content-Type");
	if (w->failed)
		;
	else if (is_type(type, "multipart/") && find_boundary(type, boundary))
		walk_parts(w, body, boundary, depth);
	else if (is_type(type, "message/rfc822"))
		walk_entity(w, body, depth + 1);
	else
		give(w, body, field(&s, "Content-Transfer-Encoding"));
	header_free(&s);
}

bool
mime_each(const char *message, size_t n,
    bool (*found)(const char *octets, size_t n, void *context), void *context)
{
	struct walk w = {.found = found, .context = context};
	struct buf text = BUF_INIT(n);

	for (size_t i = 0; i < n; i++)
		if (message[i] != '\r' || i + 1 == n || message[i + 1] != '\n')
			buf_addc(&text, message[i]);
	w.failed = !buf_ok(&text);
	if (!w.failed)
		walk_entity(&w,
		    (struct span){text.data != NULL ? text.data : "", text.len},
		    0);
	buf_free(&text);
	return !w.failed;
}
