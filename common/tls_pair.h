/* SPDX-License-Identifier: ISC */
#ifndef COMMON_TLS_PAIR_H
#define COMMON_TLS_PAIR_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stddef.h>

/*
 * A certificate as a server shows it: its chain, leaf first, and its key.
 * In a speaker the key is one of common/tls_key.h: it can sign, by asking
 * `keys`, and holds nothing that could be read.
 */
struct tls_pair {
	STACK_OF(X509) *chain;
	EVP_PKEY *key;
};

/*
 * A key for session tickets (RFC 5077 section 4): 16 octets of name, 32 for
 * AES-256, 32 for HMAC-SHA-256.
 */
enum { TLS_TICKET_KEY_SIZE = 80 };

#endif
