/* SPDX-License-Identifier: ISC */
#include "smtpd/policy.h"

bool
policy_may_relay(const struct policy_client *client)
{
	return client->logged_in || client->relay_from;
}

static bool
takes_logins_only(enum listener_kind listener)
{
	return listener == LISTENER_SUBMISSION ||
	    listener == LISTENER_SUBMISSIONS;
}

bool
policy_is_judged(const struct policy_client *client, bool mail_auth)
{
	return mail_auth && client->listener == LISTENER_SMTP &&
	    !policy_may_relay(client);
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
		    takes_logins_only(client->listener);
	default:
		return false;
	}
}

/* RFC 6409 section 4.3; RFC 4954 section 6. */
enum verdict
policy_sender(
    const struct policy_client *client, const struct policy_sender *sender)
{
	if (takes_logins_only(client->listener) && !policy_may_relay(client))
		return VERDICT_LOGIN_NEEDED;
	if (client->logged_in && !sender->null_path &&
	    !verdict_is_success(sender->owned))
		return sender->owned;
	if (sender->declared_size > sender->max_size)
		return VERDICT_TOO_BIG;
	if (!verdict_is_success(sender->room)) /* RFC 1870 section 6.1 */
		return sender->room;
	return VERDICT_SENDER_OK;
}

enum verdict
policy_recipient(const struct policy_client *client,
    const struct policy_recipient *recipient)
{
	if (recipient->accepted >= recipient->max_recipients)
		return VERDICT_TOO_MANY_RECIPIENTS;
	if (recipient->known == VERDICT_RELAY_DENIED &&
	    policy_may_relay(client))
		return VERDICT_RECIPIENT_OK;
	return recipient->known;
}

enum verdict
policy_content(const struct policy_content *content)
{
	const struct {
		bool holds;
		enum verdict verdict;
	} faults[] = {
	    {content->hops > content->max_hops, VERDICT_LOOP},
	    {content->wire->octets > content->max_size, VERDICT_TOO_BIG},
	    {content->header_too_big, VERDICT_HEADER_TOO_BIG},
	    {content->wire->bare_cr || content->wire->bare_lf,
		VERDICT_BARE_LINE_END},
	    {content->wire->nul, VERDICT_NUL_OCTET},
	    {content->wire->longest > content->max_line_length + 2,
		VERDICT_LINE_TOO_LONG},
	};
	enum verdict worst = VERDICT_OK;

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (faults[i].holds && faults[i].verdict > worst)
			worst = faults[i].verdict;
	return worst;
}

/* -- authentic? -- */

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
		out->because = asked == DMARC_REJECT ? "dmarc-reject"
						     : "dmarc-quarantine";
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
		return;
	}
	if (asked_for(a) == DMARC_NONE)
		return;
	out->override = trusted[a->trust].override;
	out->because = trusted[a->trust].keyword;
}

bool
policy_closes(enum verdict verdict)
{
	return verdict == VERDICT_BARE_LINE_END || verdict == VERDICT_NUL_OCTET;
}
