/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "deliver/session.h"

/*
 * The steps from a connection to TLS (RFC 3207, RFC 8314).  What a failure
 * means is the policy's to say (policy.c).
 */

/* Why a host that would do for others does not do for this message. */
static const char *
because(const struct policy *p)
{
	if (p->level == POLICY_ANY)
		return "this port has TLS alone";
	return p->reason;
}

/* It did not work.  True: the session goes on in the clear. */
static bool
trouble(struct session *s, enum policy_event event, const char *dsn,
    const char *what)
{
	const struct policy *p = &s->demand->policy;
	enum policy_step step = policy_after(p, event);
	char text[sizeof(s->reason)];

	snprintf(s->reason, sizeof(s->reason), "%s", what);
	if (step == STEP_CLEAR)
		return true;
	s->again = step == STEP_AGAIN;
	if (s->again || event == EVENT_INJECTED)
		snprintf(text, sizeof(text), "%s", what);
	else
		snprintf(text, sizeof(text), "%s; %s", what, because(p));
	session_end(s, dsn, text);
	return false;
}

static bool
shaken(struct session *s)
{
	const struct policy *p = &s->demand->policy;

	(void)tls_info(&s->stream, &s->tls);
	s->learnt = "yes";
	s->unproven = true;
	if (s->tls.verified)
		s->verified = policy_verifier(p->level);
	return true;
}

static bool
handshake(struct session *s)
{
	char error[TLS_ERROR_MAX], text[TLS_ERROR_MAX + 32];
	enum tls_result result;

	session_enter(s, STATE_TLS);
	result =
	    tls_connect(s->deliver->tls, &s->stream, &s->demand->tls, error);
	if (result == TLS_OK)
		return shaken(s);
	if (stream_must_stop(&s->stream)) {
		session_stop(s);
		return false;
	}
	s->learnt = result == TLS_UNVERIFIED ? "yes" : "broken";
	snprintf(text, sizeof(text), "%s: %s",
	    result == TLS_UNVERIFIED ? "certificate not accepted"
				     : "no TLS handshake",
	    error);
	if (result == TLS_UNVERIFIED)
		return trouble(s, EVENT_UNVERIFIED, "4.7.5", text);
	return trouble(s, EVENT_BROKEN, "4.7.4", text);
}

bool
secure_at_once(struct session *s)
{
	return !s->demand->policy.implicit || handshake(s);
}

/* Somebody who strips STARTTLS from the reply does it to this end. */
static bool
not_offered(struct session *s)
{
	if (s->demand->memory.tls)
		log_event(LEVEL_WARNING, "tls no longer offered",
		    log_text("id", s->id), log_text("relay", s->target.relay));
	s->learnt = "no";
	return trouble(
	    s, EVENT_NOT_OFFERED, "4.7.4", "STARTTLS is not offered");
}

static bool
denied(struct session *s)
{
	char shown[128], text[sizeof(shown) + 32];

	s->learnt = "no";
	reply_show(&s->reply, shown, sizeof(shown));
	snprintf(text, sizeof(text), "STARTTLS was denied (%s)", shown);
	return trouble(s, EVENT_DENIED, "4.7.4", text);
}

/*
 * What comes between the 220 and the handshake was not protected, and would be
 * taken for the first replies under TLS (A4).
 */
static bool
start_tls(struct session *s)
{
	stream_puts(&s->stream, "STARTTLS\r\n");
	if (!session_reply(s, STATE_STARTTLS))
		return false;
	if (s->reply.code != 220)
		return denied(s);
	if (stream_discard(&s->stream))
		return trouble(s, EVENT_INJECTED, "4.7.0",
		    "unprotected octets behind the reply to STARTTLS");
	return handshake(s) && session_hello(s);
}

bool
secure_by_command(struct session *s)
{
	const struct policy *p = &s->demand->policy;

	if (p->implicit || p->level == POLICY_CLEAR)
		return true;
	return s->caps.starttls ? start_tls(s) : not_offered(s);
}

/* Also one that shakes hands and then lets nothing through. */
bool
secure_may_fall_back(const struct session *s)
{
	return s->demand != NULL &&
	    (s->again ||
		(s->unproven &&
		    policy_after(&s->demand->policy, EVENT_BROKEN) ==
			STEP_AGAIN));
}

/* Whoever was not asked for TLS has shown nothing new. */
void
secure_remember(const struct session *s)
{
	const struct policy *p = &s->demand->policy;
	struct ledger_outcome o = {.host = s->demand->host,
	    .tls = s->learnt,
	    .protocol = s->tls.protocol[0] != '\0' ? s->tls.protocol : NULL,
	    .domain = s->demand->domain,
	    .policy = p->source,
	    .failed = !session_is_open(s),
	    .reason = session_is_open(s) ? s->reason : s->failure.text};

	if (s->learnt != NULL)
		ledger_remember(&s->deliver->ledger, &o);
}
