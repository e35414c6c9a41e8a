/* SPDX-License-Identifier: ISC */
#include "sendmail/header.h"

#include <string.h>

#include "common/utf8.h"

/* -- addresses without a domain -- */

/* Behind the quoted string or literal that begins at p; NULL: no end. */
static const char *
skip_enclosed(const char *p, const char *end)
{
	char close = *p == '[' ? ']' : '"';

	for (p++; p < end; p++) {
		if (*p == close)
			return p + 1;
		if (*p == '\\')
			p++;
	}
	return NULL;
}

/* Comments nest. */
static const char *
skip_comment(const char *p, const char *end)
{
	size_t depth = 0;

	for (; p < end; p++) {
		if (*p == '\\')
			p++;
		else if (*p == '(')
			depth++;
		else if (*p == ')' && --depth == 0)
			return p + 1;
	}
	return NULL;
}

struct element {
	const char *end;      /* at the separator, or the value's end */
	const char *word_end; /* of the last word */
	size_t words;
	bool domain, bad;
};

static bool
is_separator(char c)
{
	return c == ',' || c == ';' || c == ':';
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Within angle brackets only what is in them counts. */
static struct element
read_element(const char *p, const char *end)
{
	struct element e = {.bad = false};
	bool angle = false, closed = false, in_word = false;

	for (; p < end && (angle || !is_separator(*p)); p++) {
		const char *start = p;

		if (*p == '"' || *p == '(' || *p == '[') {
			p = *p == '(' ? skip_comment(p, end)
				      : skip_enclosed(p, end);
			if (p == NULL) {
				e.bad = true;
				p = end;
				break;
			}
			p--;
		}
		if (*start == '<') {
			angle = true;
			in_word = false;
			e.words = 0;
			e.domain = false;
		} else if (*start == '>') {
			closed = angle;
			angle = false;
			in_word = false;
		} else if (is_space(*start) || *start == '(') {
			in_word = false;
		} else if (!closed) {
			e.domain = e.domain || *start == '@';
			e.words += !in_word;
			in_word = true;
			e.word_end = p + 1;
		}
	}
	e.bad = e.bad || angle;
	e.end = p;
	return e;
}

void
header_qualify(const char *value, size_t n, const char *domain, struct buf *out)
{
	const char *p = value, *end = value + n;

	while (p < end) {
		struct element e = read_element(p, end);
		bool group = e.end < end && *e.end == ':';

		if (!e.bad && !e.domain && e.words == 1 && !group) {
			buf_add(out, p, (size_t)(e.word_end - p));
			buf_addf(out, "@%s", domain);
			p = e.word_end;
		}
		if (e.end < end)
			e.end++;
		buf_add(out, p, (size_t)(e.end - p));
		p = e.end;
	}
}

/* -- display names -- */

static void
add_base64(const unsigned char *octets, size_t n, struct buf *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i += 3) {
		unsigned bits = (unsigned)octets[i] << 16;

		if (i + 1 < n)
			bits |= (unsigned)octets[i + 1] << 8;
		if (i + 2 < n)
			bits |= octets[i + 2];
		buf_addc(out, digits[bits >> 18]);
		buf_addc(out, digits[bits >> 12 & 63]);
		buf_addc(out, i + 1 < n ? digits[bits >> 6 & 63] : '=');
		buf_addc(out, i + 2 < n ? digits[bits & 63] : '=');
	}
}

/* An encoded word has at most 75 octets and no half characters. */
enum { ENCODED_OCTETS = 45 };

static void
add_encoded(const char *name, size_t n, struct buf *out)
{
	while (n > 0) {
		size_t part = 0, length;
		uint32_t code;

		while (part < n) {
			length = utf8_decode(name + part, n - part, &code);
			if (part + length > ENCODED_OCTETS)
				break;
			part += length;
		}
		buf_adds(out, "=?utf-8?B?");
		add_base64((const unsigned char *)name, part, out);
		buf_adds(out, "?=");
		name += part;
		n -= part;
		if (n > 0)
			buf_addc(out, ' ');
	}
}

static void
add_quoted(const char *name, size_t n, struct buf *out)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < n; i++) {
		if (name[i] == '"' || name[i] == '\\')
			buf_addc(out, '\\');
		buf_addc(out, name[i]);
	}
	buf_addc(out, '"');
}

enum { NAME_MAX_OCTETS = 200 };

void
header_phrase(const char *name, struct buf *out)
{
	static const char atoms[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789"
				    "!#$%&'*+-/=?^_`{|}~ ";
	size_t n = strlen(name);
	bool ascii = true;
	uint32_t code;

	if (n > NAME_MAX_OCTETS)
		return;
	for (size_t i = 0, length; i < n; i += length) {
		length = utf8_decode(name + i, n - i, &code);
		if (length == 0 || code < ' ' || code == 0x7f)
			return;
		ascii = ascii && length == 1;
	}
	if (!ascii)
		add_encoded(name, n, out);
	else if (strspn(name, atoms) == n && strstr(name, "=?") == NULL)
		buf_add(out, name, n);
	else
		add_quoted(name, n, out);
}
