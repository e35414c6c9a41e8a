/* SPDX-License-Identifier: ISC */
#ifndef COMMON_TLS_KEY_H
#define COMMON_TLS_KEY_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Private keys that are somewhere else: an OpenSSL 3 provider whose keys hold
 * an id and the public half; to sign they ask.  What is to be signed goes out
 * whole, so that the owner of the key can see what it is.
 *
 * The provider lives in a library context of its own: nothing else in the
 * process ever gets its algorithms by accident.
 */
enum {
	TLS_KEY_ID_MAX = 64,
	TLS_KEY_SIGNATURE_MAX = 1024, /* RSA of 8192 bits */
	TLS_KEY_DATA_MAX = 1024       /* longest text to be signed */
};

/*
 * Who signs: the whole data, by the scheme (a name of common/tls_scheme.h).
 * Returns the signature's length, 0 when there is none; the handshake fails
 * then.  Called within SSL_accept(3), and may wait.
 */
typedef size_t tls_key_sign(void *context, const char *id, const char *scheme,
    const void *data, size_t n, unsigned char signature[TLS_KEY_SIGNATURE_MAX]);

/* Once a process, before the first key; replaces what was. */
void tls_key_signer(tls_key_sign *, void *context);

/*
 * The private key to this certificate's public one, for
 * SSL_CTX_use_cert_and_key(3); RSA, EC or Ed25519.  NULL on failure.
 * EVP_PKEY_free() it.
 */
EVP_PKEY *tls_key_new(X509 *leaf, const char *id);

#endif
