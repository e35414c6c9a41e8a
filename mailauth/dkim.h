/* SPDX-License-Identifier: ISC */
#ifndef MAILAUTH_DKIM_H
#define MAILAUTH_DKIM_H

#include <openssl/evp.h>

#include "common/address.h"
#include "common/buf.h"
#include "common/dkim_facts.h"
#include "mailauth/header.h"
#include "mailauth/mailauth.h"

/*
 * DKIM, RFC 6376 with RFC 8301 (rsa-sha1 and short keys are no good), RFC
 * 8463 (ed25519-sha256) and RFC 8616.  The body passes by once, in pieces,
 * and none of it is kept.
 */
enum {
	DKIM_SIGNATURES_MAX = 8, /* the rest is not looked at (A15) */
	DKIM_RSA_BITS_MIN = 1024,
	DKIM_SELECTOR_MAX = 253,
	DKIM_REASON_MAX = 160
};

struct dkim_result {
	enum auth_result result;
	char reason[DKIM_REASON_MAX + 1]; /* for people; "" of a pass */
	char domain[DNS_NAME_MAX + 1];    /* d=, lower case; "" if unreadable */
	char selector[DKIM_SELECTOR_MAX + 1];
	char identity[ADDRESS_TEXT_MAX + 1]; /* i= */
	char algorithm[32];                  /* rsa-sha256 */
	char canonicalisation[32];           /* relaxed/simple */
	char begin[9];          /* of b=, for header.b (RFC 6008) */
	unsigned key_bits;      /* 0: there was no key */
	bool testing;           /* the key record's t=y */
	bool partial;           /* l= is short of the body: not for DMARC */
	int64_t signed_at, expires; /* t=, x=; -1: none */
};

struct dkim_verifier; /* opaque */

/*
 * The section is done and stays the caller's until the end; in the order of
 * the message.  NULL without memory.
 */
struct dkim_verifier *dkim_verify_begin(
    const struct mailauth *, const struct header_section *);

/* There are, those that are not looked at included. */
size_t dkim_signatures(const struct dkim_verifier *);

/* Octets of the body, LF line ends. */
void dkim_verify_body(struct dkim_verifier *, const char *octets, size_t n);

/*
 * Ask for the keys and judge.  results has DKIM_SIGNATURES_MAX; how many.
 *
 *	pass		it proves what it signs
 *	fail		it does not: the body or the fields are others
 *	policy		it may match, and is not good enough: SHA-1, a short
 *			key, expired, a second From, To, Subject ... beside it
 *	permerror	no signature, or no key for it
 *	temperror	the DNS does not tell the key; no memory
 */
size_t dkim_verify_end(struct dkim_verifier *, struct dkim_result *results);
void dkim_verify_free(struct dkim_verifier *);

/*
 * All of them in a word: one that passes is enough, of the others it is the
 * one that tells most.  Without any: none.
 */
enum auth_result dkim_in_a_word(const struct dkim_result *, size_t n);

/* -- signing: relaxed/relaxed, oversigned, without l= -- */

/* What is to be signed is struct dkim_facts, of common/dkim_facts.h. */

struct dkim_signer; /* opaque: the hash of a body that passes by */

struct dkim_signer *dkim_sign_begin(void); /* NULL without memory */
void dkim_sign_body(struct dkim_signer *, const char *octets, size_t n);

/*
 * NULL, or why this message cannot be signed (a static phrase): no or
 * several From fields or mailboxes in it, a header section out of bounds.
 * facts->fields was initialised here, and is the caller's to free.
 */
const char *dkim_sign_end(struct dkim_signer *, const struct header_section *,
    struct dkim_facts *facts);
void dkim_sign_free(struct dkim_signer *);

/*
 * The same of a message at hand, in one piece (more is NULL) or in two, the
 * header section all in the first one.
 */
const char *dkim_sign_text(const char *text, size_t n, const char *more,
    size_t nmore, struct dkim_facts *facts);

/*
 * Are these facts of the form above, with From exactly once as a field, its
 * mailbox facts->from, and From oversigned?  NULL, or what is wrong.
 */
const char *dkim_facts_check(const struct dkim_facts *);

/*
 * Append the DKIM-Signature field, folded, LF line ends, with its last one.
 * The domain is From's or one above it.  The key is RSA or Ed25519.
 */
bool dkim_sign(const struct dkim_facts *, const char *domain,
    const char *selector, int64_t now, EVP_PKEY *, struct buf *out);

/* -- key records (RFC 6376 section 3.6.1) -- */

struct dkim_key {
	EVP_PKEY *key; /* NULL: revoked, p= is empty */
	unsigned bits;
	bool testing;   /* t=y */
	bool same_only; /* t=s: i= must have the very domain */
};

/*
 * NULL, or what is wrong with it (a static phrase), then without a key; bits
 * says how long an RSA key was that is too short or too long.  The key is the
 * caller's to EVP_PKEY_free().
 */
const char *dkim_key_parse(const char *record, struct dkim_key *);

/* "v=DKIM1; k=rsa; p=...": of this key. */
bool dkim_key_record(EVP_PKEY *, struct buf *out);

#endif
