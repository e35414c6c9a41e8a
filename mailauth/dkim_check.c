/* SPDX-License-Identifier: ISC */
#include "mailauth/dkim_check.h"

#include <stdio.h>

#include <openssl/rsa.h>

#include "mailauth/dkim_body.h"

static bool
rsa_proves(EVP_PKEY *key, const struct dkim_signature *s,
    const unsigned char digest[DKIM_HASH_SIZE])
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
	bool ok = c != NULL && EVP_PKEY_verify_init(c) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(c, dkim_sha256()) == 1 &&
	    EVP_PKEY_verify(c, s->octets, s->n, digest, DKIM_HASH_SIZE) == 1;

	EVP_PKEY_CTX_free(c);
	return ok;
}

/* PureEdDSA over the hash, RFC 8463 section 3. */
static bool
ed25519_proves(EVP_PKEY *key, const struct dkim_signature *s,
    const unsigned char digest[DKIM_HASH_SIZE])
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool ok = c != NULL &&
	    EVP_DigestVerifyInit(c, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestVerify(c, s->octets, s->n, digest, DKIM_HASH_SIZE) == 1;

	EVP_MD_CTX_free(c);
	return ok;
}

/* NULL, or why not; *result says which kind of no. */
static const char *
check_key(const struct dkim_key *k, const struct dkim_signature *s,
    const unsigned char digest[DKIM_HASH_SIZE], enum auth_result *result)
{
	bool is_rsa = s->algorithm == DKIM_RSA_SHA256;

	*result = AUTH_PERMERROR;
	if (k->key == NULL)
		return "the key is revoked";
	if (EVP_PKEY_is_a(k->key, is_rsa ? "RSA" : "ED25519") != 1)
		return "the key is of another type";
	if (k->same_only && !s->same_domain)
		return "the key is not for sub-domains in i=";
	*result = AUTH_FAIL;
	if (!(is_rsa ? rsa_proves : ed25519_proves)(k->key, s, digest))
		return "the signature does not match";
	*result = AUTH_PASS;
	return NULL;
}

void
dkim_check_record(const char *record, const struct dkim_signature *s,
    const unsigned char digest[DKIM_HASH_SIZE], struct dkim_result *r)
{
	struct dkim_key k;
	const char *wrong = dkim_key_parse(record, &k);
	bool short_key = k.bits > 0 && k.bits < DKIM_RSA_BITS_MIN;

	r->key_bits = k.bits;
	r->testing = k.testing;
	if (wrong == NULL)
		wrong = check_key(&k, s, digest, &r->result);
	else
		r->result = short_key ? AUTH_POLICY : AUTH_PERMERROR;
	snprintf(
	    r->reason, sizeof(r->reason), "%s", wrong == NULL ? "" : wrong);
	EVP_PKEY_free(k.key);
}

static unsigned
rank(enum auth_result result)
{
	return result == AUTH_PASS  ? 3u
	    : result == AUTH_FAIL   ? 2u
	    : result == AUTH_POLICY ? 1u
				    : 0u;
}

bool
dkim_check_goes_further(
    const struct dkim_result *a, const struct dkim_result *b)
{
	return rank(a->result) > rank(b->result);
}
