/* SPDX-License-Identifier: ISC */
#include "keys/sign.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

#include "common/cursor.h"

/* -- what it is -- */

enum { PADDING = 64, RANDOMS = 64, NAMED_CURVE = 3 };

static bool
is_tls13_verify(const unsigned char *data, size_t n)
{
	struct cursor c = cursor_over(data, n);

	for (int i = 0; i < PADDING; i++)
		if (cursor_u8(&c) != ' ')
			return false;
	cursor_expect(&c, "TLS 1.3, server CertificateVerify");
	if (cursor_u8(&c) != 0 || !cursor_ok(&c))
		return false;
	/* The transcript's hash, by the cipher suite: SHA-256, SHA-384. */
	return cursor_left(&c) == 32 || cursor_left(&c) == 48;
}

/* IANA's registry of TLS groups; 0: none that we know. */
static size_t
point_size(uint16_t curve)
{
	switch (curve) {
	case 23: /* secp256r1 */
		return 65;
	case 24: /* secp384r1 */
		return 97;
	case 25: /* secp521r1 */
		return 133;
	case 29: /* x25519 */
		return 32;
	case 30: /* x448 */
		return 56;
	}
	return 0;
}

/*
 * Both randoms, then the parameters.  Nothing that begins as TLS 1.3's does:
 * its first octet behind the padding is no curve type.
 */
static bool
is_tls12_key_exchange(const unsigned char *data, size_t n)
{
	struct cursor c = cursor_over(data, n);
	size_t size;

	cursor_skip(&c, RANDOMS);
	if (cursor_u8(&c) != NAMED_CURVE)
		return false;
	size = point_size(cursor_u16(&c));
	return size > 0 && cursor_u8(&c) == size && cursor_left(&c) == size;
}

enum sign_kind
sign_kind_of(const unsigned char *data, size_t n)
{
	if (is_tls13_verify(data, n))
		return SIGN_TLS13_VERIFY;
	if (is_tls12_key_exchange(data, n))
		return SIGN_TLS12_KEY_EXCHANGE;
	return SIGN_NOTHING;
}

/* -- signing it -- */

const struct tls_scheme *
sign_scheme(
    const char *name, enum sign_kind kind, EVP_PKEY *key, const char **reason)
{
	const struct tls_scheme *scheme = tls_scheme_named(name);

	*reason = NULL;
	if (scheme == NULL)
		*reason = "unknown scheme";
	else if (!EVP_PKEY_is_a(key, scheme->type))
		*reason = "no scheme of this key";
	else if (kind == SIGN_NOTHING)
		*reason = "not a TLS handshake";
	else if (kind == SIGN_TLS13_VERIFY && !scheme->pss &&
	    strcmp(scheme->type, "RSA") == 0)
		*reason = "not a scheme of TLS 1.3";
	return *reason == NULL ? scheme : NULL;
}

size_t
sign_data(EVP_PKEY *key, const struct tls_scheme *scheme,
    const unsigned char *data, size_t n, unsigned char *out, size_t size)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx;
	size_t length = size;
	bool done = md != NULL &&
	    EVP_DigestSignInit_ex(
		md, &ctx, scheme->digest, NULL, NULL, key, NULL) == 1 &&
	    (!scheme->pss ||
		(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) ==
			1 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(
			ctx, RSA_PSS_SALTLEN_DIGEST) == 1)) &&
	    EVP_DigestSign(md, out, &length, data, n) == 1;

	EVP_MD_CTX_free(md);
	ERR_clear_error();
	return done ? length : 0;
}
