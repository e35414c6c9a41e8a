/* SPDX-License-Identifier: ISC */
#include "mailauth/judge.h"

#include <stdio.h>
#include <stdlib.h>

struct judge {
	const struct mailauth *mailauth;
	const struct spf_query *spf;
	const struct header_section *section;
	struct dkim_verifier *dkim;
};

struct judge *
judge_begin(const struct mailauth *m, const struct spf_query *spf,
    const struct header_section *section)
{
	struct judge *j = malloc(sizeof(*j));

	if (j == NULL)
		return NULL;
	*j = (struct judge){.mailauth = m,
	    .spf = spf,
	    .section = section,
	    .dkim = dkim_verify_begin(m, section)};
	if (j->dkim == NULL) {
		free(j);
		return NULL;
	}
	return j;
}

void
judge_body(struct judge *j, const char *octets, size_t n)
{
	dkim_verify_body(j->dkim, octets, n);
}

void
judge_free(struct judge *j)
{
	if (j == NULL)
		return;
	dkim_verify_free(j->dkim);
	free(j);
}

/* A signature that leaves a part of the body open proves nothing (A15). */
static void
check_dmarc(const struct judge *j, const char *from, struct judgement *out)
{
	struct dmarc_query query = {
	    .from = from, .spf = {out->sender.domain, out->sender.result}};

	for (size_t i = 0; i < out->nsignatures; i++)
		if (!out->signatures[i].partial)
			query.dkim[query.ndkim++] =
			    (struct dmarc_identity){out->signatures[i].domain,
				out->signatures[i].result};
	dmarc_check(j->mailauth, &query, &out->dmarc);
}

static void
judge_author(const struct judge *j, struct judgement *out)
{
	char from[DNS_NAME_MAX + 1];

	out->no_author = dmarc_from(j->section, from);
	if (out->no_author == NULL) {
		check_dmarc(j, from, out);
		return;
	}
	out->dmarc = (struct dmarc_result){.result = AUTH_FAIL,
	    .record = {.psd = 'u'},
	    .disposition = out->no_author == dmarc_no_from ? DMARC_QUARANTINE
							   : DMARC_REJECT};
	snprintf(
	    out->dmarc.reason, sizeof(out->dmarc.reason), "%s", out->no_author);
	mailauth_step(j->mailauth, "dmarc: %s", out->no_author);
}

/*
 * Beside a reverse-path nothing depends on the HELO name: it is asked about
 * last, so that it takes no time from what matters.
 */
void
judge_end(struct judge *j, struct judgement *out)
{
	*out = (struct judgement){
	    .null_sender = j->spf->sender[0] == '\0'};
	if (j->spf->known != NULL && j->spf->known->result != AUTH_TEMPERROR)
		out->sender = *j->spf->known;
	else
		spf_check_sender(j->mailauth, j->spf, &out->sender);
	out->nsignatures = dkim_verify_end(j->dkim, out->signatures);
	judge_author(j, out);
	if (out->null_sender)
		out->helo = out->sender; /* RFC 7208 section 2.4 */
	else
		spf_check_helo(j->mailauth, j->spf, &out->helo);
}

void
judgement_free(struct judgement *judgement)
{
	dmarc_result_free(&judgement->dmarc);
}
