/* SPDX-License-Identifier: ISC */
#include "smtpd/auth.h"

#include <string.h>
#include <strings.h>

#include "common/log.h"
#include "common/base64.h"
#include "smtpd/plain.h"
#include "smtpd/session.h"

enum {
	RESPONSE_LINE_MAX = 12288, /* RFC 4954 section 4.  */
	RESPONSE_MAX = RESPONSE_LINE_MAX / 4 * 3,
	FAILURE_COSTS = 5 /* errors, so that guessing ends soon (A20) */
};

bool
auth_is_offered(const struct session *s)
{
	/* TLS will be the other way to be allowed to. */
	return s->facts.listener == LISTENER_SUBMISSION && s->plaintext_auth;
}

/* -- responses -- */

/* False when it was refused; the answer is given. */
static bool
decode(struct session *s, const char *text, size_t n, char *out, size_t *made)
{
	if (base64_decode(text, n, out, made))
		return true;
	session_refuse(s, 501, "5.5.2", "bad base64");
	return false;
}

static bool
read_line(struct session *s, struct span *line)
{
	bool bare;
	enum stream_result result;

	stream_limit(&s->stream, (int64_t)s->config->smtp_timeout * 1000);
	result = stream_line(&s->stream, RESPONSE_LINE_MAX, line, &bare);
	if (result == STREAM_TOO_LONG)
		session_refuse(s, 500, "5.5.6", "line too long");
	else if (result != STREAM_OK)
		session_lost(s, NULL, result);
	else if (bare)
		session_refuse(s, 500, "5.5.2", "end lines with CR LF");
	else if (line->len == 1 && line->data[0] == '*')
		session_refuse(s, 501, "5.7.0", "authentication cancelled");
	else
		return true;
	return false;
}

/* Ask with this challenge, already in base64. */
static bool
challenge(struct session *s, const char *text, char *out, size_t *made)
{
	int stop_fd = s->stream.stop_fd;
	struct span line;
	bool fine;

	stream_printf(&s->stream, "334 %s\r\n", text);
	s->stream.stop_fd = -1;
	fine = read_line(s, &line);
	s->stream.stop_fd = stop_fd;
	if (!fine)
		return false;
	fine = decode(s, line.data, line.len, out, made);
	explicit_bzero((char *)line.data, line.len);
	return fine;
}

/* The initial response ("=" is an empty one), or else the challenge's. */
static bool
first_response(struct session *s, const char *initial, const char *text,
    char *out, size_t *made)
{
	if (initial[0] == '\0')
		return challenge(s, text, out, made);
	if (strcmp(initial, "=") == 0)
		initial = "";
	return decode(s, initial, strlen(initial), out, made);
}

/* -- mechanisms: true when there are credentials to try -- */

static bool
plain(struct session *s, const char *initial, char *response,
    struct credentials *c)
{
	size_t n;

	if (!first_response(s, initial, "", response, &n))
		return false;
	switch (plain_read(response, n, c)) {
	case PLAIN_FINE:
		return true;
	case PLAIN_OTHER:
		log_event(LEVEL_WARNING, "login failed",
		    log_text("client", s->client.text),
		    log_text("service", "smtpd"), log_text("auth", c->name),
		    log_text("reason", "asked to act as somebody else"));
		session_verdict(s, VERDICT_LOGIN_FAILED);
		return false;
	default:
		session_refuse(s, 501, "5.5.2", "malformed response");
		return false;
	}
}

static bool
login(struct session *s, const char *initial, char *response,
    struct credentials *c)
{
	size_t n;

	if (!first_response(s, initial, "VXNlcm5hbWU6", response, &n))
		return false;
	if (plain_text(response, n, c->name, PROTOCOL_LOGIN_MAX)) {
		if (!challenge(s, "UGFzc3dvcmQ6", response, &n))
			return false;
		if (plain_text(response, n, c->password, PROTOCOL_PASSWORD_MAX))
			return true;
	}
	session_refuse(s, 501, "5.5.2", "malformed response");
	return false;
}

static const struct mechanism {
	const char *name;
	bool (*run)(struct session *, const char *initial, char *response,
	    struct credentials *);
} mechanisms[] = {{"PLAIN", plain}, {"LOGIN", login}, {NULL, NULL}};

/* -- the command -- */

/* userdb, who knows why, writes the line in the log. */
static void
try_credentials(struct session *s, const struct credentials *c)
{
	enum verdict verdict = owners_login(
	    s->owners, c->name, c->password, s->client.text, s->login);

	s->facts.logged_in = verdict == VERDICT_LOGIN_OK;
	if (verdict == VERDICT_LOGIN_FAILED)
		s->errors += FAILURE_COSTS - 1;
	session_verdict(s, verdict);
}

static void
exchange(struct session *s, const struct mechanism *m, const char *initial)
{
	struct credentials c;
	char response[RESPONSE_MAX];

	s->saw_password = true;
	if (m->run(s, initial, response, &c))
		try_credentials(s, &c);
	explicit_bzero(&c, sizeof(c));
	explicit_bzero(response, sizeof(response));
}

void
smtp_auth(struct session *s, const char *argument)
{
	size_t n = strcspn(argument, " ");
	const char *initial = argument + n + strspn(argument + n, " ");
	const struct mechanism *m = mechanisms;

	while (m->name != NULL &&
	    (strlen(m->name) != n || strncasecmp(m->name, argument, n) != 0))
		m++;
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
	else if (m->name == NULL)
		session_refuse(s, 504, "5.5.4", "unknown mechanism");
	else
		exchange(s, m, initial);
}
