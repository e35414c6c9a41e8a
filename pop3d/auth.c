/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "common/login.h"
#include "common/sasl_channel.h"
#include "common/sasl_talk.h"
#include "pop3d/pop3.h"

/* AUTH, RFC 5034. */

void
pop3_login_init(struct pop3 *p, struct login *login)
{
	login_init(login, &p->userdb, "pop3d", p->client,
	    sasl_channel_of(&p->stream).tls);
}

static unsigned
mechanisms_of(const struct pop3 *p)
{
	return sasl_offer(p->config, &p->stream, p->plaintext_allowed);
}

void
pop3_announce_auth(struct pop3 *p)
{
	struct buf line = BUF_INIT(POP3_RESPONSE_MAX);

	sasl_list(mechanisms_of(p), &line);
	if (line.len > 0)
		stream_printf(&p->stream, "SASL%s\r\n", buf_text(&line));
	buf_free(&line);
}

static void
refuse(struct pop3 *p, enum sasl_talk outcome)
{
	static const char *const texts[] = {
	    [SASL_TALK_MALFORMED] = "malformed response",
	    [SASL_TALK_NOT_INITIAL] =
		"this mechanism takes no initial response",
	    [SASL_TALK_BAD_BASE64] = "bad base64",
	    [SASL_TALK_TOO_LONG] = "line too long",
	    [SASL_TALK_BARE] = "end lines with CR LF",
	    [SASL_TALK_CANCELLED] = "authentication cancelled",
	};

	pop3_error(p, "%s", texts[outcome]);
}

static void
exchange(struct pop3 *p, enum sasl_mechanism mechanism, const char *initial)
{
	struct sasl_channel channel = sasl_channel_of(&p->stream);
	struct sasl_server server;
	struct login login;
	enum stream_result result;
	enum sasl_talk outcome;

	pop3_login_init(p, &login);
	sasl_server_begin(&server, mechanism, &login_backend, &login, &channel,
	    p->config->hostname, mechanisms_of(p));
	outcome = sasl_talk(&server, &p->stream, "+ ", initial, &result);
	if (outcome == SASL_TALK_ENDED)
		pop3_login(p, &login, server.verdict);
	else if (outcome == SASL_TALK_LOST)
		pop3_lost(p, result);
	else
		refuse(p, outcome);
	sasl_server_end(&server);
	login_end(&login);
}

/* An initial response is a secret: of the line nothing stays. */
void
pop3_auth(struct pop3 *p, struct span args)
{
	char text[SASL_LINE_MAX];
	size_t n;
	const char *initial;
	enum sasl_mechanism mechanism;

	p->saw_password = true; /* however it is answered */
	memcpy(text, args.data, args.len);
	text[args.len] = '\0';
	stream_wipe(&p->stream);
	n = strcspn(text, " ");
	initial = text + n + strspn(text + n, " ");
	mechanism = sasl_named(text, n);
	if (stream_has_input(&p->stream)) {
		/* What was sent ahead may be meant for somebody else (A7). */
		pop3_error(p, "wait for the answer to this command");
		pop3_end(p, "talked ahead of AUTH");
	} else if (!pop3_may_login(p)) {
		pop3_error(p, "[AUTH] no login in the clear from your address");
	} else if (mechanism == SASL_MECHANISMS ||
	    !(mechanisms_of(p) & SASL_SET(mechanism))) {
		pop3_error(p, "no such mechanism here; CAPA names them");
	} else {
		exchange(p, mechanism, initial);
	}
	explicit_bzero(text, sizeof(text));
}
