/* SPDX-License-Identifier: ISC */
#include "mailauth/spf_term.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "mailauth/spf_macro.h"

/* What may stand behind a mechanism's name. */
enum target { TARGET_NONE, TARGET_MAY, TARGET_MUST, TARGET_NETWORK };

static const struct mechanism {
	const char *name;
	enum spf_kind kind;
	enum target target;
	bool prefixes; /* dual-cidr-length */
} mechanisms[] = {
    {"all", SPF_ALL, TARGET_NONE, false},
    {"include", SPF_INCLUDE, TARGET_MUST, false},
    {"a", SPF_A, TARGET_MAY, true},
    {"mx", SPF_MX, TARGET_MAY, true},
    {"ptr", SPF_PTR, TARGET_MAY, false},
    {"ip4", SPF_IP4, TARGET_NETWORK, false},
    {"ip6", SPF_IP6, TARGET_NETWORK, false},
    {"exists", SPF_EXISTS, TARGET_MUST, false},
};

static bool
is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_alnum(char c)
{
	return is_alpha(c) || is_digit(c);
}

static struct span
from(struct span s, size_t at)
{
	return (struct span){s.data + at, s.len - at};
}

/* Section 7.1: with a letter or a hyphen, and no hyphen at its ends. */
static bool
is_top_label(struct span s)
{
	bool telling = false;

	for (size_t i = 0; i < s.len; i++) {
		if (!is_alnum(s.data[i]) && s.data[i] != '-')
			return false;
		telling = telling || !is_digit(s.data[i]);
	}
	return telling && s.data[0] != '-' && s.data[s.len - 1] != '-';
}

/* Section 7.1: it ends in a macro, or in a dot and a top label. */
static const char *
check_domain_spec(struct span s)
{
	bool macro_ends;
	const char *error = spf_macro_check(s, SPF_IN_RECORD, &macro_ends);
	size_t at;

	if (error != NULL)
		return error;
	if (s.len == 0)
		return "a domain is missing";
	if (macro_ends)
		return NULL;
	if (s.data[s.len - 1] == '.')
		s.len--;
	for (at = s.len; at > 0 && s.data[at - 1] != '.';)
		at--;
	return at > 0 && is_top_label(from(s, at)) ? NULL
						   : "this is no domain name";
}

/* Digits at the end with this mark before them, cut off; false: too many. */
static bool
cut_prefix(struct span *s, const char *mark, unsigned most, unsigned *prefix)
{
	size_t at = s->len, n = strlen(mark);
	unsigned value = 0;

	while (at > 0 && is_digit(s->data[at - 1]))
		at--;
	if (at == s->len || at < n || memcmp(s->data + at - n, mark, n) != 0)
		return true;
	if (s->len - at > 3 || (s->data[at] == '0' && s->len - at > 1))
		return false;
	for (size_t i = at; i < s->len; i++)
		value = value * 10 + (unsigned)(s->data[i] - '0');
	s->len = at - n;
	*prefix = value;
	return value <= most;
}

static const char *
parse_network(struct span s, struct spf_term *t)
{
	bool four = t->kind == SPF_IP4;
	struct sockaddr_in *in = (struct sockaddr_in *)&t->network;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&t->network;
	char text[INET6_ADDRSTRLEN];

	if (!cut_prefix(
		&s, "/", four ? 32 : 128, four ? &t->prefix4 : &t->prefix6))
		return "there is no such prefix length";
	if (s.len >= sizeof(text) || memchr(s.data, '\0', s.len) != NULL)
		return "this is no address";
	memcpy(text, s.data, s.len);
	text[s.len] = '\0';
	t->network.ss_family = four ? AF_INET : AF_INET6;
	if (inet_pton(t->network.ss_family, text,
		four ? (void *)&in->sin_addr : (void *)&in6->sin6_addr) != 1)
		return "this is no address";
	return NULL;
}

/* What stands behind the name: ":" target, "/" prefix. */
static const char *
parse_rest(struct span rest, const struct mechanism *m, struct spf_term *t)
{
	if (m->prefixes &&
	    (!cut_prefix(&rest, "//", 128, &t->prefix6) ||
		!cut_prefix(&rest, "/", 32, &t->prefix4)))
		return "there is no such prefix length";
	if (rest.len == 0)
		return m->target >= TARGET_MUST ? "what it is about is missing"
						: NULL;
	if (rest.data[0] != ':' || m->target == TARGET_NONE)
		return "nothing of this kind may follow here";
	t->target = from(rest, 1);
	return m->target == TARGET_NETWORK ? parse_network(t->target, t)
					   : check_domain_spec(t->target);
}

static const char *
parse_mechanism(struct span s, struct spf_term *t)
{
	static const enum auth_result results[] = {
	    AUTH_PASS, AUTH_FAIL, AUTH_SOFTFAIL, AUTH_NEUTRAL};
	static const char qualifiers[] = "+-~?";
	const char *q = memchr(qualifiers, s.data[0], sizeof(qualifiers) - 1);
	size_t n = 0;

	t->qualifier = q == NULL ? AUTH_PASS : results[q - qualifiers];
	s = from(s, q != NULL);
	while (n < s.len && s.data[n] != ':' && s.data[n] != '/')
		n++;
	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]);
	     i++) {
		const struct mechanism *m = &mechanisms[i];

		if (n != strlen(m->name) ||
		    strncasecmp(s.data, m->name, n) != 0)
			continue;
		t->kind = m->kind;
		return parse_rest(from(s, n), m, t);
	}
	return "there is no such mechanism";
}

/* The length of a modifier's name; 0: it is none (section 4.6.1). */
static size_t
modifier_name(struct span s)
{
	size_t n = 0;

	while (n < s.len &&
	    (is_alnum(s.data[n]) ||
		(n > 0 && memchr("-_.", s.data[n], 3) != NULL)))
		n++;
	return n > 0 && n < s.len && s.data[n] == '=' && is_alpha(s.data[0])
	    ? n
	    : 0;
}

static bool
is_named(struct span s, size_t n, const char *name)
{
	return n == strlen(name) && strncasecmp(s.data, name, n) == 0;
}

static const char *
parse_modifier(struct span s, size_t n, struct spf_term *t)
{
	bool ignored;

	t->target = from(s, n + 1);
	if (is_named(s, n, "redirect"))
		t->kind = SPF_REDIRECT;
	else if (is_named(s, n, "exp"))
		t->kind = SPF_EXP;
	else
		t->kind = SPF_UNKNOWN_MODIFIER;
	return t->kind == SPF_UNKNOWN_MODIFIER
	    ? spf_macro_check(t->target, SPF_IN_EXPLANATION, &ignored)
	    : check_domain_spec(t->target);
}

const char *
spf_term_parse(struct span text, struct spf_term *t)
{
	size_t n = modifier_name(text);

	*t = (struct spf_term){.text = text, .prefix4 = 32, .prefix6 = 128};
	return n > 0 ? parse_modifier(text, n, t) : parse_mechanism(text, t);
}
