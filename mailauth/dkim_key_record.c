/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include <openssl/x509.h>

#include "common/base64.h"
#include "mailauth/dkim.h"

static bool
add_base64(struct buf *out, const unsigned char *octets, size_t n)
{
	if (!buf_reserve(out, BASE64_LENGTH(n)))
		return false;
	base64_encode(octets, n, out->data + out->len);
	out->len += BASE64_LENGTH(n);
	return true;
}

static bool
add_rsa(EVP_PKEY *key, struct buf *out)
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(key, &der);
	bool ok = n > 0 && buf_adds(out, "v=DKIM1; k=rsa; p=") &&
	    add_base64(out, der, (size_t)n);

	OPENSSL_free(der);
	return ok;
}

static bool
add_ed25519(EVP_PKEY *key, struct buf *out)
{
	unsigned char octets[32];
	size_t n = sizeof(octets);

	return EVP_PKEY_get_raw_public_key(key, octets, &n) == 1 &&
	    buf_adds(out, "v=DKIM1; k=ed25519; p=") &&
	    add_base64(out, octets, n);
}

bool
dkim_key_record(EVP_PKEY *key, struct buf *out)
{
	if (EVP_PKEY_is_a(key, "RSA") == 1)
		return add_rsa(key, out);
	return EVP_PKEY_is_a(key, "ED25519") == 1 && add_ed25519(key, out);
}
