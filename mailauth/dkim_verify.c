/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "mailauth/dkim_body.h"
#include "mailauth/dkim_check.h"
#include "mailauth/dkim_header.h"
#include "mailauth/dkim_signature.h"

struct dkim_verifier {
	const struct mailauth *mailauth;
	const struct header_section *section;
	size_t there_are, n;
	struct candidate {
		const struct header_field *field;
		struct dkim_signature signature;
		struct dkim_result result; /* AUTH_NONE: not decided yet */
	} candidates[DKIM_SIGNATURES_MAX];
	struct dkim_body *bodies[2]; /* simple, relaxed; NULL: not needed */
};

static void
conclude(struct dkim_result *r, enum auth_result result, const char *reason)
{
	r->result = result;
	snprintf(r->reason, sizeof(r->reason), "%s", reason);
}

/* What can be decided without the body. */
static void
examine(const struct dkim_verifier *v, struct candidate *c)
{
	struct dkim_result *r = &c->result;
	const char *wrong;

	*r = (struct dkim_result){.result = AUTH_NONE};
	wrong = dkim_signature_parse(c->field, &c->signature, r);
	if (v->section->oversized)
		wrong = "the header section is too big";
	else if (v->section->malformed)
		wrong = "the header section is malformed";
	if (!buf_ok(&v->section->text))
		conclude(r, AUTH_TEMPERROR, "out of memory");
	else if (wrong != NULL)
		conclude(r, AUTH_PERMERROR, wrong);
	else if (c->signature.algorithm == DKIM_RSA_SHA1)
		conclude(r, AUTH_POLICY, "SHA-1 proves nothing any more");
	else if (r->expires >= 0 && r->expires < v->mailauth->now)
		conclude(r, AUTH_POLICY, "the signature has expired");
}

static struct dkim_body *
new_body(bool relaxed)
{
	struct dkim_body *b = malloc(sizeof(*b));

	if (b != NULL && !dkim_body_init(b, relaxed)) {
		dkim_body_free(b);
		free(b);
		return NULL;
	}
	return b;
}

static bool
want_body(struct dkim_verifier *v, const struct dkim_signature *s)
{
	struct dkim_body **body = &v->bodies[s->relaxed_body];

	if (*body == NULL)
		*body = new_body(s->relaxed_body);
	if (*body != NULL)
		dkim_body_want(*body, s->length);
	return *body != NULL;
}

struct dkim_verifier *
dkim_verify_begin(
    const struct mailauth *m, const struct header_section *section)
{
	struct dkim_verifier *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return NULL;
	v->mailauth = m;
	v->section = section;
	for (size_t i = 0; i < section->n; i++) {
		struct candidate *c = &v->candidates[v->n];

		if (!header_is(&section->fields[i], "DKIM-Signature") ||
		    v->there_are++ >= DKIM_SIGNATURES_MAX)
			continue;
		v->n++;
		c->field = &section->fields[i];
		examine(v, c);
		if (c->result.result == AUTH_NONE &&
		    !want_body(v, &c->signature)) {
			dkim_verify_free(v);
			return NULL;
		}
	}
	return v;
}

size_t
dkim_signatures(const struct dkim_verifier *v)
{
	return v->there_are;
}

void
dkim_verify_body(struct dkim_verifier *v, const char *octets, size_t n)
{
	for (size_t i = 0; i < 2; i++)
		if (v->bodies[i] != NULL)
			dkim_body_take(v->bodies[i], octets, n);
}

void
dkim_verify_free(struct dkim_verifier *v)
{
	if (v == NULL)
		return;
	for (size_t i = 0; i < 2; i++)
		if (v->bodies[i] != NULL) {
			dkim_body_free(v->bodies[i]);
			free(v->bodies[i]);
		}
	free(v);
}

/* False: it is decided. */
static bool
body_matches(const struct dkim_verifier *v, struct candidate *c)
{
	const struct dkim_signature *s = &c->signature;
	const struct dkim_body *b = v->bodies[s->relaxed_body];
	const unsigned char *digest = dkim_body_digest(b, s->length);

	if (b->failed)
		conclude(&c->result, AUTH_TEMPERROR, "out of memory");
	else if (digest == NULL)
		conclude(&c->result, AUTH_FAIL, "the body is shorter than l=");
	else if (memcmp(digest, s->body_hash, DKIM_HASH_SIZE) != 0)
		conclude(&c->result, AUTH_FAIL, "the body hash does not match");
	else
		c->result.partial =
		    s->length != DKIM_WHOLE_BODY && s->length < b->octets;
	return c->result.result == AUTH_NONE;
}

/* One answer, of one record or of several (section 6.1.2). */
static void
try_records(struct candidate *c, char *const *texts, size_t n,
    const unsigned char digest[DKIM_HASH_SIZE])
{
	struct dkim_result best = c->result, one;

	conclude(&best, AUTH_PERMERROR, "there is no key");
	for (size_t i = 0; i < n && i < DKIM_RECORDS_MAX; i++) {
		one = c->result;
		dkim_check_record(texts[i], &c->signature, digest, &one);
		if (i == 0 || dkim_check_goes_further(&one, &best))
			best = one;
	}
	c->result = best;
}

static void
ask_for_key(const struct dkim_verifier *v, struct candidate *c,
    const unsigned char digest[DKIM_HASH_SIZE])
{
	const struct resolver *r = v->mailauth->resolver;
	const char *name = c->signature.key_name;
	char **texts = NULL;
	size_t n = 0;
	enum dns_status status = r->txt(r->context, name, &texts, &n);

	mailauth_step(
	    v->mailauth, "dkim: key %s: %s", name, dns_status_text(status));
	if (status == DNS_FOUND)
		try_records(c, texts, n, digest);
	else if (dns_is_trouble(status))
		conclude(&c->result, AUTH_TEMPERROR,
		    "the DNS does not tell the key");
	else
		conclude(&c->result, AUTH_PERMERROR, "there is no key");
	free(texts);
}

static void
judge(const struct dkim_verifier *v, struct candidate *c)
{
	unsigned char digest[DKIM_HASH_SIZE];
	const char *added;

	if (!body_matches(v, c))
		return;
	if (!dkim_header_hash(
		v->section, c->field, &c->signature, digest, &added)) {
		conclude(&c->result, AUTH_TEMPERROR, "out of memory");
		return;
	}
	ask_for_key(v, c, digest);
	if (c->result.result == AUTH_PASS && added != NULL) {
		c->result.result = AUTH_POLICY;
		snprintf(c->result.reason, sizeof(c->result.reason),
		    "there is another field %s, which is not signed", added);
	}
}

size_t
dkim_verify_end(struct dkim_verifier *v, struct dkim_result *results)
{
	ERR_set_mark();
	for (size_t i = 0; i < 2; i++)
		if (v->bodies[i] != NULL)
			dkim_body_end(v->bodies[i]);
	for (size_t i = 0; i < v->n; i++) {
		struct candidate *c = &v->candidates[i];

		if (c->result.result == AUTH_NONE)
			judge(v, c);
		results[i] = c->result;
		mailauth_step(v->mailauth, "dkim: d=%s s=%s: %s%s%s",
		    c->result.domain, c->result.selector,
		    auth_result_name(c->result.result),
		    c->result.reason[0] == '\0' ? "" : ": ", c->result.reason);
	}
	ERR_pop_to_mark();
	return v->n;
}

enum auth_result
dkim_in_a_word(const struct dkim_result *results, size_t n)
{
	static const enum auth_result order[] = {AUTH_PASS, AUTH_TEMPERROR,
	    AUTH_FAIL, AUTH_POLICY, AUTH_NEUTRAL, AUTH_PERMERROR};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		for (size_t j = 0; j < n; j++)
			if (results[j].result == order[i])
				return order[i];
	return AUTH_NONE;
}
