/* SPDX-License-Identifier: ISC */
#include "smtpd/auth.h"

#include <string.h>

#include "common/login.h"
#include "common/sasl_channel.h"
#include "common/sasl_talk.h"
#include "smtpd/session.h"

enum { FAILURE_COSTS = 5 }; /* errors, so that guessing ends soon (A20) */

static unsigned
mechanisms_of(const struct session *s)
{
	if (s->facts.listener == LISTENER_SMTP)
		return 0;
	return sasl_offer(s->config, &s->stream, s->plaintext_auth);
}

bool
auth_is_offered(const struct session *s)
{
	return mechanisms_of(s) != 0;
}

void
auth_announce(struct session *s)
{
	struct buf line = BUF_INIT(512);

	sasl_list(mechanisms_of(s), &line);
	if (line.len > 0)
		stream_printf(&s->stream, "250-AUTH%s\r\n", buf_text(&line));
	buf_free(&line);
}

/* -- the command -- */

/* userdb, who knows why, writes the line in the log. */
static void
conclude(struct session *s, struct login *login, enum verdict verdict)
{
	s->facts.logged_in = verdict == VERDICT_LOGIN_OK;
	if (verdict == VERDICT_LOGIN_OK) {
		owners_take_login(s->owners, login->end);
		login->end = -1;
		memcpy(s->login, login->user, sizeof(s->login));
	}
	if (verdict == VERDICT_LOGIN_FAILED)
		s->errors += FAILURE_COSTS - 1;
	session_verdict(s, verdict);
}

/* RFC 4954 section 4 has the codes. */
static void
refuse(struct session *s, enum sasl_talk outcome)
{
	static const struct {
		int smtp;
		const char *enhanced, *text;
	} rows[] = {
	    [SASL_TALK_MALFORMED] = {501, "5.5.2", "malformed response"},
	    [SASL_TALK_NOT_INITIAL] = {501, "5.7.0",
		"this mechanism takes no initial response"},
	    [SASL_TALK_BAD_BASE64] = {501, "5.5.2", "bad base64"},
	    [SASL_TALK_TOO_LONG] = {500, "5.5.6", "line too long"},
	    [SASL_TALK_BARE] = {500, "5.5.2", "end lines with CR LF"},
	    [SASL_TALK_CANCELLED] = {501, "5.7.0", "authentication cancelled"},
	};

	session_refuse(
	    s, rows[outcome].smtp, rows[outcome].enhanced, rows[outcome].text);
}

static void
exchange(struct session *s, enum sasl_mechanism mechanism, const char *initial)
{
	struct sasl_channel channel = sasl_channel_of(&s->stream);
	struct sasl_server server;
	struct login login;
	enum stream_result result;
	enum sasl_talk outcome;

	owners_keep_nothing(s->owners);
	login_init(
	    &login, &s->owners->userdb, "smtpd", s->client.text, channel.tls);
	sasl_server_begin(&server, mechanism, &login_backend, &login, &channel,
	    s->config->hostname, mechanisms_of(s));
	stream_limit(&s->stream, (int64_t)s->config->smtp_timeout * 1000);
	outcome = sasl_talk(&server, &s->stream, "334 ", initial, &result);
	if (outcome == SASL_TALK_ENDED) {
		conclude(s, &login, server.verdict);
		s->mechanism = sasl_name(mechanism);
	} else if (outcome == SASL_TALK_LOST)
		session_lost(s, NULL, result);
	else
		refuse(s, outcome);
	sasl_server_end(&server);
	login_end(&login);
}

/* An initial response is a secret: of the line nothing stays. */
static void
wipe_line(struct session *s)
{
	explicit_bzero(s->line.data, s->line.cap);
	stream_wipe(&s->stream);
}

void
smtp_auth(struct session *s, const char *argument)
{
	size_t n = strcspn(argument, " ");
	const char *initial = argument + n + strspn(argument + n, " ");
	enum sasl_mechanism mechanism = sasl_named(argument, n);

	if (s->facts.listener == LISTENER_SMTP)
		session_refuse(s, 503, "5.5.1", "no logins here");
	else if (!auth_is_offered(s))
		session_refuse(s, 538, "5.7.11", "encryption required");
	else if (s->facts.logged_in)
		session_refuse(s, 503, "5.5.1", "you are logged in already");
	else if (s->transaction.open)
		session_refuse(s, 503, "5.5.1", "not within a transaction");
	else if (n == 0)
		session_refuse(s, 501, "5.5.4", "syntax: AUTH mechanism");
	else if (mechanism == SASL_MECHANISMS ||
	    !(mechanisms_of(s) & SASL_SET(mechanism)))
		session_refuse(s, 504, "5.5.4", "unknown mechanism");
	else
		exchange(s, mechanism, initial);
	wipe_line(s);
}
