/* SPDX-License-Identifier: ISC */
/* Rules about HELO and EHLO. */
#include <stdio.h>

#include "smtpd/policy_rules.h"

static enum verdict
judge_syntax(const struct policy_facts *f)
{
	return f->hello.fits ? VERDICT_OK : VERDICT_BAD_HELO;
}

static void
write_name(const struct policy_facts *f, char out[POLICY_VALUE_MAX + 1])
{
	snprintf(out, POLICY_VALUE_MAX + 1, "%s", f->hello.name);
}

const struct policy_rule policy_hello_rules[] = {
    {"helo", "RFC 5321 section 4.1.1.1", NULL, NEED_NOTHING, judge_syntax,
	write_name},
    {.name = NULL},
};
