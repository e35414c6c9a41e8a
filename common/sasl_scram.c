/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* explicit_bzero */
#include <stdio.h>
#include <string.h>

#include "common/base64.h"
#include "common/sasl_mechanism.h"
#include "common/saslprep.h"

/* -- what the exchange is bound to (RFC 5802 section 6) -- */

static const struct {
	const char *name;
	enum sasl_binding binding;
} bindings[] = {
    {"tls-exporter", SASL_TLS_EXPORTER},
    {"tls-server-end-point", SASL_TLS_SERVER_END_POINT},
    {"tls-unique", SASL_TLS_UNIQUE},
};

static bool
choose_binding(struct sasl_server *s, struct span name)
{
	for (size_t i = 0; i < sizeof(bindings) / sizeof(bindings[0]); i++)
		if (strlen(bindings[i].name) == name.len &&
		    memcmp(bindings[i].name, name.data, name.len) == 0) {
			s->binding = bindings[i].binding;
			s->bound = true;
			return true;
		}
	return false;
}

/*
 * NULL, or why the binding is refused.  A client that thinks we have none
 * was told so by somebody in between.
 */
static const char *
refuse_binding(struct sasl_server *s, const struct scram_client_first *m)
{
	bool plus = s->mechanism == SASL_SCRAM_SHA_256_PLUS;

	if (plus != (m->flag == SCRAM_BOUND))
		return "channel binding without its mechanism";
	if (plus && !choose_binding(s, m->binding))
		return "unknown channel binding";
	if (m->flag == SCRAM_UNUSED &&
	    (s->offered & SASL_SET(SASL_SCRAM_SHA_256_PLUS)))
		return "channel binding was hidden from the client";
	return NULL;
}

/* c= is the GS2 header and, when bound, the channel's octets. */
static bool
is_bound(struct sasl_server *s, struct span given)
{
	char got[SCRAM_MESSAGE_MAX];
	unsigned char octets[SASL_BINDING_MAX];
	size_t n, nbinding = 0;

	if (!base64_decode(given.data, given.len, got, &n))
		return false;
	if (s->bound &&
	    (s->channel.binding == NULL ||
		!s->channel.binding(
		    s->channel.context, s->binding, octets, &nbinding)))
		return false;
	return n == s->header + nbinding &&
	    memcmp(got, s->text, s->header) == 0 &&
	    (nbinding == 0 || memcmp(got + s->header, octets, nbinding) == 0);
}

/* -- client-first -- */

static bool
take_name(const struct scram_client_first *m, char *out)
{
	char name[PROTOCOL_LOGIN_MAX + 1];

	return scram_unescape(m->name, name, PROTOCOL_LOGIN_MAX) &&
	    saslprep(name, strlen(name), out, PROTOCOL_LOGIN_MAX);
}

/* To act as oneself is all that there is. */
static bool
is_himself(const struct scram_client_first *m)
{
	return m->authzid.len == 0 ||
	    (m->authzid.len == m->name.len &&
		memcmp(m->authzid.data, m->name.data, m->name.len) == 0);
}

static enum sasl_step
begin(struct sasl_server *s, const struct scram_client_first *m,
    struct buf *challenge)
{
	struct sasl_scram scram = {.iterations = 0};
	enum verdict verdict = s->backend->scram_begin(
	    s->context, sasl_name(s->mechanism), s->user, &scram);

	if (verdict != VERDICT_OK)
		return sasl_ended(s, verdict);
	s->begun = true;
	s->step++;
	snprintf(s->nonce, sizeof(s->nonce), "%.*s%s", (int)m->nonce.len,
	    m->nonce.data, scram.nonce);
	buf_addf(challenge, "r=%s,s=%s,i=%u", s->nonce, scram.salt,
	    scram.iterations);
	return SASL_MORE;
}

static enum sasl_step
client_first(struct sasl_server *s, const char *response, size_t n,
    struct buf *challenge)
{
	struct scram_client_first m;
	const char *wrong;

	if (!sasl_text(response, n, s->text, SCRAM_MESSAGE_MAX) ||
	    !scram_read_client_first(s->text, n, &m) || !take_name(&m, s->user))
		return SASL_MALFORMED;
	s->header = m.header.len;
	wrong = refuse_binding(s, &m);
	if (wrong == NULL && !is_himself(&m))
		wrong = "asked to act as somebody else";
	if (wrong != NULL)
		return sasl_refused(s, s->user, wrong);
	return begin(s, &m, challenge);
}

/* -- client-final -- */

static enum sasl_step
prove(struct sasl_server *s, const struct scram_client_final *m,
    struct buf *challenge)
{
	char final[SCRAM_MESSAGE_MAX + 1], proof[SCRAM_KEY_TEXT + 1];
	char signature[SCRAM_KEY_TEXT + 1];
	enum verdict verdict;

	if (!sasl_text(m->proof.data, m->proof.len, proof, SCRAM_KEY_TEXT) ||
	    !sasl_text(m->without_proof.data, m->without_proof.len, final,
		SCRAM_MESSAGE_MAX))
		return SASL_MALFORMED;
	s->begun = false;
	verdict = s->backend->scram_proof(
	    s->context, s->text + s->header, final, proof, signature);
	explicit_bzero(proof, sizeof(proof));
	if (verdict != VERDICT_LOGIN_OK)
		return sasl_ended(s, verdict);
	s->step++;
	buf_addf(challenge, "v=%s", signature);
	return SASL_MORE;
}

static enum sasl_step
client_final(struct sasl_server *s, const char *response, size_t n,
    struct buf *challenge)
{
	struct scram_client_final m;

	if (!scram_read_client_final(response, n, &m))
		return SASL_MALFORMED;
	if (m.nonce.len != strlen(s->nonce) ||
	    memcmp(m.nonce.data, s->nonce, m.nonce.len) != 0)
		return sasl_refused(s, s->user, "wrong nonce");
	if (!is_bound(s, m.binding))
		return sasl_refused(s, s->user, "another channel");
	return prove(s, &m, challenge);
}

/*
 * Neither SMTP nor POP3 has room for data beside a success: server-final is
 * a challenge, answered by nothing (RFC 4954 section 4, RFC 5034 section 4).
 */
enum sasl_step
sasl_scram_step(struct sasl_server *s, const char *response, size_t n,
    struct buf *challenge)
{
	if (s->step == 0)
		return client_first(s, response, n, challenge);
	if (s->step == 1)
		return client_final(s, response, n, challenge);
	return n == 0 ? sasl_ended(s, VERDICT_LOGIN_OK) : SASL_MALFORMED;
}
