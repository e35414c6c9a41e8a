/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "common/netaddr.h"
#include "tools/dns-check.h"

/*
 * What the big receivers have published that they demand of senders (Gmail
 * and Yahoo since February 2024, Microsoft since May 2025), on a sample.
 * They demand it of those who send thousands a day; all others fare better
 * with it as well.
 */
enum { RSA_BITS_GOOD = 2048, REASON_MAX = 400 };

struct evidence {
	const struct check *check;
	const struct header_section *header;
	const struct judgement *judgement;
	char reason[REASON_MAX]; /* of what is not ok */
};

static enum finding
judge_result(struct evidence *e, enum auth_result result, const char *reason)
{
	if (result == AUTH_PASS)
		return FINDING_OK;
	snprintf(e->reason, sizeof(e->reason), "%s%s%s",
	    auth_result_name(result), reason[0] != '\0' ? ": " : "", reason);
	return result == AUTH_TEMPERROR ? FINDING_UNANSWERED : FINDING_ERROR;
}

static enum finding
rule_spf(struct evidence *e)
{
	const struct spf_result *r = &e->judgement->sender;

	return judge_result(e, r->result, r->reason);
}

/* The best of them counts. */
static enum finding
rule_dkim(struct evidence *e)
{
	const struct judgement *j = e->judgement;

	if (j->nsignatures == 0) {
		snprintf(e->reason, sizeof(e->reason), "no signature");
		return FINDING_ERROR;
	}
	for (size_t i = 0; i < j->nsignatures; i++)
		if (j->signatures[i].result == AUTH_PASS)
			return FINDING_OK;
	return judge_result(
	    e, j->signatures[0].result, j->signatures[0].reason);
}

/* Of an RSA signature: not everybody knows Ed25519. */
static enum finding
rule_key(struct evidence *e)
{
	const struct judgement *j = e->judgement;
	const struct dkim_result *best = NULL;

	for (size_t i = 0; i < j->nsignatures; i++) {
		const struct dkim_result *r = &j->signatures[i];

		if (strcmp(r->algorithm, "rsa-sha256") == 0 &&
		    (best == NULL || r->key_bits > best->key_bits))
			best = r;
	}
	if (best == NULL) {
		snprintf(e->reason, sizeof(e->reason), "no RSA signature");
		return FINDING_ERROR;
	}
	if (best->result != AUTH_PASS)
		return judge_result(e, best->result, best->reason);
	if (best->key_bits >= RSA_BITS_GOOD)
		return FINDING_OK;
	snprintf(e->reason, sizeof(e->reason), "%u", best->key_bits);
	return FINDING_WARNING;
}

static enum finding
rule_dmarc(struct evidence *e)
{
	const struct dmarc_result *r = &e->judgement->dmarc;

	if (r->policy_domain[0] != '\0')
		return FINDING_OK;
	snprintf(e->reason, sizeof(e->reason), "no record%s%s",
	    r->reason[0] != '\0' ? ": " : "", r->reason);
	return r->result == AUTH_TEMPERROR ? FINDING_UNANSWERED : FINDING_ERROR;
}

static enum finding
rule_alignment(struct evidence *e)
{
	const struct dmarc_result *r = &e->judgement->dmarc;

	if (r->result == AUTH_NONE) {
		snprintf(e->reason, sizeof(e->reason), "no record");
		return FINDING_ERROR;
	}
	return judge_result(e, r->result, r->reason);
}

static enum finding
rule_name(struct evidence *e)
{
	if (e->check->names != FINDING_OK)
		snprintf(e->reason, sizeof(e->reason), "see PTR above");
	return e->check->names;
}

static enum finding
rule_format(struct evidence *e)
{
	static const char *const once[] = {"From", "Date", "Message-ID"};
	const struct header_field *first;

	for (size_t i = 0; i < sizeof(once) / sizeof(once[0]); i++)
		if (header_count(e->header, once[i], &first) != 1) {
			snprintf(e->reason, sizeof(e->reason),
			    "not one %s field", once[i]);
			return FINDING_ERROR;
		}
	return FINDING_OK;
}

static const struct rule {
	const char *text, *who;
	enum finding (*judge)(struct evidence *);
} rules[] = {
    {"SPF passes", "Gmail, Yahoo, Microsoft", rule_spf},
    {"a DKIM signature passes", "Gmail, Yahoo, Microsoft", rule_dkim},
    {"an RSA key of 2048 bits", "Gmail, Yahoo", rule_key},
    {"there is a DMARC policy", "Gmail, Yahoo, Microsoft", rule_dmarc},
    {"From is aligned with SPF or DKIM", "Gmail, Yahoo, Microsoft",
	rule_alignment},
    {"the address has a name that leads back", "Gmail, Yahoo", rule_name},
    {"one From, Date and Message-ID", "Gmail, Yahoo", rule_format},
};

static void
apply_rules(struct check *c, const char *subject, struct evidence *e)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		enum finding finding;

		e->reason[0] = '\0';
		finding = rules[i].judge(e);
		report_add(&c->report, finding, subject, "%s (%s)%s%s",
		    rules[i].text, rules[i].who,
		    e->reason[0] != '\0' ? ": " : "", e->reason);
	}
}

static void
judge_from(struct check *c, const struct sockaddr_storage *address)
{
	char sender[CHECK_NAME_SIZE], subject[CHECK_NAME_SIZE];
	char text[NETADDR_TEXT_MAX];
	struct spf_query query = {.client = *address,
	    .helo = c->host,
	    .sender = sender,
	    .receiver = c->host};
	static struct judgement judgement;
	struct header_section header;
	struct evidence e = {
	    .check = c, .header = &header, .judgement = &judgement};

	snprintf(sender, sizeof(sender), "postmaster@%s", c->domain);
	netaddr_format(address, text);
	snprintf(subject, sizeof(subject), "sample from %s", text);
	check_patience(c);
	if (sample_judge(
		&c->sample, &c->mailauth, &query, &header, &judgement)) {
		apply_rules(c, subject, &e);
		judgement_free(&judgement);
	} else {
		report_add(&c->report, FINDING_UNANSWERED, subject,
		    "not judged: no memory");
	}
	header_free(&header);
}

void
check_sample(struct check *c)
{
	if (!c->sample.is_signed) {
		report_add(&c->report, FINDING_NOTE, "sample",
		    "no message was signed and judged: %s", c->sample.problem);
		return;
	}
	if (c->relayed && !c->addresses.named)
		report_add(&c->report, FINDING_NOTE, "sample",
		    "not judged: say --ip and an address of the relay host");
	for (size_t i = 0;
	     i < c->addresses.n && !(c->relayed && !c->addresses.named); i++)
		judge_from(c, &c->addresses.items[i]);
	report_add(&c->report, FINDING_NOTE, "sample",
	    "newsletters must have List-Unsubscribe and "
	    "List-Unsubscribe-Post as well (RFC 8058), by whoever writes "
	    "them (Gmail, Yahoo)");
}
