/* SPDX-License-Identifier: ISC */
#include "mailauth/spf_macro.h"

#include <string.h>

#include "mailauth/spf_value.h"

enum { TARGET_MAX = 253, LABEL_MAX = 63, PARTS_KEPT_MAX = 1000 };

/* A piece of a macro-string: a macro, or octets that stand for themselves. */
struct piece {
	char letter;        /* lower case; 0: no macro */
	bool escape;        /* it was upper case: URL escapes */
	bool percent;       /* %%, %_, %- */
	struct span octets; /* of what is no macro */
	struct spf_transform how;
};

static const char *
read_transform(struct cursor *c, struct spf_transform *how)
{
	static const char delimiters[] = ".-+,/_=";
	unsigned char octet = cursor_u8(c);
	bool digits = false;

	*how = (struct spf_transform){.keep = PARTS_KEPT_MAX};
	for (; octet >= '0' && octet <= '9'; octet = cursor_u8(c)) {
		how->keep = (digits ? how->keep * 10 : 0) + octet - '0';
		if (how->keep > PARTS_KEPT_MAX)
			how->keep = PARTS_KEPT_MAX;
		digits = true;
	}
	if (how->keep == 0)
		return "a macro cannot keep 0 parts";
	how->reverse = octet == 'r' || octet == 'R';
	if (how->reverse)
		octet = cursor_u8(c);
	how->delimiters.data = (const char *)c->pos - 1;
	for (; octet != '\0' && strchr(delimiters, octet) != NULL;
	     octet = cursor_u8(c))
		how->delimiters.len++;
	how->any = digits || how->reverse || how->delimiters.len > 0;
	return octet == '}' && cursor_ok(c) ? NULL
					    : "a macro is not well-formed";
}

static const char *
read_macro(struct cursor *c, enum spf_place place, struct piece *p)
{
	static const char letters[] = "slodiphv", others[] = "crt";
	unsigned char octet = cursor_u8(c);

	p->escape = octet >= 'A' && octet <= 'Z';
	p->letter = (char)(p->escape ? octet + 32 : octet);
	if (!cursor_ok(c) || p->letter == '\0' ||
	    (strchr(letters, p->letter) == NULL &&
		strchr(others, p->letter) == NULL))
		return "there is no such macro";
	if (place == SPF_IN_RECORD && strchr(others, p->letter) != NULL)
		return "this macro is for explanations only";
	return read_transform(c, &p->how);
}

/* NULL, or what is wrong; there is at least one octet left. */
static const char *
read_piece(struct cursor *c, enum spf_place place, struct piece *p)
{
	static const char *const stands_for[] = {"%", " ", "%20"};
	static const char percents[] = "%_-";
	const char *at;
	unsigned char octet = cursor_u8(c);

	*p = (struct piece){.octets = {(const char *)c->pos - 1, 1}};
	if (octet != '%')
		return (octet > ' ' && octet <= '~') ||
			(octet == ' ' && place == SPF_IN_EXPLANATION)
		    ? NULL
		    : "an octet that may not stand here";
	octet = cursor_u8(c);
	if (octet == '{')
		return read_macro(c, place, p);
	at = octet == '\0' ? NULL : strchr(percents, octet);
	if (at == NULL)
		return "a % that begins no macro";
	p->percent = true;
	p->octets.data = stands_for[at - percents];
	p->octets.len = strlen(p->octets.data);
	return NULL;
}

const char *
spf_macro_check(struct span s, enum spf_place place, bool *ends)
{
	struct cursor c = cursor_over(s.data, s.len);
	const char *error = NULL;
	struct piece p;

	*ends = false;
	while (error == NULL && cursor_left(&c) > 0) {
		error = read_piece(&c, place, &p);
		*ends = p.percent || p.letter != '\0';
	}
	return error;
}

bool
spf_names_client(struct span s)
{
	struct cursor c = cursor_over(s.data, s.len);
	struct piece p;

	while (cursor_left(&c) > 0) {
		if (read_piece(&c, SPF_IN_RECORD, &p) != NULL)
			return false;
		if (p.letter != '\0' && strchr("sliph", p.letter) != NULL)
			return true;
	}
	return false;
}

/* -- names -- */

/*
 * Of all that comes out only the end counts, so only that is kept: a record
 * of nothing but macros costs no more memory than a short one.
 */
struct tail {
	size_t n;
	char octets[2 * SPF_VALUE_MAX];
};

static void
tail_add(struct tail *t, struct span s)
{
	size_t room = sizeof(t->octets) - t->n;

	if (s.len > room) {
		size_t drop = t->n - (TARGET_MAX + 2);

		memmove(t->octets, t->octets + drop, t->n - drop);
		t->n -= drop;
	}
	memcpy(t->octets + t->n, s.data, s.len);
	t->n += s.len;
}

/* The same without the labels at its left that are too much. */
static struct span
tail_name(const struct tail *t)
{
	struct span name = {t->octets, t->n};

	if (name.len > 0 && name.data[name.len - 1] == '.')
		name.len--;
	while (name.len > TARGET_MAX) {
		const char *dot = memchr(name.data, '.', name.len);
		size_t drop =
		    dot == NULL ? name.len : (size_t)(dot - name.data) + 1;

		name.data += drop;
		name.len -= drop;
	}
	return name;
}

/*
 * Labels of 1 to 63 octets.  A backslash would be an escape to the
 * resolver, and what does not print is in no name.
 */
static bool
is_name(struct span s)
{
	size_t label = 0;

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];

		if (c < ' ' || c > '~' || c == '\\' ||
		    (c == '.' && label == 0) ||
		    (c != '.' && label == LABEL_MAX))
			return false;
		label = c == '.' ? 0 : label + 1;
	}
	return label > 0;
}

bool
spf_expand_target(
    const struct spf_macros *m, struct span s, char out[DNS_NAME_MAX + 1])
{
	struct cursor c = cursor_over(s.data, s.len);
	char value[SPF_VALUE_MAX];
	struct tail tail = {0};
	struct piece p;
	struct span name;

	out[0] = '\0';
	while (cursor_left(&c) > 0) {
		if (read_piece(&c, SPF_IN_RECORD, &p) != NULL)
			return false;
		if (p.letter != '\0' &&
		    !spf_value(m, p.letter, &p.how, p.escape, value, &p.octets))
			return false;
		tail_add(&tail, p.octets);
	}
	name = tail_name(&tail);
	if (!is_name(name))
		return false;
	memcpy(out, name.data, name.len);
	out[name.len] = '\0';
	return true;
}

/* -- explanations -- */

bool
spf_expand_explanation(
    const struct spf_macros *m, const char *text, char *out, size_t size)
{
	struct cursor c = cursor_over(text, strlen(text));
	char value[SPF_VALUE_MAX];
	size_t n = 0;
	bool good = true;
	struct piece p;

	while (good && cursor_left(&c) > 0) {
		good = read_piece(&c, SPF_IN_EXPLANATION, &p) == NULL &&
		    (p.letter == '\0' ||
			spf_value(
			    m, p.letter, &p.how, p.escape, value, &p.octets));
		for (size_t i = 0; good && i < p.octets.len; i++) {
			good =
			    p.octets.data[i] >= ' ' && p.octets.data[i] <= '~';
			if (n + 1 < size)
				out[n++] = p.octets.data[i];
		}
	}
	out[good ? n : 0] = '\0';
	return good;
}
