/* SPDX-License-Identifier: ISC */
#include "smtpd/explain.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "common/loop.h"
#include "common/self.h"
#include "common/utf8.h"
#include "smtpd/command.h"
#include "smtpd/facts.h"
#include "smtpd/helo.h"
#include "smtpd/session.h"
#include "smtpd/tallies.h"

enum { ARGUMENT_MAX = 1000 };

/* An explanation under way. */
struct explaining {
	const struct explain *asked;
	struct session session;
	struct explain_answer answer;
	int exit;
};

/* -- answers -- */

static void
note_rule(void *context, const struct policy_told *told)
{
	struct explaining *x = context;

	if (told->result == RULE_DECIDES)
		x->answer.rule = told->rule;
	explain_rule((void *)(uintptr_t)x->asked, told);
}

/* True: the session goes on. */
static bool
note_verdict(struct explaining *x, const char *step, enum verdict verdict)
{
	const struct verdict_row *row = verdict_row(verdict);
	const char *rule = x->answer.rule != NULL ? x->answer.rule : "";

	x->answer = (struct explain_answer){
	    step, rule, row->name, row->smtp, row->enhanced, row->text};
	x->exit = row->exit;
	return verdict_is_success(verdict);
}

static bool
note_reply(struct explaining *x, const char *step, const struct reply *reply)
{
	if (reply->smtp == 0)
		return true;
	x->answer = (struct explain_answer){step, "syntax", "syntax",
	    reply->smtp, reply->enhanced, reply->text};
	x->exit = EX_DATAERR;
	return false;
}

static bool
decide(struct explaining *x, enum policy_step step, struct policy_facts *facts)
{
	facts->observe = note_rule;
	facts->observe_context = x;
	explain_step(x->asked, policy_step_name(step));
	return note_verdict(
	    x, policy_step_name(step), policy_decide(step, facts));
}

/* What a session alone has: how it goes on, the message. */
static bool
gather_nothing(void *context, struct policy_facts *f, enum policy_need need)
{
	(void)context;
	(void)f;
	(void)need;
	return false;
}

static bool
decide_blindly(struct explaining *x, enum policy_step step)
{
	static const struct dot_reader nothing;
	struct policy_facts facts = facts_of_header(&x->session, NULL);

	facts.content.wire = &nothing;
	facts.gather = gather_nothing;
	return decide(x, step, &facts);
}

/* -- the steps -- */

static bool
explain_hello(struct explaining *x)
{
	struct session *s = &x->session;
	char name[ARGUMENT_MAX];
	struct policy_facts facts;

	if (x->asked->helo == NULL)
		return true;
	snprintf(name, sizeof(name), "%s", x->asked->helo);
	if (policy_tolerates(&s->facts, TOLERATE_HELO))
		helo_without_blanks(name);
	facts = facts_of_hello(s, name);
	if (!decide(x, POLICY_HELLO, &facts))
		return false;
	memcpy(s->helo, name, strlen(name) + 1); /* it fits */
	return true;
}

/* With the brackets of SMTP, whether they were written or not. */
static void
write_path(char out[ARGUMENT_MAX], const char *keyword, const char *address,
    const char *parameters)
{
	bool bracketed = address[0] == '<';

	snprintf(out, ARGUMENT_MAX, "%s:%s%s%s%s", keyword,
	    bracketed ? "" : "<", address, bracketed ? "" : ">", parameters);
}

static bool
explain_sender(struct explaining *x)
{
	const struct explain *e = x->asked;
	char argument[ARGUMENT_MAX], size[32] = "", parameters[64];
	struct mail_command mail;
	struct policy_facts facts;
	struct reply wrong;

	if (e->size > 0)
		snprintf(
		    size, sizeof(size), " SIZE=%ju", (uintmax_t)e->size);
	snprintf(parameters, sizeof(parameters), "%s%s", size,
	    utf8_is_ascii(e->from, strlen(e->from)) &&
		    utf8_is_ascii(e->to, strlen(e->to))
		? ""
		: " SMTPUTF8");
	write_path(argument, "FROM", e->from, parameters);
	wrong = command_mail(argument, false, &mail);
	if (!note_reply(x, policy_step_name(POLICY_SENDER), &wrong))
		return false;
	transaction_begin(&x->session.transaction, &mail);
	facts = facts_of_sender(&x->session);
	return decide(x, POLICY_SENDER, &facts);
}

static bool
explain_recipient(struct explaining *x)
{
	char argument[ARGUMENT_MAX], text[ADDRESS_TEXT_MAX + 1];
	struct rcpt_command rcpt;
	struct policy_facts facts;
	struct reply wrong;

	write_path(argument, "TO", x->asked->to, "");
	wrong =
	    command_rcpt(argument, x->session.transaction.utf8, false, &rcpt);
	if (!note_reply(x, policy_step_name(POLICY_RECIPIENT), &wrong))
		return false;
	address_format(&rcpt.recipient, text);
	facts = facts_of_recipient(&x->session, text);
	return decide(x, POLICY_RECIPIENT, &facts);
}

/* -- what is decided elsewhere, or of the message -- */

static void
tell(struct explaining *x, const char *rule, const char *keyword, bool applies)
{
	note_rule(x,
	    &(struct policy_told){.rule = rule,
		.keyword = keyword,
		.value = "",
		.result = applies ? RULE_UNKNOWN : RULE_IDLE});
}

/* False: one is borne. */
static bool
explain_grudge(struct explaining *x, bool stranger)
{
	uint64_t left = stranger ? tallies_grudge(&x->session) : 0;
	char value[POLICY_VALUE_MAX + 1] = "";

	if (left > 0)
		snprintf(value, sizeof(value), "for %ju seconds more",
		    (uintmax_t)left);
	note_rule(x,
	    &(struct policy_told){.rule = "grudge",
		.keyword = "offences",
		.value = value,
		.result = left > 0 ? RULE_DECIDES
		    : stranger     ? RULE_PASSES
				   : RULE_IDLE});
	return left == 0 || note_verdict(x, "gate", VERDICT_GRUDGE);
}

/* Before a session begins: smtp-gate(8). */
static bool
explain_gate(struct explaining *x)
{
	bool stranger = policy_is_stranger(&x->session.facts);

	explain_step(x->asked, "gate");
	tell(x, "connections", "client-connections", stranger);
	tell(x, "greeting-delay", "greet-delay", stranger);
	return explain_grudge(x, stranger);
}

static void
explain_authentic(struct explaining *x)
{
	struct session *s = &x->session;
	bool judged = policy_is_judged(&s->facts, s->config->mail_auth);
	char value[POLICY_VALUE_MAX + 1] = "";
	struct policy_told told = {.rule = "spf",
	    .keyword = "spf-fail",
	    .value = value,
	    .result = judged ? RULE_UNKNOWN : RULE_IDLE};

	if (judged && s->client.address.ss_family != AF_UNSPEC &&
	    explain_spf(s, value))
		told.result = RULE_PASSES;
	explain_step(x->asked, "authentic");
	note_rule(x, &told);
	tell(x, "dmarc", "dmarc-reject", judged);
}

/* Behind all other steps. */
static void
explain_rest(struct explaining *x)
{
	const struct session *s = &x->session;

	explain_step(x->asked, "rest");
	tell(x, "filters", "milter", s->config->milters.n > 0);
	tell(x, "budget", "login-messages", s->facts.logged_in);
}

static bool
explain_all(struct explaining *x)
{
	if (!explain_gate(x) || !decide_blindly(x, POLICY_CONDUCT) || !explain_hello(x) ||
	    !explain_sender(x) || !explain_recipient(x))
		return false;
	for (int step = POLICY_RECIPIENT + 1; step < POLICY_STEPS; step++)
		(void)decide_blindly(x, (enum policy_step)step);
	explain_authentic(x);
	explain_rest(x);
	return true;
}

/* -- all of it -- */

static void
begin(struct explaining *x, struct service *service)
{
	const struct explain *e = x->asked;
	struct session *s = &x->session;

	*s = (struct session){.config = &service->config,
	    .owners = &service->owners,
	    .dns = service->dns,
	    .extended = true,
	    .dry = true};
	s->client.address = e->address;
	/* Where it would most likely have come to. */
	if (!self_kernel_source(&e->address, &s->client.local))
		s->client.local.ss_family = AF_UNSPEC;
	client_know(s);
	s->facts.listener =
	    e->login != NULL ? LISTENER_SUBMISSION : LISTENER_SMTP;
	s->facts.logged_in = e->login != NULL;
	snprintf(
	    s->login, sizeof(s->login), "%s", e->login != NULL ? e->login : "");
}

int
explain_run(struct service *service, const struct explain *asked)
{
	struct explaining x = {.asked = asked};

	loop_init();
	begin(&x, service);
	if (explain_all(&x)) {
		x.answer.rule = "";
		(void)note_verdict(&x, "recipient", VERDICT_RECIPIENT_OK);
	}
	explain_end(asked, &x.answer);
	session_reset(&x.session);
	owners_close(&service->owners);
	return x.exit;
}
