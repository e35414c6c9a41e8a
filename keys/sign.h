/* SPDX-License-Identifier: ISC */
#ifndef KEYS_SIGN_H
#define KEYS_SIGN_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/tls_scheme.h"

/*
 * What a server's TLS key signs, and nothing else: whoever broke into a
 * speaker can use the key for handshakes, as long as he stays, but has no
 * message, certificate or token signed with it.
 */
enum sign_kind {
	SIGN_NOTHING,           /* none of these */
	SIGN_TLS13_VERIFY,      /* RFC 8446 section 4.4.3, the server's */
	SIGN_TLS12_KEY_EXCHANGE /* RFC 8422 section 5.4, named curves */
};

enum sign_kind sign_kind_of(const unsigned char *data, size_t n);

/*
 * The scheme, which must be one for this kind and this key.  NULL with
 * *reason set.
 */
const struct tls_scheme *sign_scheme(
    const char *name, enum sign_kind, EVP_PKEY *, const char **reason);

/* Hash and sign; the signature's length, 0 on failure. */
size_t sign_data(EVP_PKEY *, const struct tls_scheme *,
    const unsigned char *data, size_t n, unsigned char *out, size_t size);

#endif
