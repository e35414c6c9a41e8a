/* SPDX-License-Identifier: ISC */
#include "common/address.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/utf8.h"

enum {
	LABEL_MAX = 63,   /* RFC 1035 section 2.3.4 */
	MAILBOX_MAX = 254 /* a path of 256 octets less its brackets */
};

static bool
is_high(char c)
{
	return ((unsigned char)c & 0x80) != 0;
}

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9');
}

/* RFC 5322 section 3.2.3, extended by RFC 6531 section 3.3. */
static bool
is_atext(char c)
{
	return is_alnum(c) || is_high(c) ||
	    (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* qtextSMTP and what may follow a backslash (section 4.1.2). */
static bool
is_quotable(char c)
{
	return (c >= ' ' && c <= '~') || is_high(c);
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Code points that are not to be seen, or that disguise a text. */
static bool
is_deceptive(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
	    {0x80, 0xa0},        /* C1 controls, no-break space */
	    {0xad, 0xad},        /* soft hyphen */
	    {0x37e, 0x37e},      /* a semicolon when normalised */
	    {0x1fef, 0x1fef},    /* a grave accent, likewise */
	    {0x2000, 0x200b},    /* spaces */
	    {0x200e, 0x200f},    /* marks of direction */
	    {0x2028, 0x202f},    /* separators, embeddings, overrides */
	    {0x205f, 0x206f},    /* invisible operators, isolates */
	    {0x3000, 0x3000},    /* ideographic space */
	    {0xd800, 0xf8ff},    /* surrogates, private use */
	    {0xfdd0, 0xfdef},    /* no characters */
	    {0xfeff, 0xfeff},    /* byte order mark */
	    {0xfff0, 0xffff},    /* specials */
	    {0xe0000, 0x10ffff}, /* tags, private use */
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return (c & 0xfffe) == 0xfffe;
}

/* Look like the dots, hyphens and letters of a host name (IDNA). */
static bool
is_not_for_domains(uint32_t c)
{
	return c == 0x3002 || (c >= 0x2488 && c <= 0x249b) ||
	    (c >= 0xff00 && c <= 0xffef);
}

static const char *
check_utf8(const char *text, size_t n, unsigned flags, bool domain)
{
	uint32_t code;

	if (utf8_is_ascii(text, n))
		return NULL;
	if ((flags & ADDRESS_UTF8) == 0)
		return "non-ASCII address without SMTPUTF8";
	while (n > 0) {
		size_t length = utf8_decode(text, n, &code);

		if (length == 0)
			return "ill-formed UTF-8";
		if (is_deceptive(code) || (domain && is_not_for_domains(code)))
			return "forbidden character";
		text += length;
		n -= length;
	}
	return NULL;
}

/* -- domains -- */

/* Into canonical form, so that equal literals are equal texts. */
static const char *
take_literal(const char *text, size_t n, char *out)
{
	static const char tag[] = "IPv6:";
	char inner[64], canonical[INET6_ADDRSTRLEN];
	unsigned char address[16];
	int family = AF_INET;
	const char *number = inner;

	if (n < 2 || text[n - 1] != ']')
		return "address literal without its end";
	if (n - 2 >= sizeof(inner) || memchr(text, '\0', n) != NULL)
		return "bad address literal";
	memcpy(inner, text + 1, n - 2);
	inner[n - 2] = '\0';
	if (strncasecmp(inner, tag, sizeof(tag) - 1) == 0) {
		family = AF_INET6;
		number += sizeof(tag) - 1;
	}
	if (inet_pton(family, number, address) != 1 ||
	    inet_ntop(family, address, canonical, sizeof(canonical)) == NULL)
		return "bad address literal";
	snprintf(out, ADDRESS_DOMAIN_MAX + 1, "[%s%s]",
	    family == AF_INET6 ? tag : "", canonical);
	return NULL;
}

/*
 * Letters, digits, hyphens inside; underscores too, because hosts in use
 * have them in their names.
 */
static const char *
check_labels(const char *text, size_t n)
{
	size_t label = 0;

	for (size_t i = 0; i <= n; i++) {
		if (i == n || text[i] == '.') {
			if (label == 0)
				return "empty label in domain";
			if (label > LABEL_MAX)
				return "label too long in domain";
			if (text[i - 1] == '-' || text[i - label] == '-')
				return "hyphen at the edge of a label";
			label = 0;
		} else if (is_alnum(text[i]) || is_high(text[i]) ||
		    text[i] == '-' || text[i] == '_') {
			label++;
		} else {
			return "bad character in domain";
		}
	}
	return NULL;
}

static const char *
take_domain(const char *text, size_t n, unsigned flags, char *out)
{
	const char *wrong;

	if (n == 0)
		return "no domain";
	if (text[0] == '[')
		return take_literal(text, n, out);
	if (n > ADDRESS_DOMAIN_MAX)
		return "domain too long";
	wrong = check_labels(text, n);
	if (wrong == NULL)
		wrong = check_utf8(text, n, flags, true);
	if (wrong != NULL)
		return wrong;
	for (size_t i = 0; i < n; i++)
		out[i] = lower(text[i]);
	out[n] = '\0';
	return NULL;
}

const char *
address_check_domain(const char *domain, unsigned flags)
{
	char out[ADDRESS_DOMAIN_MAX + 1];

	return take_domain(domain, strlen(domain), flags, out);
}

/* -- mailboxes -- */

const char *
address_make(const char *local, size_t nlocal, const char *domain,
    size_t ndomain, unsigned flags, struct address *out)
{
	char text[ADDRESS_TEXT_MAX + 1];
	const char *wrong;

	*out = (struct address){.local = ""};
	if (nlocal == 0 && ndomain == 0)
		return "no address";
	if (nlocal > ADDRESS_LOCAL_MAX)
		return "local part too long";
	for (size_t i = 0; i < nlocal; i++)
		if (!is_quotable(local[i]))
			return "control character in local part";
	wrong = check_utf8(local, nlocal, flags, false);
	if (wrong == NULL && (ndomain > 0 || (flags & ADDRESS_BARE) == 0))
		wrong = take_domain(domain, ndomain, flags, out->domain);
	if (wrong != NULL)
		return wrong;
	memcpy(out->local, local, nlocal);
	out->utf8 = !utf8_is_ascii(local, nlocal) ||
	    !utf8_is_ascii(out->domain, strlen(out->domain));
	address_format(out, text);
	return strlen(text) > MAILBOX_MAX ? "address too long" : NULL;
}

struct local_part {
	char octets[ADDRESS_LOCAL_MAX + 1];
	size_t n; /* above ADDRESS_LOCAL_MAX: too long */
};

static void
local_add(struct local_part *local, char c)
{
	if (local->n < sizeof(local->octets))
		local->octets[local->n++] = c;
}

/* Behind the closing quote, or NULL. */
static const char *
read_quoted(const char *p, struct local_part *local)
{
	for (p++; *p != '"'; p++) {
		if (*p == '\\')
			p++;
		if (!is_quotable(*p))
			return NULL;
		local_add(local, *p);
	}
	return p + 1;
}

/* Behind the dot-string, which may be empty, or NULL. */
static const char *
read_dot_string(const char *p, struct local_part *local)
{
	char before = '.';

	for (; is_atext(*p) || *p == '.'; p++) {
		if (*p == '.' && before == '.')
			return NULL;
		local_add(local, *p);
		before = *p;
	}
	return local->n > 0 && before == '.' ? NULL : p;
}

static size_t
domain_length(const char *p)
{
	return *p == '[' ? strcspn(p, "]") + (strchr(p, ']') != NULL)
			 : strcspn(p, " \t\r\n>,:@");
}

static const char *
read_mailbox(
    const char *p, unsigned flags, struct address *out, const char **rest)
{
	struct local_part local = {.n = 0};
	const char *start = p, *domain = "";
	size_t ndomain = 0;
	bool quoted = *p == '"';

	p = quoted ? read_quoted(p, &local) : read_dot_string(p, &local);
	if (p == NULL)
		return "bad local part";
	if (local.n == 0 && !quoted)
		return "no local part";
	if (*p == '@') {
		domain = p + 1;
		ndomain = domain_length(domain);
		p = domain + ndomain;
		flags &= ~(unsigned)(ADDRESS_BARE | ADDRESS_POSTMASTER);
	} else if ((flags & ADDRESS_POSTMASTER) != 0 && local.n == 10 &&
	    strncasecmp(local.octets, "postmaster", 10) == 0) {
		flags |= ADDRESS_BARE;
	}
	*rest = p;
	if (p - start > MAILBOX_MAX)
		return "address too long";
	return address_make(local.octets, local.n, domain, ndomain, flags, out);
}

/* Behind the colon of "@a,@b:"; where there is no route, text itself. */
static const char *
skip_route(const char *p)
{
	char out[ADDRESS_DOMAIN_MAX + 1];

	if (*p != '@')
		return p;
	for (;;) {
		size_t n = domain_length(++p);

		if (take_domain(p, n, ADDRESS_UTF8, out) != NULL)
			return NULL;
		p += n;
		if (*p == ':')
			return p + 1;
		if (p[0] != ',' || p[1] != '@')
			return NULL;
		p++;
	}
}

const char *
address_parse_path(
    const char *text, unsigned flags, struct address *out, const char **rest)
{
	const char *p = text, *wrong;

	*out = (struct address){.local = ""};
	if (*p++ != '<')
		return "no < before the address";
	if (*p == '>' && (flags & ADDRESS_NULL) != 0) {
		*rest = p + 1;
		return NULL;
	}
	p = skip_route(p);
	if (p == NULL)
		return "bad source route";
	wrong = read_mailbox(p, flags, out, &p);
	if (wrong != NULL)
		return wrong;
	if (*p != '>')
		return "no > behind the address";
	*rest = p + 1;
	return NULL;
}

const char *
address_parse(const char *text, unsigned flags, struct address *out)
{
	const char *rest, *wrong;

	*out = (struct address){.local = ""};
	if (*text == '\0' && (flags & ADDRESS_NULL) != 0)
		return NULL;
	wrong = read_mailbox(text, flags, out, &rest);
	if (wrong == NULL && *rest != '\0')
		wrong = "something behind the address";
	return wrong;
}

bool
address_is_null(const struct address *a)
{
	return a->local[0] == '\0' && a->domain[0] == '\0';
}

void
address_format(const struct address *a, char *out)
{
	struct local_part ignored = {.n = 0};
	const char *end = read_dot_string(a->local, &ignored);
	bool plain = a->local[0] != '\0' && end != NULL && *end == '\0';

	if (address_is_null(a)) {
		out[0] = '\0';
		return;
	}
	if (!plain)
		*out++ = '"';
	for (const char *p = a->local; *p != '\0'; p++) {
		if (!plain && (*p == '"' || *p == '\\'))
			*out++ = '\\';
		*out++ = *p;
	}
	if (!plain)
		*out++ = '"';
	if (a->domain[0] != '\0')
		*out++ = '@';
	memcpy(out, a->domain, strlen(a->domain) + 1);
}

bool
address_equal(const struct address *a, const struct address *b)
{
	return strcmp(a->local, b->local) == 0 &&
	    strcasecmp(a->domain, b->domain) == 0;
}
