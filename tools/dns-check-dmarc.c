/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/cursor.h"
#include "mailauth/dmarc.h"
#include "tools/dns-check.h"

enum { REPORTS_MAX = 8 };

/* -- where reports go -- */

static bool
organization_of(struct check *c, const char *domain, char *out)
{
	struct dmarc_query query = {.from = domain};
	struct dmarc_result result;
	bool found;

	check_patience(c);
	dmarc_check(&c->mailauth, &query, &result);
	dmarc_find_organization(&c->mailauth, &result);
	found = result.organization[0] != '\0';
	snprintf(out, DNS_NAME_MAX + 1, "%s", result.organization);
	dmarc_result_free(&result);
	return found;
}

/* RFC 9990 section 4: another organization must say that it wants them. */
static void
check_word_of(
    struct check *c, const char *subject, const char *owner, const char *target)
{
	char name[2 * CHECK_NAME_SIZE], **texts = NULL;
	enum dns_status status;
	bool granted = false;
	size_t n = 0;

	snprintf(name, sizeof(name), "%s._report._dmarc.%s", owner, target);
	if (strlen(name) > DNS_NAME_MAX)
		return;
	check_patience(c);
	status = dns_txt(c->dns, name, &texts, &n);
	if (report_unanswered(&c->report, status, subject))
		return;
	for (size_t i = 0; i < n && status == DNS_FOUND; i++)
		granted |= strncasecmp(texts[i], "v=DMARC1", 8) == 0;
	free(texts);
	if (!granted)
		report_add(&c->report, FINDING_ERROR, subject,
		    "%s gets no reports before it publishes \"%s. TXT "
		    "v=DMARC1;\"",
		    target, name);
}

static void
check_target(
    struct check *c, const char *subject, const char *owner, const char *target)
{
	char ours[DNS_NAME_MAX + 1], theirs[DNS_NAME_MAX + 1];
	struct dns_mx mx[CHECK_MX_MAX];
	enum dns_status status;
	size_t n;

	if (!config_is_domain(target, false)) {
		report_add(&c->report, FINDING_ERROR, subject,
		    "reports to \"%s\": no domain", target);
		return;
	}
	check_patience(c);
	status = dns_mx(c->dns, target, mx, CHECK_MX_MAX, &n);
	if (report_unanswered(&c->report, status, subject))
		return;
	if (status == DNS_NO_NAME)
		report_add(&c->report, FINDING_ERROR, subject,
		    "reports to %s: no such domain", target);
	else if (organization_of(c, owner, ours) &&
	    organization_of(c, target, theirs) && !dns_name_equal(ours, theirs))
		check_word_of(c, subject, owner, target);
}

/* rua: URIs with commas between, each perhaps with "!" and a size. */
static void
check_reports(
    struct check *c, const char *subject, const char *owner, const char *rua)
{
	char uri[CHECK_NAME_SIZE + 128];
	size_t n;

	for (int i = 0; i < REPORTS_MAX && *rua != '\0'; i++, rua += n) {
		const char *at;

		rua += strspn(rua, ", \t");
		n = strcspn(rua, ",");
		if (n == 0)
			continue;
		snprintf(
		    uri, sizeof(uri), "%.*s", (int)(n < 512 ? n : 512), rua);
		uri[strcspn(uri, "! \t")] = '\0';
		at = strrchr(uri, '@');
		if (strncasecmp(uri, "mailto:", 7) != 0 || at == NULL)
			report_add(&c->report, FINDING_WARNING, subject,
			    "nobody sends reports to \"%s\": only mailto: is "
			    "known",
			    uri);
		else
			check_target(c, subject, owner, at + 1);
	}
}

/* -- the record -- */

static void
judge_record(struct check *c, const char *subject, const char *owner,
    const struct dmarc_record *record)
{
	report_add(&c->report, FINDING_OK, subject, "p=%s",
	    dmarc_policy_name(record->policy));
	if (record->policy == DMARC_NONE)
		report_add(&c->report, FINDING_NOTE, subject,
		    "forged mail is delivered: when the reports show that all "
		    "mail of yours passes, say p=quarantine, then p=reject");
	if (record->testing)
		report_add(&c->report, FINDING_NOTE, subject,
		    "t=y: others do one step less than p says");
	if (record->rua == NULL || record->rua[0] == '\0')
		report_add(&c->report, FINDING_WARNING, subject,
		    "nobody reports to you: add rua=mailto:postmaster@%s",
		    c->domain);
	else
		check_reports(c, subject, owner, record->rua);
}

/* None of the domain's own: one of a domain above it holds, or none does. */
static void
check_inherited(struct check *c, const char *subject)
{
	struct dmarc_query query = {.from = c->domain};
	struct dmarc_result result;

	check_patience(c);
	dmarc_check(&c->mailauth, &query, &result);
	if (result.result == AUTH_TEMPERROR)
		report_add(&c->report, FINDING_UNANSWERED, subject, "%s",
		    result.reason);
	else if (result.policy_domain[0] != '\0')
		report_add(&c->report, FINDING_OK, subject,
		    "that of %s holds: %s", result.policy_domain,
		    dmarc_policy_name(result.policy));
	else
		report_add(&c->report, FINDING_ERROR, subject,
		    "none: publish \"v=DMARC1; p=none; "
		    "rua=mailto:postmaster@%s\"",
		    c->domain);
	dmarc_result_free(&result);
}

static void
judge_texts(struct check *c, const char *subject, char **texts, size_t n)
{
	const char *why = NULL;
	struct dmarc_record record = {.rua = NULL};
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		struct dmarc_record one;
		bool is_dmarc;
		const char *wrong =
		    dmarc_record_parse(texts[i], &one, &is_dmarc);

		if (is_dmarc && found++ == 0) {
			why = wrong;
			record = one;
		} else {
			dmarc_record_free(&one);
		}
	}
	if (found == 0)
		check_inherited(c, subject);
	else if (found > 1)
		report_add(&c->report, FINDING_ERROR, subject,
		    "%zu records, so none counts: leave one", found);
	else if (why != NULL)
		report_add(&c->report, FINDING_ERROR, subject, "%s", why);
	else
		judge_record(c, subject, c->domain, &record);
	if (found > 0)
		dmarc_record_free(&record);
}

void
check_dmarc(struct check *c)
{
	char name[CHECK_NAME_SIZE], subject[CHECK_NAME_SIZE], **texts = NULL;
	enum dns_status status;
	size_t n = 0;

	check_name(name, "_dmarc", c->domain);
	snprintf(subject, sizeof(subject), "DMARC %s", c->domain);
	check_patience(c);
	status = dns_txt(c->dns, name, &texts, &n);
	if (report_unanswered(&c->report, status, subject))
		return;
	judge_texts(c, subject, texts, status == DNS_FOUND ? n : 0);
	if (status == DNS_FOUND)
		free(texts);
}
