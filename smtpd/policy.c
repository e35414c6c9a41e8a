/* SPDX-License-Identifier: ISC */
#include "smtpd/policy.h"

#include <inttypes.h>
#include <stdio.h>

#include "smtpd/policy_rules.h"

bool
policy_may_relay(const struct policy_client *client)
{
	return client->logged_in || client->relay_from;
}

bool
policy_is_stranger(const struct policy_client *client)
{
	return client->listener == LISTENER_SMTP && !policy_may_relay(client);
}

bool
policy_tolerates(const struct policy_client *client, enum tolerance what)
{
	return (client->tolerated & 1U << what) != 0;
}

bool
policy_demands(const struct policy_client *client, enum tolerance what)
{
	return policy_is_stranger(client) && !policy_tolerates(client, what);
}

bool
policy_is_judged(const struct policy_client *client, bool mail_auth)
{
	return mail_auth && policy_is_stranger(client);
}

bool
policy_takes_logins_only(enum listener_kind listener)
{
	return listener == LISTENER_SUBMISSION ||
	    listener == LISTENER_SUBMISSIONS;
}

bool
policy_offers_dsn(const struct policy_client *client, enum offer_dsn offer)
{
	switch (offer) {
	case OFFER_DSN_EVERYBODY:
		return true;
	case OFFER_DSN_TRUSTED:
		/* Before the login, too: many clients say EHLO but once. */
		return policy_may_relay(client) ||
		    policy_takes_logins_only(client->listener);
	default:
		return false;
	}
}

void
policy_write_size(uint64_t octets, char out[POLICY_SIZE_MAX])
{
	const char *unit = "";

	if (octets > 0 && octets % (1 << 20) == 0) {
		octets >>= 20;
		unit = "M";
	} else if (octets > 0 && octets % (1 << 10) == 0) {
		octets >>= 10;
		unit = "K";
	}
	snprintf(out, POLICY_SIZE_MAX, "%" PRIu64 "%s", octets, unit);
}

/* -- the evaluator -- */

static const struct {
	const char *name;
	const struct policy_rule *rules;
	enum verdict success;
} steps[POLICY_STEPS] = {
    [POLICY_CONDUCT] = {"conduct", policy_conduct_rules, VERDICT_OK},
    [POLICY_HELLO] = {"hello", policy_hello_rules, VERDICT_OK},
    [POLICY_SENDER] = {"sender", policy_sender_rules, VERDICT_SENDER_OK},
    [POLICY_RECIPIENT] = {"recipient", policy_recipient_rules,
	VERDICT_RECIPIENT_OK},
    [POLICY_HEADER] = {"header", policy_header_rules, VERDICT_OK},
    [POLICY_CONTENT] = {"content", policy_content_rules, VERDICT_OK},
};

const char *
policy_step_name(enum policy_step step)
{
	return steps[step].name;
}

/* Is what the rule needs there? */
static bool
have(struct policy_facts *f, enum policy_need need)
{
	unsigned bit = 1U << need;

	if (need == NEED_NOTHING || f->gather == NULL)
		return true;
	if ((f->gathered & bit) == 0 && !f->gather(f->gather_context, f, need))
		f->missing |= bit;
	f->gathered |= bit;
	return (f->missing & bit) == 0;
}

static enum policy_result
judge(const struct policy_rule *rule, struct policy_facts *f,
    enum verdict *verdict)
{
	if (rule->applies != NULL && !rule->applies(f))
		return RULE_IDLE;
	if (!have(f, rule->need))
		return RULE_UNKNOWN;
	*verdict = rule->judge(f);
	return verdict_is_success(*verdict) ? RULE_PASSES : RULE_DECIDES;
}

static void
tell(const struct policy_rule *rule, const struct policy_facts *f,
    enum policy_result result, enum verdict verdict)
{
	struct policy_told told = {.rule = rule->name,
	    .keyword = rule->keyword,
	    .result = result,
	    .verdict = verdict};
	char value[POLICY_VALUE_MAX + 1] = "";

	if (rule->value != NULL &&
	    (result == RULE_PASSES || result == RULE_DECIDES))
		rule->value(f, value);
	told.value = value;
	f->observe(f->observe_context, &told);
}

enum verdict
policy_decide(enum policy_step step, struct policy_facts *f)
{
	enum verdict answer = steps[step].success;
	bool decided = false;

	for (const struct policy_rule *rule = steps[step].rules;
	     rule->name != NULL && (!decided || f->observe != NULL); rule++) {
		enum policy_result result = RULE_NOT_REACHED;
		enum verdict verdict = answer;

		if (!decided)
			result = judge(rule, f, &verdict);
		if (f->observe != NULL)
			tell(rule, f, result, verdict);
		if (result == RULE_DECIDES) {
			answer = verdict;
			decided = true;
		}
	}
	return answer;
}

bool
policy_closes(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_BARE_LINE_END:
	case VERDICT_NUL_OCTET:
	case VERDICT_TALKED_FIRST:
	case VERDICT_PIPELINING:
	case VERDICT_TOO_MANY_ERRORS:
		return true;
	default:
		return false;
	}
}
