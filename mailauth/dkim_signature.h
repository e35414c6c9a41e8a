/* SPDX-License-Identifier: ISC */
#ifndef MAILAUTH_DKIM_SIGNATURE_H
#define MAILAUTH_DKIM_SIGNATURE_H

#include "mailauth/dkim.h"

/* The DKIM-Signature field, RFC 6376 section 3.5 (RFC 8463, RFC 8616). */
enum {
	DKIM_SIGNATURE_MAX = 1024, /* octets of b=: RSA with 8192 bits */
	DKIM_NAMES_MAX = 256       /* in h= */
};

enum dkim_algorithm { DKIM_RSA_SHA256, DKIM_ED25519_SHA256, DKIM_RSA_SHA1 };

struct dkim_signature {
	enum dkim_algorithm algorithm;
	bool relaxed_header, relaxed_body;
	uint64_t length; /* l=; DKIM_WHOLE_BODY without */
	bool same_domain; /* i= has the very domain of d= */
	/* "selector._domainkey.domain" in A-labels */
	char key_name[DNS_NAME_MAX + 1];
	struct span names; /* h=, for tags_next() */
	struct span hole;  /* the value of b= within the field */
	unsigned char body_hash[DKIM_HASH_SIZE];
	size_t n; /* of b=, decoded */
	unsigned char octets[DKIM_SIGNATURE_MAX];
};

/*
 * NULL, or what is wrong with it (a static phrase).  What it says about
 * itself is put into the result as far as it could be read, and never raw:
 * names of domains and selectors, printable text.
 */
const char *dkim_signature_parse(const struct header_field *,
    struct dkim_signature *, struct dkim_result *);

#endif
