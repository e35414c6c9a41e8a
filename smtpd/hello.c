/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <string.h>

#include "smtpd/auth.h"
#include "smtpd/command.h"
#include "smtpd/facts.h"
#include "smtpd/session.h"
#include "smtpd/starttls.h"

bool
session_offers_dsn(const struct session *s)
{
	return policy_offers_dsn(&s->facts, s->config->offer_dsn);
}

static bool
introduce(struct session *s, const char *argument, bool extended)
{
	struct policy_facts facts = facts_of_hello(s, argument);
	enum verdict verdict = policy_decide(POLICY_HELLO, &facts);

	if (!verdict_is_success(verdict)) {
		session_verdict(s, verdict);
		return false;
	}
	session_reset(s);
	memcpy(s->helo, argument, strlen(argument) + 1);
	s->extended = extended;
	return true;
}

void
smtp_helo(struct session *s, const char *argument)
{
	if (introduce(s, argument, false))
		stream_printf(&s->stream, "250 %s\r\n", s->config->hostname);
}

void
smtp_ehlo(struct session *s, const char *argument)
{
	if (!introduce(s, argument, true))
		return;
	stream_printf(&s->stream,
	    "250-%s\r\n"
	    "250-PIPELINING\r\n"
	    "250-SIZE %" PRIu64 "\r\n"
	    "250-8BITMIME\r\n"
	    "250-ENHANCEDSTATUSCODES\r\n"
	    "250-SMTPUTF8\r\n"
	    "250-LIMITS RCPTMAX=%" PRIu64 "\r\n",
	    s->config->hostname, s->config->max_message_size,
	    s->config->max_recipients);
	if (session_offers_dsn(s))
		stream_puts(&s->stream, "250-DSN\r\n");
	if (starttls_is_offered(s))
		stream_puts(&s->stream, "250-STARTTLS\r\n");
	auth_announce(s);
	stream_puts(&s->stream, "250 HELP\r\n");
}
