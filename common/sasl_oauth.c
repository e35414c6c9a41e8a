/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* explicit_bzero */
#include <string.h>
#include <strings.h>

#include "common/sasl_mechanism.h"

enum { SEPARATOR = 0x01 };

struct bearer {
	char user[PROTOCOL_LOGIN_MAX + 1];  /* "": none is claimed */
	char token[PROTOCOL_TOKEN_MAX + 1]; /* "": the client asks what to do */
};

/* b64token, RFC 6750 section 2.1 */
static bool
is_token(const char *text)
{
	size_t n = strspn(text,
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789-._~+/");

	return n > 0 && text[n + strspn(text + n, "=")] == '\0';
}

/* "Bearer TOKEN", or nothing at all */
static bool
take_authorization(struct span value, struct bearer *b)
{
	static const char scheme[] = "Bearer ";
	size_t n = sizeof(scheme) - 1;

	if (value.len == 0)
		return true;
	if (value.len <= n || strncasecmp(value.data, scheme, n) != 0)
		return false;
	while (n < value.len && value.data[n] == ' ')
		n++;
	return sasl_text(value.data + n, value.len - n, b->token,
		   PROTOCOL_TOKEN_MAX) &&
	    is_token(b->token);
}

/* KEY=VALUE SEPARATOR each, and one SEPARATOR more at the end. */
static bool
take_pairs(struct cursor *c, struct bearer *b, bool names_user)
{
	bool has_auth = false, has_user = false;

	while (cursor_left(c) > 1) {
		struct span pair = cursor_until(c, SEPARATOR);
		struct cursor one = cursor_over(pair.data, pair.len);
		struct span key = cursor_until(&one, '=');
		struct span value = cursor_take(&one, cursor_left(&one));

		if (!cursor_ok(&one) || key.len == 0)
			return false;
		if (key.len == 4 && memcmp(key.data, "auth", 4) == 0) {
			if (has_auth || !take_authorization(value, b))
				return false;
			has_auth = true;
		} else if (names_user && key.len == 4 &&
		    memcmp(key.data, "user", 4) == 0) {
			if (has_user ||
			    !sasl_text(value.data, value.len, b->user,
				PROTOCOL_LOGIN_MAX))
				return false;
			has_user = true;
		}
	}
	return cursor_u8(c) == SEPARATOR && cursor_done(c) && has_auth &&
	    has_user == names_user;
}

/* RFC 7628 section 3.1: a GS2 header before the pairs. */
static bool
read_oauthbearer(const char *message, size_t n, struct bearer *b)
{
	struct cursor c = cursor_over(message, n);
	struct span flag = cursor_until(&c, ',');
	struct span authzid = cursor_until(&c, ',');

	if (flag.len != 1 || (flag.data[0] != 'n' && flag.data[0] != 'y') ||
	    cursor_u8(&c) != SEPARATOR)
		return false;
	if (authzid.len > 0 &&
	    (authzid.len < 3 || memcmp(authzid.data, "a=", 2) != 0 ||
		!scram_unescape(
		    (struct span){authzid.data + 2, authzid.len - 2}, b->user,
		    PROTOCOL_LOGIN_MAX)))
		return false;
	return take_pairs(&c, b, false);
}

static bool
read_xoauth2(const char *message, size_t n, struct bearer *b)
{
	struct cursor c = cursor_over(message, n);

	return take_pairs(&c, b, true);
}

/*
 * A refusal is told in two steps: JSON in a challenge, which the client
 * answers with nothing of interest, then the error (RFC 7628 section 3.2.3).
 */
static enum sasl_step
try_token(struct sasl_server *s, const struct bearer *b, struct buf *challenge)
{
	enum verdict verdict = VERDICT_LOGIN_FAILED;

	if (b->token[0] != '\0')
		verdict = s->backend->token(s->context, sasl_name(s->mechanism),
		    b->user, b->token, challenge);
	else
		(void)sasl_refused(s, b->user, "no token");
	if (verdict != VERDICT_LOGIN_FAILED)
		return sasl_ended(s, verdict);
	if (challenge->len == 0)
		buf_adds(challenge,
		    s->mechanism == SASL_OAUTHBEARER
			? "{\"status\":\"invalid_token\"}"
			: "{\"status\":\"401\",\"schemes\":\"bearer\"}");
	s->step++;
	return SASL_MORE;
}

static enum sasl_step
token_step(struct sasl_server *s, const char *response, size_t n,
    struct buf *challenge,
    bool (*read)(const char *message, size_t n, struct bearer *))
{
	struct bearer b = {.user = "", .token = ""};
	enum sasl_step step = SASL_MALFORMED;

	if (s->step > 0)
		return sasl_ended(s, VERDICT_LOGIN_FAILED);
	if (read(response, n, &b))
		step = try_token(s, &b, challenge);
	explicit_bzero(&b, sizeof(b));
	return step;
}

enum sasl_step
sasl_oauthbearer_step(struct sasl_server *s, const char *response, size_t n,
    struct buf *challenge)
{
	return token_step(s, response, n, challenge, read_oauthbearer);
}

enum sasl_step
sasl_xoauth2_step(struct sasl_server *s, const char *response, size_t n,
    struct buf *challenge)
{
	return token_step(s, response, n, challenge, read_xoauth2);
}
