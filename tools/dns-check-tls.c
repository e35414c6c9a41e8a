/* SPDX-License-Identifier: ISC */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/certificate.h"
#include "tools/dns-check.h"

enum { DAY_S = 86400, SOON_DAYS = 14 };

/* -- certificates -- */

static void
check_dates(struct check *c, const struct house_certificate *one)
{
	time_t now = (time_t)c->mailauth.now,
	       until = certificate_ends(one->chain);

	if (until < now)
		report_add(&c->report, FINDING_ERROR, "certificate",
		    "%s has expired", one->path);
	else if (certificate_begins(one->chain) > now)
		report_add(&c->report, FINDING_ERROR, "certificate",
		    "%s is not valid yet", one->path);
	else if (until - now < SOON_DAYS * DAY_S)
		report_add(&c->report, FINDING_WARNING, "certificate",
		    "%s expires in %ld days", one->path,
		    (long)((until - now) / DAY_S));
}

void
check_certificates(struct check *c)
{
	bool covered = false;

	for (size_t i = 0; i < c->ncertificates; i++) {
		const struct house_certificate *one = &c->certificates[i];

		if (one->chain == NULL) {
			report_add(&c->report, FINDING_ERROR, "certificate",
			    "%s: %s", one->path, one->problem);
			continue;
		}
		covered |= certificate_covers(one->chain, c->host);
		check_dates(c, one);
	}
	if (covered)
		report_add(&c->report, FINDING_OK, "certificate",
		    "there is one for %s", c->host);
	else
		report_add(&c->report, FINDING_WARNING, "certificate",
		    "none covers %s", c->host);
}

/* -- TLSA -- */

/* What a record's selector and matching type make of a certificate. */
static bool
matches(const struct dns_tlsa *record, X509 *certificate)
{
	const EVP_MD *digests[] = {NULL, EVP_sha256(), EVP_sha512()};
	unsigned char *der = NULL, hash[EVP_MAX_MD_SIZE];
	const unsigned char *data;
	unsigned length = 0;
	bool same = false;
	int n;

	n = record->selector == 1
	    ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der)
	    : i2d_X509(certificate, &der);
	if (n > 0 && record->selector <= 1 && record->matching <= 2) {
		data = der;
		if (record->matching == 0)
			length = (unsigned)n;
		else if (EVP_Digest(der, (size_t)n, hash, &length,
			     digests[record->matching], NULL) == 1)
			data = hash;
		same = length == record->len &&
		    memcmp(data, record->data, length) == 0;
	}
	OPENSSL_free(der);
	return same;
}

/* DANE-EE is about the leaf, DANE-TA about what stands above it. */
static bool
fits(const struct dns_tlsa *record, STACK_OF(X509) *chain)
{
	int first = record->usage == 2 ? 1 : 0;
	int last = record->usage == 2 ? sk_X509_num(chain) : 1;

	for (int i = first; i < last; i++)
		if (matches(record, sk_X509_value(chain, i)))
			return true;
	return false;
}

static void
check_every_certificate(struct check *c, const char *subject,
    const struct dns_tlsa *records, size_t n)
{
	for (size_t i = 0; i < c->ncertificates; i++) {
		const struct house_certificate *one = &c->certificates[i];
		bool fitting = false;

		if (one->chain == NULL ||
		    !certificate_covers(one->chain, c->host))
			continue;
		for (size_t k = 0; k < n; k++)
			fitting |= records[k].usage >= 2 &&
			    fits(&records[k], one->chain);
		if (fitting)
			report_add(&c->report, FINDING_OK, subject, "fits %s",
			    one->path);
		else
			report_add(&c->report, FINDING_ERROR, subject,
			    "none fits %s: publish \"3 1 1 %s\" or remove "
			    "them all",
			    one->path, one->id);
	}
}

static void
check_every_record(struct check *c, const char *subject,
    const struct dns_tlsa *records, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool fitting = false;

		if (records[i].usage < 2) {
			report_add(&c->report, FINDING_WARNING, subject,
			    "usage %u is none that SMTP knows (RFC 7672 "
			    "section 3.1)",
			    records[i].usage);
			continue;
		}
		for (size_t k = 0; k < c->ncertificates; k++)
			fitting |= c->certificates[k].chain != NULL &&
			    fits(&records[i], c->certificates[k].chain);
		if (!fitting)
			report_add(&c->report, FINDING_NOTE, subject,
			    "\"%u %u %u ...\" fits no certificate here: one "
			    "of before, or of later?",
			    records[i].usage, records[i].selector,
			    records[i].matching);
	}
}

void
check_tlsa(struct check *c)
{
	char name[CHECK_NAME_SIZE], subject[CHECK_NAME_SIZE];
	struct dns_tlsa *records = NULL;
	enum dns_status status;
	bool secure;
	size_t n = 0;

	check_name(name, "_25._tcp", c->host);
	snprintf(subject, sizeof(subject), "TLSA %s", c->host);
	check_patience(c);
	status = dns_tlsa(c->dns, name, &records, &n);
	secure = dns_secure(c->dns);
	if (report_unanswered(&c->report, status, subject))
		return;
	if (status != DNS_FOUND) {
		report_add(&c->report, FINDING_NOTE, subject,
		    "none; in a signed zone they keep others from being led "
		    "elsewhere (DANE)");
		return;
	}
	if (!dns_trusted(c->dns))
		report_add(&c->report, FINDING_NOTE, subject,
		    "whether the zone is signed is not known: that takes a "
		    "\"dns-server\" that is trusted");
	else if (!secure)
		report_add(&c->report, FINDING_WARNING, subject,
		    "the zone is not signed (DNSSEC), so they mean nothing");
	check_every_certificate(c, subject, records, n);
	check_every_record(c, subject, records, n);
	free(records);
}
