/* SPDX-License-Identifier: ISC */
#include "smtpd/rows.h"

#include <string.h>

#include "common/report_row.h"
#include "mailauth/dmarc_walk.h"
#include "smtpd/ledger.h"

/* With an enforcing policy, to pass is a disposition of its own. */
static const char *
disposition(const struct dmarc_result *d, const struct policy_outcome *outcome)
{
	if (d->result == AUTH_PASS && d->policy != DMARC_NONE &&
	    outcome->applied == DMARC_NONE)
		return "pass";
	return dmarc_policy_name(outcome->applied);
}

/* Why not all was done that the domain's owner asks for; "": it was. */
static const char *
reason(const struct dmarc_result *d, const struct policy_outcome *outcome)
{
	if (outcome->override != NULL)
		return outcome->override;
	return d->result == AUTH_FAIL && d->disposition != d->policy
	    ? "policy_test_mode"
	    : "";
}

/*
 * Those of most use first (RFC 9990, "DKIM Signatures in Aggregate Reports"):
 * that passed for the very domain, for one near it, for another, that failed.
 */
static int
rank(const struct dkim_result *s, const struct dmarc_result *d)
{
	if (s->result != AUTH_PASS)
		return 3;
	if (strcmp(s->domain, d->domain) == 0)
		return 0;
	return d->organization[0] != '\0' &&
		dmarc_is_within(s->domain, d->organization)
	    ? 1
	    : 2;
}

static void
add_signatures(struct report_row_text *row, const struct judgement *j)
{
	for (int wanted = 0; wanted <= 3; wanted++)
		for (size_t i = 0; i < j->nsignatures &&
		     row->nsignatures < REPORT_SIGNATURES_MAX;
		     i++) {
			const struct dkim_result *s = &j->signatures[i];

			if (rank(s, &j->dmarc) == wanted)
				row->signatures[row->nsignatures++] =
				    (struct report_signature){s->domain,
					s->selector,
					auth_result_name(s->result)};
		}
}

static void
write_row(struct buf *out, const struct session *s, const struct judgement *j,
    const struct policy_outcome *outcome)
{
	const struct dmarc_result *d = &j->dmarc;
	struct report_row_text row = {.from = d->domain,
	    .envelope = s->transaction.sender.domain,
	    .client = s->client.text,
	    .disposition = disposition(d, outcome),
	    .dkim = d->dkim_aligned ? "pass" : "fail",
	    .spf = d->spf_aligned ? "pass" : "fail",
	    .spf_domain = j->sender.domain,
	    .spf_result = auth_result_name(j->sender.result),
	    .reason = reason(d, outcome),
	    .comment = outcome->because != NULL ? outcome->because : ""};

	add_signatures(&row, j);
	report_row_write(out, &row);
}

static void
write_policy(struct buf *out, const struct dmarc_record *r)
{
	report_policy_write(out,
	    &(struct report_policy){.p = dmarc_policy_name(r->policy),
		.sp = dmarc_policy_name(r->subdomains),
		.np = dmarc_policy_name(r->missing),
		.adkim = r->strict_dkim ? "s" : "r",
		.aspf = r->strict_spf ? "s" : "r",
		.testing = r->testing ? "y" : "n"});
}

/* As many whole URIs as there is room for. */
static void
write_rua(struct buf *out, const char *rua)
{
	size_t n = strlen(rua);

	if (n > REPORT_RUA_MAX)
		for (n = REPORT_RUA_MAX; n > 0 && rua[n] != ','; n--)
			;
	for (size_t i = 0; i < n; i++)
		buf_addc(out, rua[i] < ' ' || rua[i] == 0x7f ? ' ' : rua[i]);
}

static void
write_packet(struct packet *p, const struct session *s,
    const struct judgement *j, const struct policy_outcome *outcome)
{
	struct buf policy = BUF_INIT(REPORT_POLICY_MAX);
	struct buf rua = BUF_INIT(REPORT_RUA_MAX);
	struct buf text = BUF_INIT(2 * REPORT_ROW_MAX);

	write_policy(&policy, &j->dmarc.record);
	write_rua(&rua, j->dmarc.record.rua);
	write_row(&text, s, j, outcome);
	packet_start(p, "row");
	p->failed = buf_text(&policy) == NULL || buf_text(&rua) == NULL ||
	    buf_text(&text) == NULL;
	if (!p->failed) {
		packet_text(p, "domain", j->dmarc.policy_domain);
		packet_text(p, "policy", policy.data);
		packet_text(p, "rua", rua.data);
		packet_text(p, "text", text.data);
	}
	buf_free(&policy);
	buf_free(&rua);
	buf_free(&text);
}

void
rows_tell(const struct session *s, const struct judgement *j,
    const struct policy_outcome *outcome)
{
	const struct dmarc_result *d = &j->dmarc;
	struct packet p;

	if (!s->config->dmarc_reports || d->policy_domain[0] == '\0' ||
	    d->record.rua == NULL || s->client.address.ss_family == AF_UNSPEC)
		return;
	write_packet(&p, s, j, outcome);
	if (!p.failed)
		ledger_tell(&p);
}
