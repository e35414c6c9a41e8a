/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* memmem */
#include <string.h>
#include <strings.h>

#include "common/address.h"
#include "common/base64.h"
#include "common/utf8.h"
#include "mailauth/dmarc_walk.h"
#include "mailauth/from.h"

enum { ENCODED_MAX = 128 }; /* RFC 2047 section 2: 75 */

struct reader {
	const char *p, *end;
	bool list;         /* a comma ends a mailbox, and is no fault */
	const char *wrong; /* sticky */
};

static void
fail(struct reader *r, const char *wrong)
{
	if (r->wrong == NULL)
		r->wrong = wrong;
	r->p = r->end;
}

static bool
at(const struct reader *r, char c)
{
	return r->p < r->end && *r->p == c;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* A name for the reader's eyes; no part of it may look like an address. */
static void
skip_comment(struct reader *r)
{
	size_t depth = 0;

	for (; r->p < r->end; r->p++) {
		if (strchr("<>@\\", *r->p) != NULL) {
			fail(r, "address in a comment of From");
			return;
		}
		if (*r->p == '(')
			depth++;
		else if (*r->p == ')' && --depth == 0) {
			r->p++;
			return;
		}
	}
	fail(r, "comment without its end in From");
}

static void
skip_blanks(struct reader *r)
{
	while (r->p < r->end && (is_blank(*r->p) || *r->p == '('))
		if (*r->p == '(')
			skip_comment(r);
		else
			r->p++;
}

/*
 * Addresses between quotes are but a name; unless a reader who does not know
 * of backslashes sees the quotes end before them.
 */
static void
skip_quoted(struct reader *r)
{
	bool escape = false, address = false;

	for (r->p++; r->p < r->end && *r->p != '"'; r->p++) {
		if (*r->p == '\\' && r->p + 1 < r->end) {
			escape = true;
			r->p++;
		}
		if (strchr("<>@", *r->p) != NULL)
			address = true;
	}
	if (r->p == r->end)
		fail(r, "quoted string without its end in From");
	else if (escape && address)
		fail(r, "address behind a backslash in From");
	else
		r->p++;
}

/* Specials that end a word; "@" does not: who writes it may mean it. */
static bool
is_word_octet(char c)
{
	return c > ' ' ? strchr("()<>,;:\"\\\x7f", c) == NULL
		       : (unsigned char)c >= 0x80;
}

/* "=?charset?q?a,b?=": commas and colons in it are no list's. */
static const char *
behind_encoded_word(const char *p, const char *end)
{
	size_t marks = 0;

	if (end - p < 2 || p[0] != '=' || p[1] != '?')
		return p;
	for (const char *q = p + 1; q < end; q++) {
		if (*q == '?' && ++marks == 4)
			return q + 1 < end && q[1] == '=' ? q + 2 : p;
		if (*q == '@' ||
		    (!is_word_octet(*q) && strchr(",;:", *q) == NULL))
			return p;
	}
	return p;
}

static void
skip_word(struct reader *r)
{
	const char *start = r->p;

	r->p = behind_encoded_word(r->p, r->end);
	while (r->p < r->end && is_word_octet(*r->p))
		r->p++;
	if (r->p > start)
		return;
	if (*r->p == ',')
		fail(r, "several mailboxes in From");
	else if (*r->p == ':' || *r->p == ';')
		fail(r, "group in From");
	else
		fail(r, "unreadable From");
}

/* "=?charset?q?boss=40a.test?=" */
static bool
encodes_at(const char *p, const char *end)
{
	char octets[ENCODED_MAX];
	const char *text = p;
	size_t n, made;

	end = behind_encoded_word(p, end);
	if (end == p)
		return false;
	for (int marks = 0; marks < 3; text++)
		marks += *text == '?';
	n = (size_t)(end - 2 - text);
	if ((text[-2] | 0x20) == 'q')
		return memmem(text, n, "=40", 3) != NULL;
	return n > sizeof(octets) || !base64_decode(text, n, octets, &made) ||
	    memchr(octets, '@', made) != NULL;
}

/*
 * What is quoted or encoded is the address for who takes a bracket behind it
 * for its end; otherwise brackets in a name are only bad style.
 */
static void
check_brackets(struct reader *r, const char *word, bool *looks_like_address)
{
	const char *end = r->p;

	if (*word == '"') {
		*looks_like_address |=
		    memchr(word, '@', (size_t)(end - word)) != NULL;
		return;
	}
	*looks_like_address |= encodes_at(word, end);
	for (; word < end && *looks_like_address; word++)
		if (*word == '[' || *word == ']')
			fail(r, "bracket behind an address in From");
}

static bool
at_next(const struct reader *r)
{
	return r->list && at(r, ',');
}

/*
 * Words up to a "<", the next mailbox or the end; *plain: an "@" stands
 * outside quotes.
 */
static struct span
take_words(struct reader *r, bool *plain)
{
	const char *start = NULL, *end = NULL;
	bool looks_like_address = false;

	for (skip_blanks(r); r->p < r->end && !at(r, '<') && !at_next(r);
	     skip_blanks(r)) {
		const char *word = r->p;

		if (at(r, '"'))
			skip_quoted(r);
		else
			skip_word(r);
		if (r->wrong == NULL)
			check_brackets(r, word, &looks_like_address);
		if (r->wrong != NULL)
			break;
		if (*word != '"' && memchr(word, '@', (size_t)(r->p - word)))
			*plain = true;
		start = start == NULL ? word : start;
		end = r->p;
	}
	return (struct span){start, start == NULL ? 0 : (size_t)(end - start)};
}

/* Between "<" and ">", blanks at the edges let be. */
static struct span
take_angle(struct reader *r)
{
	const char *start = ++r->p, *close;

	close = memchr(start, '>', (size_t)(r->end - start));
	if (close == NULL) {
		fail(r, "no > behind the address in From");
		return (struct span){.len = 0};
	}
	r->p = close + 1;
	while (start < close && (*start == ' ' || *start == '\t'))
		start++;
	while (close > start && (close[-1] == ' ' || close[-1] == '\t'))
		close--;
	return (struct span){start, (size_t)(close - start)};
}

/* A mailbox's address, as it stands. */
static struct span
take_mailbox(struct reader *r)
{
	bool plain = false;
	struct span words = take_words(r, &plain), address;

	if (!at(r, '<'))
		return words;
	address = take_angle(r);
	skip_blanks(r);
	if (at(r, ',') && !r->list)
		fail(r, "several mailboxes in From");
	else if (r->p < r->end && !at_next(r))
		fail(r, "something behind the address in From");
	/* "joe@a.test <joe@a.test>" says the same twice */
	else if (plain &&
	    (words.len != address.len ||
		strncasecmp(words.data, address.data, words.len) != 0))
		fail(r, "two addresses in From");
	return address;
}

/* -- one address -- */

static bool
is_local_octet(char c, bool quoted)
{
	if (quoted && c == ' ')
		return true;
	return is_word_octet(c) && strchr("@[]", c) == NULL;
}

/* Behind the local part. */
static const char *
skip_local_part(const char *p, const char *end)
{
	bool quoted = p < end && *p == '"';

	if (quoted)
		p++;
	while (p < end && is_local_octet(*p, quoted))
		p++;
	if (quoted && p < end && *p == '"')
		p++;
	return p;
}

static bool
has_encoded_word(struct span s)
{
	for (size_t i = 0; i + 1 < s.len; i++)
		if (s.data[i] == '=' && s.data[i + 1] == '?')
			return true;
	return false;
}

static const char *
read_address(struct span text, bool whole, struct address *address)
{
	const char *end = text.data + text.len, *sign;
	size_t local;

	if (text.len == 0)
		return "no address in From";
	if (has_encoded_word(text))
		return "encoded word in the address of From";
	sign = skip_local_part(text.data, end);
	local = (size_t)(sign - text.data);
	if (local == 0 || sign == end || *sign != '@')
		return sign == end ? "no domain in From"
				   : "bad address in From";
	if (sign + 1 < end && sign[1] == '[')
		return "address literal in From";
	if (text.data[0] == '"' && (local < 3 || sign[-1] != '"'))
		return "bad address in From";
	if (text.data[0] == '"') {
		text.data++;
		local -= 2;
	}
	/* how long it is makes nobody's domain another */
	if (!whole && utf8_is_ascii(text.data, local))
		local = 1;
	return address_make(text.data, local, sign + 1,
		   (size_t)(end - sign - 1), ADDRESS_UTF8, address) == NULL
	    ? NULL
	    : "bad address in From";
}

/* -- all of it -- */

/* Octets that make readers see less, or more, than there is. */
static const char *
check_octets(struct span value)
{
	bool blank = true, backslash = false, first = true;

	for (size_t i = 0; i < value.len; i++) {
		char c = value.data[i];

		if ((c >= 0 && c < ' ' && !is_blank(c)) || c == 0x7f)
			return "control character in From";
		if (c == '\n') {
			if (blank && !first)
				return "blank line in From";
			blank = true;
			first = false;
		} else if (!is_blank(c)) {
			blank = false;
		}
		backslash = backslash || c == '\\';
	}
	if (blank)
		return first ? "no address in From" : "blank line in From";
	/* in another charset the backslash may be half of a character */
	return backslash && !utf8_valid(value.data, value.len)
	    ? "unreadable From"
	    : NULL;
}

const char *
from_read(struct span value, char domain[DNS_NAME_MAX + 1])
{
	struct reader r = {.p = value.data, .end = value.data + value.len};
	const char *wrong = check_octets(value);
	struct address address;
	struct span text;

	if (wrong != NULL)
		return wrong;
	text = take_mailbox(&r);
	if (r.wrong != NULL)
		return r.wrong;
	if ((wrong = read_address(text, false, &address)) != NULL)
		return wrong;
	return dmarc_normalise(address.domain, domain) ? NULL
						       : "bad address in From";
}

const char *
from_each(struct span value,
    bool (*found)(const struct address *, void *context), void *context)
{
	struct reader r = {
	    .p = value.data, .end = value.data + value.len, .list = true};
	const char *wrong = check_octets(value);
	struct address address;
	bool more = true;

	while (wrong == NULL && more) {
		struct span text = take_mailbox(&r);

		wrong = r.wrong != NULL ? r.wrong
					: read_address(text, true, &address);
		if (wrong == NULL && !found(&address, context))
			break;
		more = at_next(&r);
		r.p += more;
	}
	return wrong;
}
