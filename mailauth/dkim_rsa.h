/* SPDX-License-Identifier: ISC */
#ifndef MAILAUTH_DKIM_RSA_H
#define MAILAUTH_DKIM_RSA_H

#include <openssl/evp.h>

/*
 * A public RSA key from DER: SubjectPublicKeyInfo, which is what everybody
 * publishes, or the bare RSAPublicKey of RFC 6376 section 3.6.1.  NULL when
 * it is neither, or not between DKIM_RSA_BITS_MIN and DKIM_RSA_BITS_MAX bits
 * (then *bits says how many), or has an exponent that would take long.
 *
 * Our own reader, because the library's decoders cost six times what the
 * verification does.
 */
enum { DKIM_RSA_BITS_MAX = 8192 };

EVP_PKEY *dkim_rsa_key(const unsigned char *der, size_t n, unsigned *bits);

#endif
