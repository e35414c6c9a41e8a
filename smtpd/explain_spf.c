/* SPDX-License-Identifier: ISC */
#include <stdio.h>

#include "mailauth/spf.h"
#include "smtpd/asking.h"
#include "smtpd/explain.h"
#include "smtpd/judging.h"
#include "smtpd/session.h"

static void
check(struct session *s, struct spf_result *spf)
{
	struct asking asking;
	struct resolver resolver =
	    asking_begin(&asking, s->dns, s->config->hostname);
	const struct mailauth mailauth = {.resolver = &resolver};
	const struct spf_query query = {.client = s->client.address,
	    .helo = s->helo,
	    .sender = s->transaction.sender_text,
	    .receiver = s->config->hostname};

	asking_limit(&asking, JUDGING_MS);
	spf_check_sender(&mailauth, &query, spf);
	asking_end(&asking);
}

/* Would the message be taken, and be no junk, if DMARC had nothing to say? */
static bool
is_harmless(const struct config *config, enum auth_result result)
{
	const struct policy_authentic facts = {.from = FROM_CLEAR,
	    .spf = result,
	    .dmarc = AUTH_NONE,
	    .spf_fail = config->spf_fail,
	    .dmarc_reject = config->dmarc_reject,
	    .dmarc_quarantine = config->dmarc_quarantine};
	struct policy_outcome outcome;

	policy_authentic(&facts, &outcome);
	return verdict_is_success(outcome.verdict) && outcome.junk == NULL;
}

bool
explain_spf(struct session *s, char value[POLICY_VALUE_MAX + 1])
{
	struct spf_result spf = {.result = AUTH_NONE};

	check(s, &spf);
	snprintf(value, POLICY_VALUE_MAX + 1, "%s%s%s",
	    auth_result_name(spf.result), spf.domain[0] != '\0' ? " for " : "",
	    spf.domain);
	return is_harmless(s->config, spf.result);
}
