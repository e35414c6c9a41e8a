/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_DNS_CHECK_H
#define TOOLS_DNS_CHECK_H

#include "common/dns_read.h"
#include "mailauth/mailauth.h"
#include "tools/dns-house.h"
#include "tools/dns-keys.h"
#include "tools/dns-report.h"
#include "tools/dns-sample.h"

/*
 * The audit of what is published.  What only root may read is read first;
 * what the DNS says is read by nobody who is root.
 */
enum {
	CHECK_NAME_SIZE = DNS_NAME_MAX + 64,
	CHECK_MX_MAX = 16,
	CHECK_CERTIFICATES_MAX = 16
};

struct check {
	const struct request *request;
	const char *host, *domain;
	struct report report;
	struct dns *dns;
	struct resolver resolver;
	struct mailauth mailauth;
	struct house_addresses addresses;
	size_t ncertificates;
	struct house_certificate certificates[CHECK_CERTIFICATES_MAX];
	struct house_keys keys;
	char keys_unknown[160]; /* why they are not known; "" */
	struct sample sample;
	char *policy; /* of --policy, owned */
	size_t npolicy;
	/* Mail leaves by a relay host: its addresses count, not ours. */
	bool relayed;
	/* found on the way */
	enum finding names; /* the worst about names that lead back */
	size_t nmx;
	struct dns_mx mx[CHECK_MX_MAX];
};

/* Questions that follow have so much time together. */
void check_patience(struct check *);

/* LABEL.DOMAIN; what does not fit is no name. */
void check_name(
    char out[CHECK_NAME_SIZE], const char *label, const char *domain);

/* dns-check-host.c: addresses, MX, PTR */
void check_host(struct check *);
void check_mx(struct check *);
void check_ptr(struct check *);

/* dns-check-spf.c */
void check_spf(struct check *);

/* dns-check-dkim.c */
void check_dkim(struct check *);

/* dns-check-dmarc.c */
void check_dmarc(struct check *);

/* dns-check-tls.c */
void check_certificates(struct check *);
void check_tlsa(struct check *);

/* dns-check-sts.c: MTA-STS, TLS-RPT */
void check_sts(struct check *);
void check_tls_reports(struct check *);

/* dns-rules.c */
void check_sample(struct check *);

#endif
