/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* explicit_bzero */
#include <string.h>

#include "common/sasl_mechanism.h"

/* -- PLAIN: [authzid] NUL authcid NUL password (RFC 4616 section 2) -- */

struct plain {
	struct span authzid;
	char name[PROTOCOL_LOGIN_MAX + 1];
	char password[PROTOCOL_PASSWORD_MAX + 1];
};

static bool
read_plain(const char *message, size_t n, struct plain *p)
{
	struct cursor c = cursor_over(message, n);
	struct span name, password;

	p->authzid = cursor_until(&c, '\0');
	name = cursor_until(&c, '\0');
	password = cursor_take(&c, cursor_left(&c));
	return cursor_ok(&c) &&
	    sasl_text(name.data, name.len, p->name, PROTOCOL_LOGIN_MAX) &&
	    sasl_text(password.data, password.len, p->password,
		PROTOCOL_PASSWORD_MAX);
}

enum sasl_step
sasl_plain_step(struct sasl_server *s, const char *response, size_t n,
    struct buf *challenge)
{
	struct plain p;
	enum sasl_step step;

	(void)challenge;
	if (!read_plain(response, n, &p))
		step = SASL_MALFORMED;
	else if (p.authzid.len > 0 &&
	    (p.authzid.len != strlen(p.name) ||
		memcmp(p.authzid.data, p.name, p.authzid.len) != 0))
		step = sasl_refused(s, p.name, "asked to act as somebody else");
	else
		step = sasl_ended(s,
		    s->backend->password(s->context, sasl_name(s->mechanism),
			p.name, p.password));
	explicit_bzero(&p, sizeof(p));
	return step;
}

/* -- LOGIN: what is asked for has no meaning, the order has -- */

enum sasl_step
sasl_login_step(struct sasl_server *s, const char *response, size_t n,
    struct buf *challenge)
{
	char password[PROTOCOL_PASSWORD_MAX + 1];
	enum sasl_step step = SASL_MALFORMED;

	if (response == NULL) {
		buf_adds(challenge, "Username:");
		return SASL_MORE;
	}
	if (s->step == 0) {
		if (!sasl_text(response, n, s->user, PROTOCOL_LOGIN_MAX))
			return SASL_MALFORMED;
		s->step++;
		buf_adds(challenge, "Password:");
		return SASL_MORE;
	}
	if (sasl_text(response, n, password, PROTOCOL_PASSWORD_MAX))
		step = sasl_ended(s,
		    s->backend->password(s->context, sasl_name(s->mechanism),
			s->user, password));
	explicit_bzero(password, sizeof(password));
	return step;
}

/* -- CRAM-MD5: name, SP, HMAC of the challenge (RFC 2195 section 2) -- */

enum { DIGEST_TEXT = 32 };

static bool
is_hexadecimal(const char *text, size_t n)
{
	return strspn(text, "0123456789abcdefABCDEF") >= n;
}

static enum sasl_step
challenge_with_time(struct sasl_server *s, struct buf *challenge)
{
	if (!sasl_timestamp(s->hostname, s->text, sizeof(s->text)))
		return sasl_ended(s, VERDICT_LOGIN_LATER);
	s->step++;
	buf_adds(challenge, s->text);
	return SASL_MORE;
}

enum sasl_step
sasl_cram_md5_step(struct sasl_server *s, const char *response, size_t n,
    struct buf *challenge)
{
	char digest[DIGEST_TEXT + 1];

	if (s->step == 0)
		return challenge_with_time(s, challenge);
	/* A name may have spaces in it. */
	if (n < DIGEST_TEXT + 2 || response[n - DIGEST_TEXT - 1] != ' ' ||
	    !sasl_text(
		response + n - DIGEST_TEXT, DIGEST_TEXT, digest, DIGEST_TEXT) ||
	    !is_hexadecimal(digest, DIGEST_TEXT) ||
	    !sasl_text(
		response, n - DIGEST_TEXT - 1, s->user, PROTOCOL_LOGIN_MAX))
		return SASL_MALFORMED;
	return sasl_ended(s,
	    s->backend->digest(
		s->context, "cram-md5", s->user, s->text, digest));
}
