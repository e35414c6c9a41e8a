/* SPDX-License-Identifier: ISC */
#ifndef MAILAUTH_DKIM_BODY_H
#define MAILAUTH_DKIM_BODY_H

#include <openssl/evp.h>

#include "mailauth/dkim.h"
#include "mailauth/dkim_canon.h"

/* SHA-256, looked up once for the process. */
const EVP_MD *dkim_sha256(void);

enum { DKIM_CUTS_MAX = DKIM_SIGNATURES_MAX };
#define DKIM_WHOLE_BODY UINT64_MAX

/*
 * The hash of the canonical body, and of as many beginnings of it as
 * signatures ask for (l=): one pass whatever their number.
 */
struct dkim_body {
	struct dkim_canon canon;
	EVP_MD_CTX *hash;
	uint64_t octets; /* canonical ones so far */
	size_t n;
	struct dkim_cut {
		uint64_t length;
		unsigned char digest[DKIM_HASH_SIZE];
	} cuts[DKIM_CUTS_MAX]; /* shortest first */
	size_t reached;
	bool failed; /* no memory; no digest is one */
};

/* False: no memory. */
bool dkim_body_init(struct dkim_body *, bool relaxed);
void dkim_body_free(struct dkim_body *);

/* Before the first octet. */
void dkim_body_want(struct dkim_body *, uint64_t length);

void dkim_body_take(struct dkim_body *, const char *octets, size_t n);
void dkim_body_end(struct dkim_body *);

/*
 * After the end: of the beginning of that length, which was wanted; NULL:
 * the body is shorter.
 */
const unsigned char *dkim_body_digest(const struct dkim_body *, uint64_t length);

#endif
