/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "common/base64.h"
#include "common/clock.h"
#include "common/keys_client.h"
#include "common/netaddr.h"
#include "common/sasl.h"
#include "common/sasl_channel.h"
#include "deliver/session.h"

/*
 * The login at relay-host (RFC 4954), with what `keys` keeps for it and gives
 * away only here, behind a handshake that showed who that host is.
 */
enum {
	KEYS_MS = 10000,
	/* more than fits into an old server's command line goes behind it */
	INITIAL_MAX = 400,
	CODE_NOT_THIS_ONE = 504, /* section 4: not implemented here */
	CODE_TOO_WEAK = 534,
	CODE_WRONG = 535
};

static const unsigned scrams =
    SASL_SET(SASL_SCRAM_SHA_256) | SASL_SET(SASL_SCRAM_SHA_256_PLUS);

enum result { LOGGED_IN, NOT_THIS_WAY, LOGIN_FAILED };

struct exchange {
	struct session *s;
	struct sasl_client client;
	struct buf response;
	unsigned tried;
	bool pending; /* the initial response waits for the server's word */
	bool cancelled;
};

/* -- what we say -- */

static void
put_response(struct exchange *x)
{
	static char text[BASE64_LENGTH(SASL_RESPONSE_MAX) + 1];

	base64_encode(x->response.data, x->response.len, text);
	stream_puts(&x->s->stream, text);
	explicit_bzero(text, sizeof(text));
}

static void
cancel(struct exchange *x)
{
	stream_puts(&x->s->stream, "*\r\n");
	x->cancelled = true;
}

static bool
begin(struct exchange *x, enum sasl_mechanism m)
{
	struct stream *out = &x->s->stream;

	if (sasl_client_is_first(&x->client)) {
		if (sasl_client_step(&x->client, NULL, 0, &x->response) !=
		    SASL_MORE)
			return false;
		x->pending = BASE64_LENGTH(x->response.len) > INITIAL_MAX;
	}
	stream_printf(out, "AUTH %s", sasl_name(m));
	if (sasl_client_is_first(&x->client) && !x->pending) {
		stream_puts(out, x->response.len > 0 ? " " : " =");
		put_response(x);
	}
	stream_puts(out, "\r\n");
	return true;
}

static void
answer(struct exchange *x)
{
	char challenge[REPLY_TEXT_MAX + 1];
	size_t n;

	if (!x->pending &&
	    (!base64_decode(x->s->reply.text, x->s->reply.len, challenge, &n) ||
		sasl_client_step(&x->client, challenge, n, &x->response) !=
		    SASL_MORE)) {
		cancel(x);
		return;
	}
	x->pending = false;
	put_response(x);
	stream_puts(&x->s->stream, "\r\n");
}

/* -- what comes of it -- */

static enum result
end(struct exchange *x, const char *reason)
{
	char shown[128], text[sizeof(shown) + 128];

	if (reason == NULL) {
		reply_show(&x->s->reply, shown, sizeof(shown));
		snprintf(text, sizeof(text),
		    "the relay host refused our login (%s)", shown);
		reason = text;
	}
	session_end(x->s, "4.7.8", reason);
	return LOGIN_FAILED;
}

/*
 * A server may know our password by another hash than SCRAM's, and learn
 * that one when it is told the password.  It has shown who it is.
 */
static bool
knows_it_otherwise(struct exchange *x)
{
	if (!(SASL_SET(x->client.mechanism) & scrams))
		return false;
	x->tried |= scrams;
	return sasl_client_choose(x->client.facts, x->tried) != SASL_MECHANISMS;
}

static enum result
finish(struct exchange *x)
{
	int code = x->s->reply.code;

	if (x->cancelled)
		return end(
		    x, "the relay host did not keep to the rules of the login");
	if (code == CODE_NOT_THIS_ONE || code == CODE_TOO_WEAK)
		return NOT_THIS_WAY;
	if (code == CODE_WRONG && knows_it_otherwise(x))
		return NOT_THIS_WAY;
	if (code != 235)
		return end(x, NULL);
	if (!sasl_client_believes(&x->client))
		return end(x,
		    "the relay host did not prove that it knows our password");
	return LOGGED_IN;
}

static enum result
converse(struct exchange *x, enum sasl_mechanism m)
{
	if (!begin(x, m))
		return NOT_THIS_WAY;
	for (;;) {
		if (!session_reply(x->s, STATE_LOGIN))
			return LOGIN_FAILED;
		if (x->s->reply.code != 334 || x->cancelled)
			return finish(x);
		answer(x);
	}
}

static bool
try_mechanisms(struct session *s, const struct sasl_client_facts *facts)
{
	static struct exchange x;
	enum result result = NOT_THIS_WAY;
	enum sasl_mechanism m;
	unsigned tried = 0;

	while (result == NOT_THIS_WAY &&
	    (m = sasl_client_choose(facts, tried)) != SASL_MECHANISMS) {
		x = (struct exchange){.s = s,
		    .response = BUF_INIT(SASL_RESPONSE_MAX),
		    .tried = tried | SASL_SET(m)};
		sasl_client_begin(&x.client, m, facts);
		result = converse(&x, m);
		tried = x.tried;
		sasl_client_end(&x.client);
		if (x.response.data != NULL)
			explicit_bzero(x.response.data, x.response.cap);
		buf_free(&x.response);
	}
	if (result == NOT_THIS_WAY)
		session_end(s, "4.7.8",
		    "the relay host offers no way to log in that we know");
	return result == LOGGED_IN;
}

static bool
log_in(struct session *s, const char *host, const struct keys_relay *relay)
{
	const struct sasl_client_facts facts = {.offered = s->caps.auth,
	    .verified = s->tls.verified,
	    .token = relay->is_token,
	    .channel = sasl_channel_of(&s->stream),
	    .user = relay->user,
	    .secret = relay->secret,
	    .host = host,
	    .port = netaddr_port(&s->target.address)};

	if (!try_mechanisms(s, &facts))
		return false;
	memcpy(s->login, relay->user, sizeof(s->login));
	return true;
}

bool
session_login(struct session *s)
{
	static struct keys_relay relay;
	const struct config *config = &s->deliver->config;
	char host[DNS_NAME_MAX + 1];
	bool good = true;
	int found;

	if (config->relay_host == NULL || !s->tls.verified)
		return true;
	config_relay_name(config, host, sizeof(host));
	found = keys_client_relay(
	    s->deliver->keys, host, &relay, clock_monotonic_ms() + KEYS_MS);
	if (found == 1)
		good = log_in(s, host, &relay);
	explicit_bzero(&relay, sizeof(relay));
	if (found != -1 || !s->caps.login)
		return good;
	session_end(s, "4.3.0",
	    "the login for the relay host cannot be had from keys now");
	return false;
}
