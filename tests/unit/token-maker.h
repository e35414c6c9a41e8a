/* SPDX-License-Identifier: ISC */
#ifndef TESTS_UNIT_TOKEN_MAKER_H
#define TESTS_UNIT_TOKEN_MAKER_H

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64.h"

/* An issuer of tokens: what the issuer in a test signs is not checked. */

static inline void
base64url(const void *octets, size_t n, char *out)
{
	base64_encode(octets, n, out);
	out[strcspn(out, "=")] = '\0';
	for (; *out != '\0'; out++)
		*out = (char)(*out == '+' ? '-' : *out == '/' ? '_' : *out);
}

static inline size_t
sign_raw(EVP_PKEY *key, const char *text, unsigned char *out, size_t max)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	const EVP_MD *md = EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256();
	size_t n = max;

	if (EVP_DigestSignInit(context, NULL, md, NULL, key) != 1 ||
	    EVP_DigestSign(context, out, &n, (const unsigned char *)text,
		strlen(text)) != 1)
		abort();
	EVP_MD_CTX_free(context);
	return n;
}

/* DER to r and s side by side. */
static inline size_t
from_der(unsigned char *octets, size_t n)
{
	const unsigned char *at = octets;
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)n);

	if (pair == NULL)
		abort();
	BN_bn2binpad(ECDSA_SIG_get0_r(pair), octets, 32);
	BN_bn2binpad(ECDSA_SIG_get0_s(pair), octets + 32, 32);
	ECDSA_SIG_free(pair);
	return 64;
}

/* header and claims: JSON; key NULL: without a signature. */
static inline char *
make_token(EVP_PKEY *key, const char *header, const char *claims)
{
	size_t room = 2 * (strlen(header) + strlen(claims)) + 4096;
	char *token = malloc(room), signature[2048];
	unsigned char octets[1024];
	size_t n = 0;

	base64url(header, strlen(header), token);
	strcat(token, ".");
	base64url(claims, strlen(claims), token + strlen(token));
	if (key != NULL) {
		n = sign_raw(key, token, octets, sizeof(octets));
		if (EVP_PKEY_is_a(key, "EC"))
			n = from_der(octets, n);
	}
	base64url(octets, n, signature);
	strcat(token, ".");
	strcat(token, signature);
	return token;
}

static inline void
put_number(EVP_PKEY *key, const char *name, const char *member, char *out)
{
	unsigned char octets[1024];
	char text[2048];
	BIGNUM *number = NULL;

	if (EVP_PKEY_get_bn_param(key, name, &number) != 1)
		abort();
	if (EVP_PKEY_is_a(key, "EC"))
		BN_bn2binpad(number, octets, 32);
	else
		BN_bn2bin(number, octets);
	base64url(octets,
	    EVP_PKEY_is_a(key, "EC") ? 32 : (size_t)BN_num_bytes(number), text);
	sprintf(out + strlen(out), ",\"%s\":\"%s\"", member, text);
	BN_free(number);
}

/* A key as a JWK; more: other members, begun with a comma. */
static inline void
put_jwk(EVP_PKEY *key, const char *more, char *out)
{
	bool rsa = EVP_PKEY_is_a(key, "RSA");

	sprintf(out + strlen(out), "{\"kty\":\"%s\"%s%s", rsa ? "RSA" : "EC",
	    rsa ? "" : ",\"crv\":\"P-256\"", more);
	if (rsa) {
		put_number(key, OSSL_PKEY_PARAM_RSA_N, "n", out);
		put_number(key, OSSL_PKEY_PARAM_RSA_E, "e", out);
	} else {
		put_number(key, OSSL_PKEY_PARAM_EC_PUB_X, "x", out);
		put_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, "y", out);
	}
	strcat(out, "}");
}

#endif
