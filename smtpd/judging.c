/* SPDX-License-Identifier: ISC */
#include "smtpd/judging.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "mailauth/authres.h"
#include "mailauth/dmarc_walk.h"
#include "smtpd/asking.h"
#include "smtpd/session.h"

struct judging {
	struct session *session;
	struct asking asking;
	struct resolver resolver;
	struct mailauth mailauth;
	struct spf_query query;
	struct judge *judge;
	struct judgement judgement; /* to be freed once `ended` */
	bool ended;
	struct policy_outcome outcome;
};

struct judging *
judging_begin(struct session *s, const struct header_section *section)
{
	struct judging *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	j->session = s;
	j->resolver = asking_begin(&j->asking, s->dns, s->config->hostname);
	j->mailauth =
	    (struct mailauth){.resolver = &j->resolver, .now = clock_now()};
	j->query = (struct spf_query){.client = s->client.address,
	    .helo = s->helo,
	    .sender = s->transaction.sender_text,
	    .receiver = s->config->hostname,
	    .known = s->transaction.spf_result};
	j->judge = judge_begin(&j->mailauth, &j->query, section);
	if (j->judge == NULL) {
		free(j);
		return NULL;
	}
	return j;
}

void
judging_body(struct judging *j, const char *octets, size_t n)
{
	judge_body(j->judge, octets, n);
}

void
judging_free(struct judging *j)
{
	if (j == NULL)
		return;
	judge_free(j->judge);
	if (j->ended)
		judgement_free(&j->judgement);
	free(j);
}

/* -- facts -- */

/* Lists hold domains in lower case; of a domain all below it is meant. */
static bool
is_listed(const struct config_list *list, const char *domain)
{
	char listed[DNS_NAME_MAX + 1];

	for (size_t i = 0; domain[0] != '\0' && i < list->n; i++)
		if (dmarc_normalise(list->items[i], listed) &&
		    dmarc_is_within(domain, listed))
			return true;
	return false;
}

static bool
has_trusted_signature(const struct judging *j)
{
	const struct config *config = j->session->config;

	for (size_t i = 0; i < j->judgement.nsignatures; i++) {
		const struct dkim_result *r = &j->judgement.signatures[i];

		if (r->result == AUTH_PASS && !r->partial &&
		    is_listed(&config->trust_signer, r->domain))
			return true;
	}
	return false;
}

static enum policy_trust
find_trust(const struct judging *j, enum policy_from from)
{
	const struct session *s = j->session;

	if (config_net_contains(&s->config->trust_client, &s->client.address))
		return TRUST_CLIENT;
	if (has_trusted_signature(j))
		return TRUST_SIGNER;
	if (from == FROM_CLEAR &&
	    is_listed(&s->config->trust_from, j->judgement.dmarc.domain))
		return TRUST_FROM;
	return TRUST_NOBODY;
}

static enum policy_from
look_at_from(const struct judging *j)
{
	if (j->judgement.no_author == dmarc_no_from)
		return FROM_ABSENT;
	if (j->judgement.no_author != NULL ||
	    j->judgement.dmarc.result == AUTH_PERMERROR)
		return FROM_UNCLEAR;
	return FROM_CLEAR;
}

static void
decide(struct judging *j)
{
	const struct config *config = j->session->config;
	const struct dmarc_result *dmarc = &j->judgement.dmarc;
	struct policy_authentic facts = {.from = look_at_from(j),
	    .spf = j->judgement.sender.result,
	    .dmarc = dmarc->result,
	    .disposition = dmarc->disposition,
	    .nothing_known = dmarc->policy_domain[0] == '\0',
	    .aligned = dmarc->spf_aligned || dmarc->dkim_aligned,
	    .score = client_lists(j->session)->score,
	    .junk_score = config->junk_score,
	    .spf_fail = config->spf_fail,
	    .dmarc_reject = config->dmarc_reject,
	    .dmarc_quarantine = config->dmarc_quarantine};

	facts.trust = find_trust(j, facts.from);
	policy_authentic(&facts, &j->outcome);
}

/* -- what is said of it -- */

static void
note_for_log(const struct judging *j)
{
	struct transaction *t = &j->session->transaction;
	const struct judgement *said = &j->judgement;

	t->spf = auth_result_name(said->sender.result);
	t->dkim = auth_result_name(
	    dkim_in_a_word(said->signatures, said->nsignatures));
	t->dmarc = auth_result_name(said->dmarc.result);
	t->trust = j->outcome.because;
	t->junk = j->outcome.junk;
	memcpy(t->author, said->dmarc.domain, sizeof(t->author));
}

void
judging_mark(struct buf *fields, const char *why)
{
	buf_addf(fields, "X-Spam-Flag: YES\nX-Spam-Status: Yes, reason=%s\n",
	    why);
}

enum verdict
judging_end(struct judging *j, struct buf *fields)
{
	asking_limit(&j->asking, JUDGING_MS);
	judge_end(j->judge, &j->judgement);
	j->ended = true;
	asking_end(&j->asking);
	decide(j);
	note_for_log(j);
	if (!verdict_is_success(j->outcome.verdict))
		return j->outcome.verdict;
	if (j->outcome.junk != NULL)
		judging_mark(fields, j->outcome.junk);
	authres_write(fields, j->session->config->hostname, &j->judgement);
	return buf_ok(fields) ? VERDICT_OK : VERDICT_INTERNAL;
}

const struct judgement *
judging_judgement(const struct judging *j)
{
	return &j->judgement;
}

const struct policy_outcome *
judging_outcome(const struct judging *j)
{
	return &j->outcome;
}

/* Whatever a stranger's record says, it stays in this line (A8). */
static void
clean(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

void
judging_explain(const struct judging *j, enum verdict verdict,
    char text[JUDGING_TEXT_MAX + 1])
{
	const struct judgement *said = &j->judgement;
	const char *own = verdict_row(verdict)->text;

	text[0] = '\0';
	if (verdict == VERDICT_DMARC_REJECT)
		snprintf(text, JUDGING_TEXT_MAX + 1,
		    "%s, %s: it must pass SPF or DKIM for that domain (SPF %s, "
		    "DKIM %s)",
		    own, said->dmarc.domain,
		    auth_result_name(said->sender.result),
		    auth_result_name(
			dkim_in_a_word(said->signatures, said->nsignatures)));
	else if (verdict == VERDICT_SPF_FAIL &&
	    said->sender.explanation[0] != '\0')
		snprintf(text, JUDGING_TEXT_MAX + 1,
		    "%s; %.80s explains: %.300s", own, said->sender.domain,
		    said->sender.explanation);
	clean(text);
}
