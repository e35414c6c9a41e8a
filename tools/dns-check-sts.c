/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/dns-check.h"
#include "tools/dns-policy.h"

enum { FILE_MAX = 65536 };

/* -- the policy, from the file that the web server has -- */

static void
check_listed(struct check *c, const char *subject,
    const struct sts_policy *policy, const char *host)
{
	bool enforced = strcmp(policy->mode, "enforce") == 0;
	bool listed = false;

	for (size_t i = 0; i < policy->nmx; i++)
		listed |= sts_matches(policy->mx[i], host);
	if (!listed)
		report_add(&c->report,
		    enforced ? FINDING_ERROR : FINDING_WARNING, subject,
		    "%s takes mail, but the policy does not name it", host);
}

static void
judge_policy(struct check *c, const char *subject,
    const struct sts_policy *policy, const struct buf *text, const char *id)
{
	char good[STS_ID_MAX + 1];

	if (strcmp(policy->mode, "none") != 0) {
		for (size_t i = 0; i < c->nmx; i++)
			check_listed(c, subject, policy, c->mx[i].host);
		if (c->nmx == 0)
			check_listed(c, subject, policy, c->host);
	}
	report_add(&c->report, FINDING_OK, subject, "the policy says %s",
	    policy->mode);
	if (policy_id(text, good) && strcmp(good, id) != 0)
		report_add(&c->report, FINDING_NOTE, subject,
		    "if the policy has changed since, publish id=%s", good);
}

static void
check_policy(struct check *c, const char *subject, const char *id)
{
	static struct sts_policy policy;
	const char *why;
	struct buf text = BUF_INIT(FILE_MAX);

	if (c->request->policy == NULL) {
		report_add(&c->report, FINDING_NOTE, subject,
		    "id %s; what the web server serves was not looked at: say "
		    "--policy and the file",
		    id);
		return;
	}
	buf_add(&text, c->policy, c->npolicy);
	why = sts_policy_read(&policy, c->policy, c->npolicy);
	if (why != NULL)
		report_add(&c->report, FINDING_ERROR, subject, "%s: %s",
		    c->request->policy, why);
	else
		judge_policy(c, subject, &policy, &text, id);
	buf_free(&text);
}

/* -- the record -- */

/* The web server's name has an address? */
static void
check_web_server(struct check *c, const char *subject)
{
	struct sockaddr_storage address;
	char name[CHECK_NAME_SIZE];
	enum dns_status status;
	size_t n;

	check_name(name, "mta-sts", c->domain);
	check_patience(c);
	status = dns_addresses(c->dns, name, AF_UNSPEC, &address, 1, &n);
	if (!report_unanswered(&c->report, status, subject) &&
	    status != DNS_FOUND)
		report_add(&c->report, FINDING_ERROR, subject,
		    "%s, which should serve the policy, has no address", name);
}

/* Who honours a policy wants a certificate that an authority vouches for. */
static void
check_vouched(struct check *c, const char *subject)
{
	for (size_t i = 0; i < c->ncertificates; i++) {
		const struct house_certificate *one = &c->certificates[i];

		if (one->chain != NULL &&
		    certificate_covers(one->chain, c->host) &&
		    house_is_self_signed(one))
			report_add(&c->report, FINDING_WARNING, subject,
			    "%s signs itself: with a policy of enforce others "
			    "deliver nothing here",
			    one->path);
	}
}

static bool
has_record(char **texts, size_t n, const char *version)
{
	for (size_t i = 0; i < n; i++)
		if (strncmp(texts[i], version, strlen(version)) == 0)
			return true;
	return false;
}

void
check_sts(struct check *c)
{
	char name[CHECK_NAME_SIZE], subject[CHECK_NAME_SIZE];
	char id[STS_ID_MAX + 1], **texts = NULL;
	enum dns_status status;
	size_t n = 0;

	check_name(name, "_mta-sts", c->domain);
	snprintf(subject, sizeof(subject), "MTA-STS %s", c->domain);
	check_patience(c);
	status = dns_txt(c->dns, name, &texts, &n);
	if (report_unanswered(&c->report, status, subject))
		return;
	if (status != DNS_FOUND || !has_record(texts, n, "v=STS")) {
		report_add(&c->report, FINDING_NOTE, subject,
		    "no record; with one, and a policy, others insist on TLS");
	} else if (!sts_record(texts, n, id)) {
		report_add(&c->report, FINDING_ERROR, subject,
		    "several records, or none that can be read (RFC 8461 "
		    "section 3.1)");
	} else {
		check_web_server(c, subject);
		check_vouched(c, subject);
		check_policy(c, subject, id);
	}
	if (status == DNS_FOUND)
		free(texts);
}

/* -- reports about TLS, RFC 8460 section 3 -- */

void
check_tls_reports(struct check *c)
{
	char name[CHECK_NAME_SIZE], subject[CHECK_NAME_SIZE], **texts = NULL;
	const char *rua = NULL;
	enum dns_status status;
	size_t n = 0, found = 0;

	check_name(name, "_smtp._tls", c->domain);
	snprintf(subject, sizeof(subject), "TLS-RPT %s", c->domain);
	check_patience(c);
	status = dns_txt(c->dns, name, &texts, &n);
	if (report_unanswered(&c->report, status, subject))
		return;
	for (size_t i = 0; i < n && status == DNS_FOUND; i++)
		if (strncmp(texts[i], "v=TLSRPTv1", 10) == 0) {
			found++;
			rua = strstr(texts[i], "rua=");
		}
	if (found == 0)
		report_add(&c->report, FINDING_NOTE, subject,
		    "no record; with one, others report where TLS failed");
	else if (found > 1 || rua == NULL)
		report_add(&c->report, FINDING_ERROR, subject,
		    "%s (RFC 8460 section 3)",
		    found > 1 ? "more than one record" : "it has no rua=");
	else
		report_add(&c->report, FINDING_OK, subject, "%s", rua);
	if (status == DNS_FOUND)
		free(texts);
}
