/* SPDX-License-Identifier: ISC */
#include "smtpd/policy.h"

/*
 * Without From there is no domain to speak for it, and no name that a reader
 * could be deceived by, unless his program shows another field in its place.
 */
static enum dmarc_policy
asked_for(const struct policy_authentic *a)
{
	if (a->from != FROM_CLEAR)
		return a->from == FROM_ABSENT ? DMARC_QUARANTINE : DMARC_REJECT;
	return a->dmarc == AUTH_FAIL ? a->disposition : DMARC_NONE;
}

static enum failure_answer
answer_to(enum dmarc_policy asked, const struct policy_authentic *a)
{
	switch (asked) {
	case DMARC_REJECT:
		return a->dmarc_reject;
	case DMARC_QUARANTINE:
		return a->dmarc_quarantine;
	default:
		return FAILURE_MARK;
	}
}

static void
set_aside(struct policy_outcome *out, const char *word)
{
	if (out->junk == NULL)
		out->junk = word;
}

/* Could a DNS that tells make a difference? */
static bool
depends_on_dns(const struct policy_authentic *a)
{
	if (a->from != FROM_CLEAR || a->dmarc != AUTH_TEMPERROR || a->aligned)
		return false;
	if (a->nothing_known)
		return a->dmarc_reject != FAILURE_MARK ||
		    a->dmarc_quarantine != FAILURE_MARK;
	return answer_to(a->disposition, a) != FAILURE_MARK;
}

static void
apply_dmarc(const struct policy_authentic *a, struct policy_outcome *out)
{
	enum dmarc_policy asked = asked_for(a);
	enum failure_answer answer = answer_to(asked, a);

	if (answer == FAILURE_REJECT) {
		out->applied = DMARC_REJECT;
		out->verdict = a->from == FROM_UNCLEAR ? VERDICT_FROM_UNCLEAR
						       : VERDICT_DMARC_REJECT;
	} else if (answer == FAILURE_QUARANTINE) {
		out->applied = DMARC_QUARANTINE;
		set_aside(out, a->from == FROM_CLEAR ? "dmarc" : "from");
	}
	if (out->applied != asked) {
		out->override = "local_policy";
		out->because =
		    asked == DMARC_REJECT ? "dmarc-reject" : "dmarc-quarantine";
	}
	if (depends_on_dns(a))
		out->verdict = VERDICT_DMARC_LATER;
}

static void
apply_spf(const struct policy_authentic *a, struct policy_outcome *out)
{
	if (a->spf_fail == FAILURE_MARK || a->dmarc == AUTH_PASS)
		return;
	if (a->spf == AUTH_TEMPERROR)
		out->verdict = VERDICT_SPF_LATER;
	else if (a->spf == AUTH_FAIL && a->spf_fail == FAILURE_REJECT)
		out->verdict = VERDICT_SPF_FAIL;
	else if (a->spf == AUTH_FAIL)
		set_aside(out, "spf");
}

bool
policy_lists_junk(int64_t score, uint64_t junk_score)
{
	return junk_score > 0 && score >= (int64_t)junk_score;
}

void
policy_authentic(const struct policy_authentic *a, struct policy_outcome *out)
{
	static const struct {
		const char *keyword, *override;
	} trusted[] = {
	    [TRUST_FROM] = {"trust-from", "local_policy"},
	    [TRUST_CLIENT] = {"trust-client", "trusted_forwarder"},
	    [TRUST_SIGNER] = {"trust-signer", "trusted_forwarder"},
	};

	*out = (struct policy_outcome){.verdict = VERDICT_OK};
	if (a->trust == TRUST_NOBODY) {
		apply_dmarc(a, out);
		if (verdict_is_success(out->verdict))
			apply_spf(a, out);
	}
	if (policy_lists_junk(a->score, a->junk_score))
		set_aside(out, "lists");
	if (a->trust == TRUST_NOBODY)
		return;
	if (asked_for(a) == DMARC_NONE)
		return;
	out->override = trusted[a->trust].override;
	out->because = trusted[a->trust].keyword;
}
