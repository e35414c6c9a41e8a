/* SPDX-License-Identifier: ISC */
#ifndef COMMON_TLS_KEY_PROVIDER_H
#define COMMON_TLS_KEY_PROVIDER_H

#include <openssl/core.h>

#include "common/tls_key.h"

/* The inside of common/tls_key.h; see provider-keymgmt(7), -signature(7). */

enum { TLS_KEY_PUBLIC_MAX = 2048, TLS_KEY_GROUP_MAX = 40 };

struct tls_key {
	const char *type;            /* "RSA", "EC", "ED25519" */
	char id[TLS_KEY_ID_MAX + 1]; /* "": public half only */
	char group[TLS_KEY_GROUP_MAX];
	unsigned char octets[TLS_KEY_PUBLIC_MAX]; /* of the public half */
	size_t n;
	int bits, security_bits, max_size;
};

/* A parameter of EVP_PKEY_fromdata(3) beside the usual ones. */
#define TLS_KEY_PARAM_ID "postrider-id"

extern const OSSL_ALGORITHM tls_key_managers[];   /* tls_key_manager.c */
extern const OSSL_ALGORITHM tls_key_signatures[]; /* tls_key_signature.c */

/* Ask the process's signer. */
size_t tls_key_ask(const struct tls_key *, const char *scheme, const void *data,
    size_t n, unsigned char signature[TLS_KEY_SIGNATURE_MAX]);

#endif
