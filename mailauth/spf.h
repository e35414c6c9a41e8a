/* SPDX-License-Identifier: ISC */
#ifndef MAILAUTH_SPF_H
#define MAILAUTH_SPF_H

#include "common/address.h"
#include "mailauth/mailauth.h"

/*
 * SPF, RFC 7208 (with RFC 8616 on internationalised domains): may this
 * address send for that domain?
 */
enum {
	SPF_TERMS_MAX = 10, /* that cause look-ups, section 4.6.4 */
	SPF_VOID_MAX = 2,   /* look-ups without an answer */
	SPF_NAMES_MAX = 10, /* of one mx or ptr */
	SPF_EXPLANATION_MAX = 400,
	SPF_REASON_MAX = 160
};

struct spf_query {
	struct sockaddr_storage client;
	const char *helo;     /* as it was said */
	const char *sender;   /* MAIL FROM as address_format() writes it; "":
			       * the null path */
	const char *receiver; /* our host name, for explanations */
	/* The sender's result, where it was checked before; NULL */
	const struct spf_result *known;
};

struct spf_result {
	enum auth_result result;
	char domain[DNS_NAME_MAX + 1]; /* that was asked about */
	/* of a fail: exp=, printable ASCII; "" if there is none */
	char explanation[SPF_EXPLANATION_MAX + 1];
	char mechanism[SPF_REASON_MAX + 1]; /* that matched; "" */
	char reason[SPF_REASON_MAX + 1];    /* of an error, for people; "" */
	/*
	 * Of a pass: what let the client pass may do so with any other, or
	 * with a good part of the internet.  So those that the domain lets
	 * pass need have nothing to do with each other.
	 */
	bool broad;
};

/*
 * The two identities.  Of MAIL FROM with the null path it is
 * postmaster@HELO (section 2.4).  A HELO that is no domain name gives none.
 */
void spf_check_helo(
    const struct mailauth *, const struct spf_query *, struct spf_result *);
void spf_check_sender(
    const struct mailauth *, const struct spf_query *, struct spf_result *);

#endif
