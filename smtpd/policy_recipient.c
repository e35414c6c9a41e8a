/* SPDX-License-Identifier: ISC */
/* Rules about RCPT: whether we are to deliver that, and can. */
#include <inttypes.h>
#include <stdio.h>

#include "smtpd/policy_rules.h"

static void
write_number_before(
    const struct policy_facts *f, char out[POLICY_VALUE_MAX + 1])
{
	snprintf(out, POLICY_VALUE_MAX + 1, "1: %" PRIu64 " before",
	    f->recipient.accepted);
}

static enum verdict
judge_number(const struct policy_facts *f)
{
	return f->recipient.accepted >= f->recipient.max_recipients
	    ? VERDICT_TOO_MANY_RECIPIENTS
	    : VERDICT_RECIPIENT_OK;
}

static void
write_number(const struct policy_facts *f, char out[POLICY_VALUE_MAX + 1])
{
	snprintf(out, POLICY_VALUE_MAX + 1, "%" PRIu64 ": %" PRIu64 " before",
	    f->recipient.max_recipients, f->recipient.accepted);
}

/*
 * A report goes to one sender.  Whoever has several recipients for it splits
 * them at this answer; bots do not come again.
 */
static bool
is_demanded(const struct policy_facts *f)
{
	return f->recipient.null_path &&
	    policy_demands(f->client, TOLERATE_NULL_SENDER);
}

static enum verdict
judge_null_sender(const struct policy_facts *f)
{
	return f->recipient.accepted > 0 ? VERDICT_ONE_RECIPIENT
					 : VERDICT_RECIPIENT_OK;
}

static enum verdict
judge_relaying(const struct policy_facts *f)
{
	return f->recipient.known == VERDICT_RELAY_DENIED &&
		!policy_may_relay(f->client)
	    ? VERDICT_RELAY_DENIED
	    : VERDICT_RECIPIENT_OK;
}

static void
write_relaying(const struct policy_facts *f, char out[POLICY_VALUE_MAX + 1])
{
	snprintf(out, POLICY_VALUE_MAX + 1, "%s, the client %s relay",
	    f->recipient.known == VERDICT_RELAY_DENIED ? "not at home here"
						       : "at home here",
	    policy_may_relay(f->client) ? "may" : "may not");
}

/* Whom the last rule let pass has no mailbox here. */
static enum verdict
judge_mailbox(const struct policy_facts *f)
{
	return f->recipient.known == VERDICT_RELAY_DENIED ? VERDICT_RECIPIENT_OK
							  : f->recipient.known;
}

static bool
is_counted(const struct policy_facts *f)
{
	return policy_is_stranger(f->client);
}

static enum verdict
judge_client_rate(const struct policy_facts *f)
{
	return f->recipient.rate.verdict == VERDICT_CLIENT_RATE
	    ? VERDICT_CLIENT_RATE
	    : VERDICT_RECIPIENT_OK;
}

static enum verdict
judge_mailbox_rate(const struct policy_facts *f)
{
	return f->recipient.rate.verdict == VERDICT_MAILBOX_RATE
	    ? VERDICT_MAILBOX_RATE
	    : VERDICT_RECIPIENT_OK;
}

static void
write_rate(const struct policy_facts *f, char out[POLICY_VALUE_MAX + 1])
{
	if (f->recipient.rate.what[0] != '\0')
		snprintf(out, POLICY_VALUE_MAX + 1,
		    "%s is exceeded, for %" PRIu64 " seconds",
		    f->recipient.rate.what, f->recipient.rate.wait);
}

/* -- who the client is -- */

static bool
is_looked_up(const struct policy_facts *f)
{
	return policy_is_stranger(f->client) && !f->client->trusted &&
	    f->recipient.has_lists;
}

static enum verdict
judge_lists(const struct policy_facts *f)
{
	return f->recipient.refuse_score > 0 &&
		f->recipient.score >= (int64_t)f->recipient.refuse_score
	    ? VERDICT_LISTED
	    : VERDICT_RECIPIENT_OK;
}

static void
write_lists(const struct policy_facts *f, char out[POLICY_VALUE_MAX + 1])
{
	snprintf(out, POLICY_VALUE_MAX + 1,
	    "a score of %" PRId64 ", %" PRIu64 " refuse%s%s",
	    f->recipient.score, f->recipient.refuse_score,
	    f->recipient.lists[0] != '\0' ? ": " : "", f->recipient.lists);
}

static bool
may_be_grey(const struct policy_facts *f)
{
	return policy_is_stranger(f->client) && !f->client->trusted &&
	    f->recipient.greylist != GREYLIST_NO;
}

static enum verdict
judge_grey(const struct policy_facts *f)
{
	return f->recipient.grey_wait > 0 ? VERDICT_GREYLISTED
					  : VERDICT_RECIPIENT_OK;
}

static void
write_grey(const struct policy_facts *f, char out[POLICY_VALUE_MAX + 1])
{
	if (f->recipient.grey_key == NULL)
		snprintf(
		    out, POLICY_VALUE_MAX + 1, "not suspect, or not known");
	else if (f->recipient.grey_wait > 0)
		snprintf(out, POLICY_VALUE_MAX + 1,
		    "%s must wait for %" PRIu64 " seconds",
		    f->recipient.grey_key, f->recipient.grey_wait);
	else
		snprintf(out, POLICY_VALUE_MAX + 1, "%s need not wait",
		    f->recipient.grey_key);
}

const struct policy_rule policy_recipient_rules[] = {
    {"recipients", "max-recipients", NULL, NEED_NOTHING, judge_number,
	write_number},
    {"null-sender", "tolerate null-sender", is_demanded, NEED_NOTHING,
	judge_null_sender, write_number_before},
    {"relaying", "relay-from", NULL, NEED_KNOWN, judge_relaying,
	write_relaying},
    {"lists", "dnsbl", is_looked_up, NEED_SCORE, judge_lists, write_lists},
    {"client-rate", "client-recipients", is_counted, NEED_RATE,
	judge_client_rate, write_rate},
    {"mailbox", "postrider-user(8)", NULL, NEED_KNOWN, judge_mailbox, NULL},
    {"mailbox-rate", "mailbox-messages", is_counted, NEED_RATE,
	judge_mailbox_rate, write_rate},
    {"greylist", "greylist", may_be_grey, NEED_GREY, judge_grey, write_grey},
    {.name = NULL},
};
