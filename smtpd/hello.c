/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "smtpd/auth.h"
#include "smtpd/command.h"
#include "smtpd/facts.h"
#include "smtpd/helo.h"
#include "smtpd/session.h"
#include "smtpd/starttls.h"

enum { LINE_MAX_COMMAND = 512 }; /* RFC 5321 section 4.5.3.1.4 */

bool
session_offers_dsn(const struct session *s)
{
	return policy_offers_dsn(&s->facts, s->config->offer_dsn);
}

/* Of whom it is tolerated a name may have blanks; nowhere else may it. */
static void
copy_name(
    const struct session *s, const char *argument, char name[LINE_MAX_COMMAND])
{
	snprintf(name, LINE_MAX_COMMAND, "%s", argument);
	if (policy_tolerates(&s->facts, TOLERATE_HELO))
		helo_without_blanks(name);
}

static void
refuse_name(struct session *s, const char *argument, enum verdict verdict)
{
	const struct verdict_row *row = verdict_row(verdict);
	const struct reply reply = {row->smtp, row->enhanced, row->text};

	session_log_malformed(s, argument, &reply);
	session_verdict(s, verdict);
}

static bool
introduce(struct session *s, const char *argument, bool extended)
{
	char name[LINE_MAX_COMMAND];
	struct policy_facts facts;
	enum verdict verdict;

	copy_name(s, argument, name);
	facts = facts_of_hello(s, name);
	verdict = policy_decide(POLICY_HELLO, &facts);
	if (!verdict_is_success(verdict)) {
		refuse_name(s, argument, verdict);
		return false;
	}
	session_reset(s);
	memcpy(s->helo, name, strlen(name) + 1);
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
