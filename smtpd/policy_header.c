/* SPDX-License-Identifier: ISC */
/*
 * Rules about the header section of what those who log in hand in.  Who may
 * relay without a login, by his address or as a user of this machine, has no
 * addresses of his own that it could be bound to.
 */
#include <stdio.h>

#include "smtpd/policy_rules.h"
#include "smtpd/submitted.h"

static bool
is_bound(const struct policy_facts *f)
{
	return f->client->logged_in && f->author.binds;
}

static enum verdict
judge_clear(const struct policy_facts *f)
{
	return f->author.said->from == FROM_UNCLEAR ? VERDICT_FROM_UNCLEAR
						    : VERDICT_OK;
}

/* RFC 6409 section 6.1 */
static enum verdict
judge_owned(const struct policy_facts *f)
{
	if (verdict_is_success(f->author.owned) ||
	    verdict_is_temporary(f->author.owned))
		return f->author.owned;
	return VERDICT_FROM_NOT_OWNED;
}

static void
write_owned(const struct policy_facts *f, char out[POLICY_VALUE_MAX + 1])
{
	if (f->author.address != NULL)
		snprintf(out, POLICY_VALUE_MAX + 1, "%s: %s", f->author.field,
		    f->author.address);
}

const struct policy_rule policy_header_rules[] = {
    {"from-clear", "bind-from", is_bound, NEED_AUTHOR, judge_clear, NULL},
    {"from-owned", "bind-from", is_bound, NEED_AUTHOR, judge_owned,
	write_owned},
    {.name = NULL},
};
