/* SPDX-License-Identifier: ISC */
#include "mailauth/dkim_signature.h"

#include <stdio.h>
#include <string.h>

#include "mailauth/dkim_body.h"
#include "mailauth/dkim_text.h"
#include "mailauth/tags.h"

static const char *
take_version(const struct tag *v)
{
	if (v == NULL)
		return "v= is missing";
	return v->value.len == 1 && v->value.data[0] == '1'
	    ? NULL
	    : "unknown version in v=";
}

static const char *
take_algorithm(
    const struct tag *a, struct dkim_signature *s, struct dkim_result *r)
{
	static const struct {
		const char *name;
		enum dkim_algorithm algorithm;
	} known[] = {{"rsa-sha256", DKIM_RSA_SHA256},
	    {"ed25519-sha256", DKIM_ED25519_SHA256},
	    {"rsa-sha1", DKIM_RSA_SHA1}};

	if (a == NULL)
		return "a= is missing";
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (span_is(a->value, known[i].name)) {
			s->algorithm = known[i].algorithm;
			snprintf(r->algorithm, sizeof(r->algorithm), "%s",
			    known[i].name);
			return NULL;
		}
	return "unknown algorithm in a=";
}

static bool
take_form(struct span name, bool *relaxed)
{
	*relaxed = span_is(name, "relaxed");
	return *relaxed || span_is(name, "simple");
}

/* "header/body"; the body's is simple where it is not named. */
static const char *
take_canonicalisation(
    const struct tag *c, struct dkim_signature *s, struct dkim_result *r)
{
	struct span header = {"simple", 6}, body = header;

	if (c != NULL) {
		const char *slash = memchr(c->value.data, '/', c->value.len);

		header = c->value;
		if (slash != NULL) {
			header.len = (size_t)(slash - header.data);
			body.data = slash + 1;
			body.len = c->value.len - header.len - 1;
		}
	}
	if (!take_form(header, &s->relaxed_header) ||
	    !take_form(body, &s->relaxed_body))
		return "unknown canonicalisation in c=";
	snprintf(r->canonicalisation, sizeof(r->canonicalisation), "%s/%s",
	    s->relaxed_header ? "relaxed" : "simple",
	    s->relaxed_body ? "relaxed" : "simple");
	return NULL;
}

static const char *
take_domain(const struct tag *d, struct dkim_result *r)
{
	if (d == NULL)
		return "d= is missing";
	return dkim_domain(d->value, 2, r->domain, sizeof(r->domain))
	    ? NULL
	    : "no domain name in d=";
}

static const char *
take_selector(const struct tag *s, struct dkim_signature *signature,
    struct dkim_result *r)
{
	int n;

	if (s == NULL)
		return "s= is missing";
	if (!dkim_domain(s->value, 1, r->selector, sizeof(r->selector)))
		return "no selector in s=";
	n = snprintf(signature->key_name, sizeof(signature->key_name),
	    "%s._domainkey.%s", r->selector, r->domain);
	return n > DKIM_SELECTOR_MAX ? "selector and domain are too long"
				     : NULL;
}

static bool
is_within(const char *name, const char *domain, bool *same)
{
	size_t n = strlen(name), nd = strlen(domain);

	*same = strcmp(name, domain) == 0;
	return *same ||
	    (n > nd && name[n - nd - 1] == '.' &&
		strcmp(name + n - nd, domain) == 0);
}

/* "[local]@domain" in dkim-quoted-printable, the domain within d=. */
static const char *
take_identity(
    const struct tag *i, struct dkim_signature *s, struct dkim_result *r)
{
	char text[ADDRESS_TEXT_MAX + 1], domain[DNS_NAME_MAX + 1];
	struct span name;
	char *at;
	int n;

	s->same_domain = true;
	snprintf(r->identity, sizeof(r->identity), "@%s", r->domain);
	if (i == NULL)
		return NULL;
	if (!dkim_unquote(i->value, text, sizeof(text)))
		return "bad identity in i=";
	at = strrchr(text, '@');
	if (at == NULL)
		return "no domain name in i=";
	name = (struct span){at + 1, strlen(at + 1)};
	if (!dkim_domain(name, 1, domain, sizeof(domain)))
		return "no domain name in i=";
	if (!is_within(domain, r->domain, &s->same_domain))
		return "i= is outside of d=";
	*at = '\0';
	n = snprintf(r->identity, sizeof(r->identity), "%s@%s", text, domain);
	if (n > ADDRESS_TEXT_MAX)
		return "bad identity in i=";
	return NULL;
}

static bool
is_field_name(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] <= ' ' || s.data[i] >= 0x7f)
			return false;
	return s.len > 0;
}

static const char *
take_names(const struct tag *h, struct dkim_signature *s)
{
	struct span rest, name;
	bool from = false;
	size_t n = 0;

	if (h == NULL)
		return "h= is missing";
	s->names = rest = h->value;
	while (tags_next(&rest, &name)) {
		if (!is_field_name(name))
			return "no field name in h=";
		if (++n > DKIM_NAMES_MAX)
			return "too many names in h=";
		from = from || span_is(name, "From");
	}
	return from ? NULL : "From is not in h=";
}

static const char *
take_body_hash(const struct tag *bh, struct dkim_signature *s)
{
	size_t n;

	if (bh == NULL)
		return "bh= is missing";
	/* one of SHA-1 is shorter, and never compared */
	if (!dkim_base64(bh->value, s->body_hash, sizeof(s->body_hash), &n) ||
	    (n != sizeof(s->body_hash) && s->algorithm != DKIM_RSA_SHA1))
		return "no hash in bh=";
	return NULL;
}

/* As header.b of Authentication-Results has it (RFC 6008). */
static void
take_beginning(struct span b, char *begin, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < b.len && n < max; i++)
		if (strchr(" \t\r\n", b.data[i]) == NULL)
			begin[n++] = b.data[i];
	begin[n] = '\0';
}

static const char *
take_signature(
    const struct tag *b, struct dkim_signature *s, struct dkim_result *r)
{
	if (b == NULL)
		return "b= is missing";
	s->hole = b->raw;
	if (!dkim_base64(b->value, s->octets, sizeof(s->octets), &s->n) ||
	    s->n == 0)
		return "no signature in b=";
	take_beginning(b->value, r->begin, sizeof(r->begin) - 1);
	return NULL;
}

/* Digits alone, at most that many; *value stays when there is no tag. */
static bool
take_number(const struct tag *tag, size_t digits, int64_t *value)
{
	int64_t sum = 0;

	if (tag == NULL)
		return true;
	if (tag->value.len == 0 || tag->value.len > digits)
		return false;
	for (size_t i = 0; i < tag->value.len; i++) {
		char c = tag->value.data[i];

		if (c < '0' || c > '9')
			return false;
		if (__builtin_mul_overflow(sum, (int64_t)10, &sum) ||
		    __builtin_add_overflow(sum, (int64_t)(c - '0'), &sum))
			sum = INT64_MAX; /* and stays there */
	}
	*value = sum;
	return true;
}

static const char *
take_numbers(
    const struct tags *tags, struct dkim_signature *s, struct dkim_result *r)
{
	int64_t length = -1;

	r->signed_at = r->expires = -1;
	if (!take_number(tags_find(tags, "l"), 76, &length))
		return "no number in l=";
	if (!take_number(tags_find(tags, "t"), 12, &r->signed_at))
		return "no time in t=";
	if (!take_number(tags_find(tags, "x"), 12, &r->expires))
		return "no time in x=";
	if (r->signed_at >= 0 && r->expires >= 0 && r->expires <= r->signed_at)
		return "x= is not after t=";
	s->length = length < 0 ? DKIM_WHOLE_BODY : (uint64_t)length;
	return NULL;
}

static const char *
take_method(const struct tag *q)
{
	return q == NULL || tags_list_has(q->value, "dns/txt")
	    ? NULL
	    : "no known method in q=";
}

/* The first fault is the one that counts. */
static void
note(const char **wrong, const char *fault)
{
	if (*wrong == NULL)
		*wrong = fault;
}

const char *
dkim_signature_parse(const struct header_field *f, struct dkim_signature *s,
    struct dkim_result *r)
{
	struct tags tags;
	const char *wrong = tags_parse(f->value.data, f->value.len, &tags);

	note(&wrong, take_version(tags_find(&tags, "v")));
	note(&wrong, take_algorithm(tags_find(&tags, "a"), s, r));
	note(&wrong, take_canonicalisation(tags_find(&tags, "c"), s, r));
	note(&wrong, take_domain(tags_find(&tags, "d"), r));
	note(&wrong, take_selector(tags_find(&tags, "s"), s, r));
	note(&wrong, take_identity(tags_find(&tags, "i"), s, r));
	note(&wrong, take_names(tags_find(&tags, "h"), s));
	note(&wrong, take_body_hash(tags_find(&tags, "bh"), s));
	note(&wrong, take_signature(tags_find(&tags, "b"), s, r));
	note(&wrong, take_numbers(&tags, s, r));
	note(&wrong, take_method(tags_find(&tags, "q")));
	return wrong;
}
