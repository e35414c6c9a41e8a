/* SPDX-License-Identifier: ISC */
#ifndef MAILAUTH_DMARC_H
#define MAILAUTH_DMARC_H

#include "mailauth/header.h"
#include "mailauth/mailauth.h"

/*
 * DMARC, RFC 9989: does one of the identities that SPF and DKIM proved stand
 * for the domain that the reader sees in From?  The organizational domain is
 * found by the DNS tree walk (section 4.10).
 */
enum dmarc_policy { DMARC_NONE, DMARC_QUARANTINE, DMARC_REJECT };
const char *dmarc_policy_name(enum dmarc_policy);

enum {
	DMARC_WALK_MAX = 8, /* queries of one walk */
	DMARC_REASON_MAX = 160,
	DMARC_IDENTITIES_MAX = 10
};

struct dmarc_record {
	/* p, sp, np; without a tag of its own what applies in its place */
	enum dmarc_policy policy, subdomains, missing;
	bool strict_dkim, strict_spf; /* adkim, aspf */
	char psd;                     /* 'y', 'n' or 'u' */
	bool testing;                 /* t=y */
	char *rua; /* as it stands; owned, NULL: none that could be one */
};

/*
 * Of one TXT record.  *is_dmarc: it begins as one (v=DMARC1), and counts in
 * the tree walk.  NULL, or why no policy can be taken from it (a static
 * phrase), which is so without a good p, sp or np unless somebody wants
 * reports: then it says none (section 4.10.1).  What else is wrong is passed
 * over (section 4.8).  The record is to be freed in either case.
 */
const char *dmarc_record_parse(
    const char *text, struct dmarc_record *, bool *is_dmarc);
void dmarc_record_free(struct dmarc_record *);

/* An identity that SPF or DKIM was asked about. */
struct dmarc_identity {
	const char *domain;
	enum auth_result result;
};

struct dmarc_query {
	const char *from;          /* the domain in From */
	struct dmarc_identity spf; /* MAIL FROM's; domain "" or NULL: none */
	struct dmarc_identity dkim[DMARC_IDENTITIES_MAX];
	size_t ndkim;
};

struct dmarc_result {
	/*
	 * none: no policy is published; fail: none was aligned; temperror: the
	 * DNS did not tell, of DMARC or of an identity that would be aligned,
	 * and without it there is no saying.  permerror: From's is no domain.
	 */
	enum auth_result result;
	char domain[DNS_NAME_MAX + 1]; /* in From, A-labels, lower case */
	char policy_domain[DNS_NAME_MAX + 1]; /* where the record is; "" */
	char organization[DNS_NAME_MAX + 1];  /* "": not needed, or not
					       * known */
	struct dmarc_record record;           /* as published */
	/*
	 * That applies to this domain (p, sp, np).  Of a temperror, where
	 * there is a policy_domain, the strictest that may apply: when that is
	 * none, the trouble makes no difference.
	 */
	enum dmarc_policy policy;
	/* What its owner asks for: with t=y one step less than that. */
	enum dmarc_policy disposition;
	/*
	 * And passed.  Of a temperror: the very domain did, so that the
	 * policy, were it told, would ask for nothing.
	 */
	bool spf_aligned, dkim_aligned;
	char reason[DMARC_REASON_MAX + 1]; /* for people; "" */
};

void dmarc_check(
    const struct mailauth *, const struct dmarc_query *, struct dmarc_result *);
void dmarc_result_free(struct dmarc_result *);

/*
 * The organizational domain, where the check could do without: up to
 * DMARC_WALK_MAX questions more.
 */
void dmarc_find_organization(const struct mailauth *, struct dmarc_result *);

/*
 * The domain that a reader is made to believe in: NULL and *domain, or why
 * the message fails whatever else holds (a static phrase): no From, several,
 * several mailboxes, or what two readers may understand differently (A16).
 */
extern const char dmarc_no_from[]; /* the phrase where there is none */
const char *dmarc_from(
    const struct header_section *, char domain[DNS_NAME_MAX + 1]);

#endif
