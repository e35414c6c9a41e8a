/* SPDX-License-Identifier: ISC */
/* Rules about how a client behaves, whatever it wants to send. */
#include <inttypes.h>
#include <stdio.h>

#include "smtpd/policy_rules.h"

/* RFC 5321 section 3.1: no mail server does (A7). */
static enum verdict
judge_greeting(const struct policy_facts *f)
{
	return f->conduct.talked_first ? VERDICT_TALKED_FIRST : VERDICT_OK;
}

/*
 * RFC 2920 section 3.1: behind EHLO, but not behind every command.  What is
 * sent ahead elsewhere may be meant for somebody else (A7).
 */
static enum verdict
judge_pipelining(const struct policy_facts *f)
{
	const struct policy_conduct *c = &f->conduct;
	bool wrong = c->guarded;

	if (!policy_tolerates(f->client, TOLERATE_PIPELINING))
		wrong |=
		    c->alone || (!c->extended && policy_is_stranger(f->client));
	return c->ahead && wrong ? VERDICT_PIPELINING : VERDICT_OK;
}

static enum verdict
judge_errors(const struct policy_facts *f)
{
	return f->conduct.errors >= f->conduct.max_errors
	    ? VERDICT_TOO_MANY_ERRORS
	    : VERDICT_OK;
}

static void
write_errors(const struct policy_facts *f, char out[POLICY_VALUE_MAX + 1])
{
	snprintf(out, POLICY_VALUE_MAX + 1, "%" PRIu64 ": %" PRIu64 " so far",
	    f->conduct.max_errors, f->conduct.errors);
}

const struct policy_rule policy_conduct_rules[] = {
    {"greeting", "RFC 5321 section 3.1", NULL, NEED_CONDUCT, judge_greeting,
	NULL},
    {"pipelining", "tolerate pipelining", NULL, NEED_CONDUCT, judge_pipelining,
	NULL},
    {"errors", "max-errors", NULL, NEED_CONDUCT, judge_errors, write_errors},
    {.name = NULL},
};
