/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* explicit_bzero */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#include "common/base64.h"
#include "common/sasl.h"
#include "common/saslprep.h"

static const char *const bindings[] = {
    [SASL_TLS_EXPORTER] = "tls-exporter",
    [SASL_TLS_SERVER_END_POINT] = "tls-server-end-point",
};

/* -- PLAIN, LOGIN, CRAM-MD5 -- */

static enum sasl_step
plain(struct sasl_client *c, const char *challenge, size_t n, struct buf *out)
{
	(void)challenge, (void)n;
	if (c->step++ > 0)
		return SASL_MALFORMED;
	buf_addc(out, '\0');
	buf_adds(out, c->facts->user);
	buf_addc(out, '\0');
	buf_adds(out, c->facts->secret);
	return SASL_MORE;
}

/* What the server's prompts say differs; their order does not. */
static enum sasl_step
login(struct sasl_client *c, const char *challenge, size_t n, struct buf *out)
{
	(void)challenge, (void)n;
	if (c->step > 1)
		return SASL_MALFORMED;
	buf_adds(out, c->step == 0 ? c->facts->user : c->facts->secret);
	c->step++;
	return SASL_MORE;
}

static enum sasl_step
cram_md5(
    struct sasl_client *c, const char *challenge, size_t n, struct buf *out)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	const char *secret = c->facts->secret;
	unsigned length = 0;

	if (c->step++ > 0 || n == 0 ||
	    HMAC(EVP_md5(), secret, (int)strlen(secret),
		(const unsigned char *)challenge, n, digest, &length) == NULL)
		return SASL_MALFORMED;
	buf_addf(out, "%s ", c->facts->user);
	for (unsigned i = 0; i < length; i++)
		buf_addf(out, "%02x", digest[i]);
	return SASL_MORE;
}

/* -- tokens: a refusal comes in a challenge, which wants an answer -- */

static enum sasl_step
token(struct sasl_client *c, bool gs2, struct buf *out)
{
	const struct sasl_client_facts *f = c->facts;

	if (c->step > 0) {
		if (gs2 && c->step == 1)
			buf_addc(out, '\x01');
		return c->step++ == 1 ? SASL_MORE : SASL_MALFORMED;
	}
	c->step++;
	if (gs2) {
		buf_adds(out, "n,a=");
		scram_escape(out, f->user);
		buf_addf(out, ",\x01host=%s\x01port=%u\x01", f->host, f->port);
	} else {
		buf_addf(out, "user=%s\x01", f->user);
	}
	buf_addf(out, "auth=Bearer %s\x01\x01", f->secret);
	return SASL_MORE;
}

static enum sasl_step
oauthbearer(
    struct sasl_client *c, const char *challenge, size_t n, struct buf *out)
{
	(void)challenge, (void)n;
	return token(c, true, out);
}

static enum sasl_step
xoauth2(struct sasl_client *c, const char *challenge, size_t n, struct buf *out)
{
	(void)challenge, (void)n;
	return token(c, false, out);
}

/* -- SCRAM -- */

static bool
binding_octets(const struct sasl_client *c, unsigned char *octets, size_t *n)
{
	const struct sasl_channel *channel = &c->facts->channel;

	*n = 0;
	return channel->binding != NULL &&
	    channel->binding(channel->context, c->binding, octets, n);
}

static bool
can_bind(const struct sasl_client_facts *facts)
{
	return facts->channel.tls && facts->channel.binding != NULL;
}

/* Would we have bound, had the server offered it? */
static bool
misses_binding(const struct sasl_client_facts *f)
{
	return can_bind(f) && !(f->offered & SASL_SET(SASL_SCRAM_SHA_256_PLUS));
}

/* The binding of RFC 9266 where the channel has it, else that of RFC 5929. */
static bool
choose_header(struct sasl_client *c)
{
	unsigned char octets[SASL_BINDING_MAX];
	size_t n;

	if (c->mechanism != SASL_SCRAM_SHA_256_PLUS) {
		snprintf(c->header, sizeof(c->header), "%c,,",
		    misses_binding(c->facts) ? SCRAM_UNUSED : SCRAM_NO_BINDING);
		return true;
	}
	c->binding = SASL_TLS_EXPORTER;
	if (!binding_octets(c, octets, &n))
		c->binding = SASL_TLS_SERVER_END_POINT;
	snprintf(c->header, sizeof(c->header), "p=%s,,", bindings[c->binding]);
	return binding_octets(c, octets, &n);
}

static bool
client_first(struct sasl_client *c, struct buf *out)
{
	char name[PROTOCOL_LOGIN_MAX + 1], nonce[SCRAM_NONCE_TEXT + 1];
	struct buf bare = BUF_INIT(SCRAM_MESSAGE_MAX);
	bool fine;

	if (!choose_header(c) ||
	    !saslprep(c->facts->user, strlen(c->facts->user), name,
		PROTOCOL_LOGIN_MAX) ||
	    !scram_nonce(nonce))
		return false;
	buf_adds(&bare, "n=");
	scram_escape(&bare, name);
	buf_addf(&bare, ",r=%s", nonce);
	fine = buf_text(&bare) != NULL;
	if (fine) {
		memcpy(c->first, bare.data, bare.len + 1);
		buf_addf(out, "%s%s", c->header, c->first);
	}
	buf_free(&bare);
	return fine;
}

/* The server's nonce must go on where ours ends. */
static bool
is_our_nonce(const struct sasl_client *c, struct span nonce)
{
	const char *ours = strrchr(c->first, ',') + 3;
	size_t n = strlen(ours);

	return nonce.len > n && memcmp(nonce.data, ours, n) == 0;
}

/* client-final-message-without-proof */
static bool
final_without_proof(
    const struct sasl_client *c, struct span nonce, struct buf *out)
{
	char input[sizeof(c->header) + SASL_BINDING_MAX];
	char text[BASE64_LENGTH(sizeof(input)) + 1];
	size_t n = strlen(c->header), nbinding = 0;

	memcpy(input, c->header, n);
	if (c->mechanism == SASL_SCRAM_SHA_256_PLUS &&
	    !binding_octets(c, (unsigned char *)input + n, &nbinding))
		return false;
	base64_encode(input, n + nbinding, text);
	buf_addf(out, "c=%s,r=%.*s", text, (int)nonce.len, nonce.data);
	return buf_text(out) != NULL;
}

static bool
client_final(
    struct sasl_client *c, const char *challenge, size_t n, struct buf *out)
{
	char server_first[SCRAM_MESSAGE_MAX + 1];
	struct scram_server_first m;

	if (n > SCRAM_MESSAGE_MAX || memchr(challenge, '\0', n) != NULL)
		return false;
	memcpy(server_first, challenge, n);
	server_first[n] = '\0';
	if (!scram_read_server_first(server_first, n, &m) ||
	    !is_our_nonce(c, m.nonce) || !final_without_proof(c, m.nonce, out))
		return false;
	if (!scram_prove(c->facts->secret, c->first, server_first, out->data,
		&c->answer))
		return false;
	buf_addf(out, ",p=%s", c->answer.proof);
	return true;
}

static bool
server_final(struct sasl_client *c, const char *challenge, size_t n)
{
	size_t length = strlen(c->answer.signature);

	c->proven = n >= length + 2 && memcmp(challenge, "v=", 2) == 0 &&
	    memcmp(challenge + 2, c->answer.signature, length) == 0 &&
	    (n == length + 2 || challenge[length + 2] == ',');
	return c->proven;
}

static enum sasl_step
scram(struct sasl_client *c, const char *challenge, size_t n, struct buf *out)
{
	bool fine = false;

	switch (c->step++) {
	case 0:
		fine = client_first(c, out);
		break;
	case 1:
		fine = client_final(c, challenge, n, out);
		break;
	case 2:
		fine = server_final(c, challenge, n);
		break;
	}
	return fine && buf_ok(out) ? SASL_MORE : SASL_MALFORMED;
}

/* -- the table, best first -- */

static const struct choice {
	enum sasl_mechanism mechanism;
	enum sasl_step (*run)(struct sasl_client *, const char *challenge,
	    size_t n, struct buf *out);
	bool token, bound;
	bool revealing; /* only to a server that is who it should be */
	bool server_first;
} choices[] = {
    {SASL_SCRAM_SHA_256_PLUS, scram, false, true, false, false},
    {SASL_SCRAM_SHA_256, scram, false, false, false, false},
    {SASL_PLAIN, plain, false, false, true, false},
    {SASL_LOGIN, login, false, false, true, true},
    {SASL_OAUTHBEARER, oauthbearer, true, false, true, false},
    {SASL_XOAUTH2, xoauth2, true, false, true, false},
    {SASL_CRAM_MD5, cram_md5, false, false, false, true},
};

static const struct choice *
choice_of(enum sasl_mechanism mechanism)
{
	const struct choice *c = choices;

	while (c->mechanism != mechanism)
		c++;
	return c;
}

enum sasl_mechanism
sasl_client_choose(const struct sasl_client_facts *facts, unsigned tried)
{
	unsigned left = facts->offered & ~tried;

	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		const struct choice *c = &choices[i];

		if ((left & SASL_SET(c->mechanism)) &&
		    c->token == facts->token &&
		    (!c->bound || can_bind(facts)) &&
		    (!c->revealing || facts->verified))
			return c->mechanism;
	}
	return SASL_MECHANISMS;
}

void
sasl_client_begin(struct sasl_client *c, enum sasl_mechanism mechanism,
    const struct sasl_client_facts *facts)
{
	*c = (struct sasl_client){.facts = facts, .mechanism = mechanism};
}

bool
sasl_client_is_first(const struct sasl_client *c)
{
	return !choice_of(c->mechanism)->server_first;
}

enum sasl_step
sasl_client_step(struct sasl_client *c, const char *challenge, size_t n,
    struct buf *response)
{
	enum sasl_step step;

	buf_reset(response);
	/* All at once: growing would leave copies of a secret behind. */
	if (n > SASL_CHALLENGE_MAX || !buf_reserve(response, response->max))
		return SASL_MALFORMED;
	step = choice_of(c->mechanism)->run(c, challenge, n, response);
	return buf_ok(response) ? step : SASL_MALFORMED;
}

bool
sasl_client_believes(const struct sasl_client *c)
{
	if (choice_of(c->mechanism)->run == scram)
		return c->proven;
	return c->step > 0;
}

void
sasl_client_end(struct sasl_client *c)
{
	explicit_bzero(c, sizeof(*c));
}
