/* SPDX-License-Identifier: ISC */
#include "mailauth/dkim_rsa.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include "common/cursor.h"
#include "mailauth/dkim.h"

enum { DER_INTEGER = 2, DER_BITS = 3, DER_SEQUENCE = 0x30 };
enum { EXPONENT_BITS_MAX = 64 };

static size_t
take_length(struct cursor *c)
{
	size_t n = cursor_u8(c);

	if (n < 0x80)
		return n;
	if (n == 0x81) {
		n = cursor_u8(c);
		c->failed = c->failed || n < 0x80;
	} else if (n == 0x82) {
		n = cursor_u16(c);
		c->failed = c->failed || n < 0x100;
	} else {
		c->failed = true;
	}
	return n;
}

/* What is within the element, whose type must be this one. */
static struct cursor
take_element(struct cursor *c, unsigned type)
{
	struct span s;

	if (cursor_u8(c) != type)
		c->failed = true;
	s = cursor_take(c, take_length(c));
	if (c->failed) {
		struct cursor none = cursor_over("", 0);

		none.failed = true;
		return none;
	}
	return cursor_over(s.data, s.len);
}

/* A positive integer in its shortest form; its size is that of a record. */
static BIGNUM *
take_integer(struct cursor *c)
{
	struct cursor i = take_element(c, DER_INTEGER);
	size_t n = cursor_left(&i);
	struct span s = cursor_take(&i, n);
	const unsigned char *p = (const unsigned char *)s.data;

	if (n == 0 || p[0] >= 0x80 ||
	    (n > 1 && p[0] == 0 && p[1] < 0x80)) {
		c->failed = true;
		return NULL;
	}
	return BN_bin2bn(p, (int)n, NULL);
}

/* The RSAPublicKey, out of a SubjectPublicKeyInfo where it is in one. */
static struct cursor
take_key(const unsigned char *der, size_t n)
{
	/* rsaEncryption, its parameters NULL */
	static const unsigned char algorithm[] = {0x06, 0x09, 0x2a, 0x86, 0x48,
	    0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
	struct cursor all = cursor_over(der, n);
	struct cursor outer = take_element(&all, DER_SEQUENCE), id, bits, key;
	struct span s;

	if (!cursor_done(&all))
		outer.failed = true;
	if (cursor_left(&outer) == 0 || *outer.pos != DER_SEQUENCE)
		return outer;
	id = take_element(&outer, DER_SEQUENCE);
	s = cursor_take(&id, sizeof(algorithm));
	bits = take_element(&outer, DER_BITS);
	if (cursor_u8(&bits) != 0)
		bits.failed = true;
	key = take_element(&bits, DER_SEQUENCE);
	if (!cursor_done(&id) || !cursor_done(&bits) || !cursor_done(&outer) ||
	    memcmp(s.data, algorithm, sizeof(algorithm)) != 0)
		key.failed = true;
	return key;
}

static EVP_PKEY *
make_key(const BIGNUM *modulus, const BIGNUM *exponent)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM *parameters = NULL;
	EVP_PKEY *key = NULL;

	if (build != NULL && context != NULL &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) ==
		1 &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
		parameters = OSSL_PARAM_BLD_to_param(build);
	if (parameters != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
	    EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) !=
		1)
		key = NULL;
	OSSL_PARAM_free(parameters);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(context);
	return key;
}

EVP_PKEY *
dkim_rsa_key(const unsigned char *der, size_t n, unsigned *bits)
{
	struct cursor c = take_key(der, n);
	BIGNUM *modulus = take_integer(&c), *exponent = take_integer(&c);
	EVP_PKEY *key = NULL;

	*bits = 0;
	if (cursor_done(&c) && modulus != NULL && exponent != NULL &&
	    BN_is_odd(modulus) && BN_is_odd(exponent) &&
	    BN_num_bits(exponent) > 1 &&
	    BN_num_bits(exponent) <= EXPONENT_BITS_MAX) {
		*bits = (unsigned)BN_num_bits(modulus);
		if (*bits >= DKIM_RSA_BITS_MIN && *bits <= DKIM_RSA_BITS_MAX)
			key = make_key(modulus, exponent);
	}
	BN_free(modulus);
	BN_free(exponent);
	return key;
}
