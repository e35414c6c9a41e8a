/* SPDX-License-Identifier: ISC */
#include "common/address.h"

#include <string.h>

/*
 * A scanner over one header value.  Words are collected before it is known
 * whether they are a display name or a local part: "@" or "<" decides.
 */
struct scanner {
	const char *p, *end;
	const char *wrong; /* sticky */
};

struct words {
	char octets[ADDRESS_DOMAIN_MAX + 1];
	size_t n;     /* above ADDRESS_DOMAIN_MAX: too long */
	size_t count; /* words and dots */
	bool after_dot;
	bool dotted; /* words and dots alternate: an address could be that */
	bool odd;    /* has what only a display name may have */
};

static void
fail(struct scanner *s, const char *wrong)
{
	if (s->wrong == NULL)
		s->wrong = wrong;
	s->p = s->end;
}

static bool
at(const struct scanner *s, char c)
{
	return s->p < s->end && *s->p == c;
}

/* Comments nest: counted, so that depth costs nothing (A19). */
static void
skip_comment(struct scanner *s)
{
	size_t depth = 0;

	for (; s->p < s->end; s->p++) {
		if (*s->p == '\\' && s->p + 1 < s->end)
			s->p++;
		else if (*s->p == '(')
			depth++;
		else if (*s->p == ')' && --depth == 0) {
			s->p++;
			return;
		}
	}
	fail(s, "comment without its end");
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void
skip_space(struct scanner *s)
{
	while (s->p < s->end) {
		if (*s->p == '(')
			skip_comment(s);
		else if (is_space(*s->p))
			s->p++;
		else
			return;
	}
}

static void
add_octet(struct words *w, char c)
{
	if (w->n < sizeof(w->octets))
		w->octets[w->n++] = c;
}

static void
begin_word(struct words *w)
{
	if (w->count > 0 && !w->after_dot)
		w->dotted = false;
	w->count++;
	w->after_dot = false;
}

static void
take_dot(struct scanner *s, struct words *w)
{
	if (w->count == 0 || w->after_dot)
		w->dotted = false;
	w->count++;
	w->after_dot = true;
	add_octet(w, '.');
	s->p++;
}

static void
take_quoted(struct scanner *s, struct words *w)
{
	begin_word(w);
	for (s->p++; s->p < s->end && *s->p != '"'; s->p++) {
		if (*s->p == '\r' || *s->p == '\n')
			continue; /* folded: the white space stays */
		if (*s->p == '\\' && s->p + 1 < s->end)
			s->p++;
		add_octet(w, *s->p);
	}
	if (s->p == s->end)
		fail(s, "quoted string without its end");
	else
		s->p++;
}

/* "Mr. X [staff] <x@...>" is no phrase, but it is common in display names. */
static bool
is_word_octet(char c, bool *odd)
{
	if ((unsigned char)c <= ' ' || (unsigned char)c == 0x7f)
		return false;
	if (strchr("[]\\", c) != NULL)
		*odd = true;
	return strchr("()<>@,;:\".", c) == NULL;
}

static void
take_atom(struct scanner *s, struct words *w)
{
	begin_word(w);
	while (s->p < s->end && is_word_octet(*s->p, &w->odd))
		add_octet(w, *s->p++);
}

/* Words and dots up to what is neither. */
static struct words
take_words(struct scanner *s)
{
	struct words w = {.dotted = true};
	bool odd;

	for (skip_space(s); s->p < s->end; skip_space(s)) {
		if (*s->p == '"')
			take_quoted(s, &w);
		else if (*s->p == '.')
			take_dot(s, &w);
		else if (is_word_octet(*s->p, &odd))
			take_atom(s, &w);
		else
			break;
	}
	return w;
}

static bool
is_local_part(const struct words *w)
{
	return w->count > 0 && w->dotted && !w->after_dot && !w->odd &&
	    w->n <= ADDRESS_LOCAL_MAX;
}

static struct words
take_literal(struct scanner *s)
{
	struct words w = {.dotted = true, .count = 1};

	for (; s->p < s->end && *s->p != ']'; s->p++)
		if (!is_space(*s->p))
			add_octet(&w, *s->p);
	if (at(s, ']'))
		add_octet(&w, *s->p++);
	return w;
}

static struct words
take_domain(struct scanner *s)
{
	struct words w;

	skip_space(s);
	if (at(s, '[')) {
		w = take_literal(s);
		skip_space(s);
	} else {
		w = take_words(s);
	}
	if (w.n == 0 || !w.dotted || w.n > ADDRESS_DOMAIN_MAX)
		fail(s, "bad domain");
	return w;
}

/* local has been read; "@" and a domain may follow. */
static bool
take_address(struct scanner *s, const struct words *local, struct address *out)
{
	struct words domain = {.n = 0};
	const char *wrong;

	if (!is_local_part(local)) {
		fail(s, local->count == 0 ? "no address" : "bad local part");
		return false;
	}
	if (at(s, '@')) {
		s->p++;
		domain = take_domain(s);
	} else if (s->p < s->end && !at(s, ',') && !at(s, ';') && !at(s, '>')) {
		fail(s, "bad address list");
	}
	if (s->wrong != NULL)
		return false;
	wrong = address_make(local->octets, local->n, domain.octets, domain.n,
	    ADDRESS_UTF8 | (domain.n == 0 ? ADDRESS_BARE : 0), out);
	if (wrong != NULL)
		fail(s, wrong);
	return wrong == NULL;
}

/* "@a,@b:" before the address, obsolete (section 4.4). */
static void
skip_route(struct scanner *s)
{
	skip_space(s);
	if (!at(s, '@'))
		return;
	while (at(s, '@') || at(s, ',')) {
		if (*s->p++ == '@')
			(void)take_domain(s);
		skip_space(s);
	}
	if (at(s, ':'))
		s->p++;
	else
		fail(s, "bad source route");
}

static bool
take_angle(struct scanner *s, struct address *out)
{
	struct words local;

	s->p++;
	skip_route(s);
	local = take_words(s);
	if (!take_address(s, &local, out))
		return false;
	skip_space(s);
	if (!at(s, '>')) {
		fail(s, "no > behind the address");
		return false;
	}
	s->p++;
	return true;
}

/* One element of the list; true when *out is a mailbox. */
static bool
take_element(struct scanner *s, bool *in_group, struct address *out)
{
	struct words w = take_words(s);

	if (at(s, ':') && !*in_group && w.count > 0) {
		*in_group = true;
		s->p++;
		return false;
	}
	if (at(s, '<'))
		return take_angle(s, out);
	if (w.count == 0 && !at(s, '@'))
		return false; /* between two commas (obs-addr-list) */
	return take_address(s, &w, out);
}

/* What may stand behind an element. */
static void
take_separator(struct scanner *s, bool *in_group, bool found)
{
	skip_space(s);
	if (s->p == s->end)
		return;
	if (*s->p == ';' && *in_group)
		*in_group = false;
	else if (*s->p != ',')
		fail(s,
		    found ? "something behind the address"
			  : "bad address list");
	if (s->p < s->end)
		s->p++;
}

const char *
address_header_each(const char *value, size_t n,
    bool (*found)(const struct address *, void *context), void *context)
{
	struct scanner s = {.p = value, .end = value + n};
	bool in_group = false;

	while (s.p < s.end) {
		bool was_in_group = in_group;
		struct address address;
		bool is_mailbox = take_element(&s, &in_group, &address);

		if (is_mailbox && !found(&address, context))
			return NULL;
		if (in_group == was_in_group)
			take_separator(&s, &in_group, is_mailbox);
	}
	if (s.wrong == NULL && in_group)
		s.wrong = "group without its end";
	return s.wrong;
}
