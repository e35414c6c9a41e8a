/* SPDX-License-Identifier: ISC */
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/tls_key_provider.h"
#include "common/tls_scheme.h"

/*
 * TLS hashes and signs in one call (EVP_DigestSign(3)); other ways to sign
 * are not offered, for whoever holds the key wants to see the whole.
 */
struct signature {
	const struct tls_key *key; /* the EVP_PKEY_CTX keeps it */
	char digest[32];           /* "": the key's own */
	bool pss;
};

static void *
make(void *provider, const char *properties)
{
	(void)provider, (void)properties;
	return calloc(1, sizeof(struct signature));
}

static void
release(void *context)
{
	free(context);
}

static void *
copy(void *context)
{
	struct signature *s = malloc(sizeof(*s));

	if (s != NULL)
		memcpy(s, context, sizeof(*s));
	return s;
}

/* A number or a name, as the caller likes; see provider-signature(7). */
static int
read_padding(const OSSL_PARAM *p, int *padding)
{
	if (p->data_type != OSSL_PARAM_UTF8_STRING)
		return OSSL_PARAM_get_int(p, padding);
	*padding = strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0
	    ? RSA_PKCS1_PSS_PADDING
	    : strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0
	    ? RSA_PKCS1_PADDING
	    : 0;
	return 1;
}

/* RFC 8446 section 4.2.3: the salt is as long as the digest. */
static bool
is_digest_long(const OSSL_PARAM *p)
{
	int n;

	if (p->data_type == OSSL_PARAM_UTF8_STRING)
		return strcmp(p->data, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) == 0;
	return OSSL_PARAM_get_int(p, &n) == 1 && n == RSA_PSS_SALTLEN_DIGEST;
}

static int
set_params(void *context, const OSSL_PARAM params[])
{
	struct signature *s = context;
	const OSSL_PARAM *p;
	int padding;

	if (params == NULL)
		return 1;
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
	if (p != NULL) {
		if (read_padding(p, &padding) != 1 ||
		    (padding != RSA_PKCS1_PADDING &&
			padding != RSA_PKCS1_PSS_PADDING))
			return 0;
		s->pss = padding == RSA_PKCS1_PSS_PADDING;
	}
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
	return p == NULL || is_digest_long(p);
}

static const OSSL_PARAM *
settable_params(void *context, void *provider)
{
	static const OSSL_PARAM known[] = {
	    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
	    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
	    OSSL_PARAM_END};

	(void)context, (void)provider;
	return known;
}

static int
begin(void *context, const char *digest, void *key, const OSSL_PARAM params[])
{
	struct signature *s = context;

	if (key != NULL)
		s->key = key;
	if (s->key == NULL ||
	    snprintf(s->digest, sizeof(s->digest), "%s",
		digest != NULL ? digest : "") >= (int)sizeof(s->digest))
		return 0;
	return set_params(context, params);
}

static int
sign(void *context, unsigned char *out, size_t *n, size_t size,
    const unsigned char *data, size_t length)
{
	const struct signature *s = context;
	const struct tls_scheme *scheme;
	unsigned char octets[TLS_KEY_SIGNATURE_MAX];

	if (s->key == NULL)
		return 0;
	if (out == NULL) {
		*n = (size_t)s->key->max_size;
		return 1;
	}
	scheme = tls_scheme_for(s->key->type, s->digest, s->pss);
	if (scheme == NULL)
		return 0;
	*n = tls_key_ask(s->key, scheme->name, data, length, octets);
	if (*n == 0 || *n > size)
		return 0;
	memcpy(out, octets, *n);
	return 1;
}

static const OSSL_DISPATCH functions[] = {
    {OSSL_FUNC_SIGNATURE_NEWCTX, (void (*)(void))make},
    {OSSL_FUNC_SIGNATURE_FREECTX, (void (*)(void))release},
    {OSSL_FUNC_SIGNATURE_DUPCTX, (void (*)(void))copy},
    {OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, (void (*)(void))begin},
    {OSSL_FUNC_SIGNATURE_DIGEST_SIGN, (void (*)(void))sign},
    {OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, (void (*)(void))set_params},
    {OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, (void (*)(void))settable_params},
    {0, NULL}};

const OSSL_ALGORITHM tls_key_signatures[] = {
    {"RSA:rsaEncryption", "", functions, "asks who has the key"},
    {"ECDSA", "", functions, "asks who has the key"},
    {"ED25519", "", functions, "asks who has the key"},
    {NULL, NULL, NULL, NULL}};
