/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/log.h"
#include "smtpd/command.h"
#include "smtpd/facts.h"
#include "smtpd/milters.h"
#include "smtpd/session.h"
#include "smtpd/tallies.h"

enum { REASON_MAX = 440 };

/* -- MAIL -- */

void
transaction_begin(struct transaction *t, const struct mail_command *mail)
{
	t->open = true;
	t->sender = mail->sender;
	address_format(&t->sender, t->sender_text);
	t->body_8bit = mail->body_8bit;
	t->size = mail->size;
	t->utf8 = mail->utf8;
	t->ret = mail->ret;
	memcpy(t->envid, mail->envid, sizeof(t->envid));
	t->utf8_address = mail->sender.utf8;
}

void
smtp_mail(struct session *s, const char *argument)
{
	struct transaction *t = &s->transaction;
	struct mail_command mail;
	struct policy_facts facts;
	struct reply wrong;
	enum verdict verdict;

	if (t->open) {
		session_refuse(s, 503, "5.5.1", "one MAIL at a time");
		return;
	}
	wrong = command_mail(argument, session_offers_dsn(s), &mail);
	if (wrong.smtp != 0) {
		session_log_malformed(s, argument, &wrong);
		session_refuse(s, wrong.smtp, wrong.enhanced, wrong.text);
		return;
	}
	transaction_begin(t, &mail);
	facts = facts_of_sender(s);
	verdict = policy_decide(POLICY_SENDER, &facts);
	if (!verdict_is_success(verdict)) {
		session_log_refusal(s, NULL, NULL, verdict);
		session_reset(s);
	} else if (!milters_mail(s, &mail)) {
		milters_refuse(s, NULL, NULL);
		session_reset(s);
		return;
	}
	session_verdict(s, verdict);
}

/* -- RCPT -- */

bool
transaction_has(const struct transaction *t, const char *text)
{
	for (size_t i = 0; i < t->nrecipients; i++)
		if (strcmp(t->recipients[i], text) == 0)
			return true;
	return false;
}

static bool
make_room(struct transaction *t)
{
	size_t room = t->room > 0 ? 2 * t->room : 4;
	struct dsn_recipient *asked;
	char **grown;

	if (t->nrecipients < t->room)
		return true;
	grown = reallocarray(t->recipients, room, sizeof(*grown));
	if (grown == NULL)
		return false;
	t->recipients = grown;
	asked = reallocarray(t->asked, room, sizeof(*asked));
	if (asked == NULL)
		return false;
	t->asked = asked;
	t->room = room;
	return true;
}

bool
transaction_add(
    struct transaction *t, const char *text, const struct rcpt_command *rcpt)
{
	char *copy, *orcpt = NULL;

	if (!make_room(t) || (copy = strdup(text)) == NULL)
		return false;
	if (rcpt->orcpt[0] != '\0' && (orcpt = strdup(rcpt->orcpt)) == NULL) {
		free(copy);
		return false;
	}
	t->recipients[t->nrecipients] = copy;
	t->asked[t->nrecipients++] =
	    (struct dsn_recipient){.notify = rcpt->notify, .orcpt = orcpt};
	return true;
}

bool
transaction_remove(struct transaction *t, const char *text)
{
	size_t kept = 0, before = t->nrecipients;

	for (size_t i = 0; i < before; i++) {
		if (strcasecmp(t->recipients[i], text) == 0) {
			free(t->recipients[i]);
			free((char *)t->asked[i].orcpt);
			continue;
		}
		t->recipients[kept] = t->recipients[i];
		t->asked[kept++] = t->asked[i];
	}
	t->nrecipients = kept;
	return kept < before;
}

/* What a refusal says in place of the verdict's own text; "": nothing. */
static void
explain_refusal(
    struct session *s, enum verdict verdict, char why[REASON_MAX + 1])
{
	why[0] = '\0';
	if (verdict == VERDICT_GREYLISTED)
		snprintf(why, REASON_MAX + 1, "%s, in %" PRIu64 " seconds",
		    verdict_row(verdict)->text, s->transaction.grey_wait);
	else if (verdict == VERDICT_LISTED)
		snprintf(why, REASON_MAX + 1, "%s", client_lists(s)->text);
}

/*
 * A list has dead members, and to close on its server would keep the mail
 * from the living ones for ever: refusals beside an accepted recipient have
 * a budget of their own.
 */
static void
refuse_recipient(struct session *s, const char *text, enum verdict verdict)
{
	char why[REASON_MAX + 1];
	unsigned errors = s->errors;

	if (verdict == VERDICT_FILTER_REJECT) {
		milters_refuse(s, NULL, text);
	} else {
		session_log_refusal(s, NULL, text, verdict);
		explain_refusal(s, verdict, why);
		session_verdict_text(s, verdict, why);
	}
	if (verdict == VERDICT_USER_UNKNOWN)
		tallies_ended(s, NULL, TALLIES_UNKNOWN);
	if (s->transaction.nrecipients > 0 &&
	    ++s->refused <= s->config->max_recipients)
		s->errors = errors;
}

static enum verdict
take_recipient(
    struct session *s, const char *text, const struct rcpt_command *rcpt)
{
	struct transaction *t = &s->transaction;
	struct policy_facts facts = facts_of_recipient(s, text);
	enum verdict verdict;

	if (transaction_has(t, text))
		return VERDICT_RECIPIENT_OK;
	verdict = policy_decide(POLICY_RECIPIENT, &facts);
	if (!verdict_is_success(verdict))
		return verdict;
	if (!milters_rcpt(s, text, rcpt,
		facts.recipient.known == VERDICT_RECIPIENT_OK))
		return VERDICT_FILTER_REJECT;
	if (!transaction_add(t, text, rcpt))
		return VERDICT_INTERNAL;
	tallies_accepted(s, text);
	return verdict;
}

void
smtp_rcpt(struct session *s, const char *argument)
{
	struct transaction *t = &s->transaction;
	struct rcpt_command rcpt;
	char text[ADDRESS_TEXT_MAX + 1];
	struct reply wrong;
	enum verdict verdict;

	if (!t->open) {
		session_refuse(s, 503, "5.5.1", "say MAIL first");
		return;
	}
	wrong = command_rcpt(argument, t->utf8, session_offers_dsn(s), &rcpt);
	if (wrong.smtp != 0) {
		session_log_malformed(s, argument, &wrong);
		session_refuse(s, wrong.smtp, wrong.enhanced, wrong.text);
		return;
	}
	address_format(&rcpt.recipient, text);
	verdict = take_recipient(s, text, &rcpt);
	if (!verdict_is_success(verdict)) {
		refuse_recipient(s, text, verdict);
		return;
	}
	t->utf8_address |= rcpt.recipient.utf8;
	session_verdict(s, verdict);
}
