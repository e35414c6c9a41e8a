/* SPDX-License-Identifier: ISC */
/* Rules about HELO and EHLO. */
#include <stdio.h>

#include "smtpd/policy_rules.h"

static enum verdict
judge_syntax(const struct policy_facts *f)
{
	return f->hello.fits ? VERDICT_OK : VERDICT_BAD_HELO;
}

static bool
is_demanded(const struct policy_facts *f)
{
	return policy_demands(f->client, TOLERATE_HELO);
}

static enum verdict
judge_name(const struct policy_facts *f)
{
	return f->hello.is_name ? VERDICT_OK : VERDICT_HELO_NO_NAME;
}

/* Whoever says it lies: to pass for us, or because it knows no other. */
static enum verdict
judge_ours(const struct policy_facts *f)
{
	return f->hello.is_ours ? VERDICT_HELO_OURS : VERDICT_OK;
}

static void
write_name(const struct policy_facts *f, char out[POLICY_VALUE_MAX + 1])
{
	snprintf(out, POLICY_VALUE_MAX + 1, "%s", f->hello.name);
}

const struct policy_rule policy_hello_rules[] = {
    {"helo", "RFC 5321 section 4.1.1.1", NULL, NEED_NOTHING, judge_syntax,
	write_name},
    {"helo-name", "tolerate helo", is_demanded, NEED_NOTHING, judge_name,
	write_name},
    {"helo-ours", "tolerate helo", is_demanded, NEED_NOTHING, judge_ours,
	write_name},
    {.name = NULL},
};
