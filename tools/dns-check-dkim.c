/* SPDX-License-Identifier: ISC */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "mailauth/dkim.h"
#include "tools/dns-check.h"

enum { RSA_BITS_GOOD = 2048 };

/* -- a record that is there -- */

static void
judge_key(struct check *c, const char *subject, const struct house_key *ours,
    const struct dkim_key *published)
{
	struct dkim_key own;
	bool same = dkim_key_parse(ours->record, &own) == NULL &&
	    own.key != NULL && EVP_PKEY_eq(own.key, published->key) == 1;

	if (!same)
		report_add(&c->report, FINDING_ERROR, subject,
		    "another key than the one that signs: publish \"%s\"",
		    ours->record);
	else if (EVP_PKEY_is_a(published->key, "RSA") &&
	    published->bits < RSA_BITS_GOOD)
		report_add(&c->report, FINDING_WARNING, subject,
		    "%u bits; %d are what others want", published->bits,
		    RSA_BITS_GOOD);
	else
		report_add(&c->report, FINDING_OK, subject, "our key, %s",
		    selector_state_name(ours->state));
	if (published->testing)
		report_add(&c->report, FINDING_WARNING, subject,
		    "t=y: others may treat the mail as not signed");
	EVP_PKEY_free(own.key);
}

static void
judge_record(struct check *c, const char *subject, const struct house_key *ours,
    const char *text)
{
	struct dkim_key published;
	const char *why = dkim_key_parse(text, &published);

	if (why != NULL)
		report_add(&c->report, FINDING_ERROR, subject, "%s", why);
	else if (published.key == NULL)
		report_add(&c->report, FINDING_ERROR, subject,
		    "revoked (p= is empty), while it is %s here",
		    selector_state_name(ours->state));
	else
		judge_key(c, subject, ours, &published);
	EVP_PKEY_free(published.key);
}

/* -- a record that is not there -- */

static void
report_missing(
    struct check *c, const char *subject, const struct house_key *ours)
{
	switch (ours->state) {
	case SELECTOR_ACTIVE:
		report_add(&c->report, FINDING_ERROR, subject,
		    "not there, while it signs: publish \"%s\"", ours->record);
		break;
	case SELECTOR_WAITING:
		report_add(&c->report, FINDING_WARNING, subject,
		    "waits to be published: \"%s\"; then say postrider-key "
		    "dkim --check",
		    ours->record);
		break;
	case SELECTOR_RETIRED:
		break;
	}
}

static void
check_selector(struct check *c, const struct house_key *ours)
{
	char name[2 * CHECK_NAME_SIZE], subject[2 * CHECK_NAME_SIZE + 8];
	enum dns_status status;
	char **texts = NULL;
	size_t n = 0;

	snprintf(name, sizeof(name), "%s._domainkey.%s", ours->selector,
	    c->keys.domain);
	snprintf(subject, sizeof(subject), "DKIM %s", name);
	check_patience(c);
	status = dns_txt(c->dns, name, &texts, &n);
	if (report_unanswered(&c->report, status, subject))
		return;
	if (status != DNS_FOUND)
		report_missing(c, subject, ours);
	else if (ours->state == SELECTOR_RETIRED)
		report_add(&c->report, FINDING_NOTE, subject,
		    "signs no more: some days later its record can go, and "
		    "\"postrider-key dkim --delete\" forgets it");
	else if (n > 1)
		report_add(&c->report, FINDING_ERROR, subject,
		    "%zu records: leave one (RFC 6376 section 3.6.2.2)", n);
	else
		judge_record(c, subject, ours, texts[0]);
	if (status == DNS_FOUND)
		free(texts);
}

void
check_dkim(struct check *c)
{
	char subject[CHECK_NAME_SIZE];
	bool signing = false;

	snprintf(subject, sizeof(subject), "DKIM %s", c->domain);
	if (!c->request->config->dkim_sign)
		report_add(&c->report, FINDING_WARNING, subject,
		    "\"dkim-sign no\": nothing is signed here, whatever the "
		    "sample says");
	if (c->keys_unknown[0] != '\0') {
		report_add(&c->report, FINDING_NOTE, subject,
		    "the keys were not looked at: %s", c->keys_unknown);
		return;
	}
	for (size_t i = 0; i < c->keys.n; i++) {
		signing |= c->keys.items[i].state == SELECTOR_ACTIVE;
		check_selector(c, &c->keys.items[i]);
	}
	if (c->keys.n == 0)
		report_add(&c->report, FINDING_ERROR, subject,
		    "no key, so nothing is signed: say \"postrider-key dkim "
		    "%s\"",
		    c->domain);
	else if (!signing)
		report_add(&c->report, FINDING_ERROR, subject,
		    "no key is active, so nothing is signed");
}
