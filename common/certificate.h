/* SPDX-License-Identifier: ISC */
#ifndef COMMON_CERTIFICATE_H
#define COMMON_CERTIFICATE_H

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "common/tls_pair.h"

/*
 * Certificates and keys in files (PEM, RFC 7468).  Functions that fail say
 * why in reason: half a sentence without the file's name.
 */
enum { CERTIFICATE_REASON_MAX = 200 };

/*
 * All certificates of the file, the leaf first.  Reads from the descriptor's
 * beginning, wherever its offset is; it stays open.  The chain is the caller's
 * (certificate_free_chain()); NULL on failure.
 */
STACK_OF(X509) *certificate_read_chain(
    int fd, char reason[CERTIFICATE_REASON_MAX]);
void certificate_free_chain(STACK_OF(X509) *);

/*
 * The private key of the file, one that TLS of today signs with: RSA from
 * 2048 bits, EC on P-256, P-384 or P-521, Ed25519.  What was read is wiped.
 * EVP_PKEY_free() it; NULL on failure.
 */
EVP_PKEY *certificate_read_key(int fd, char reason[CERTIFICATE_REASON_MAX]);

/* Does the key belong to the chain's leaf? */
bool certificate_matches(STACK_OF(X509) *, EVP_PKEY *);

/* Does the leaf name this host (RFC 6125)? */
bool certificate_covers(STACK_OF(X509) *, const char *hostname);

/* From when until when the leaf is good; -1 where it does not say. */
time_t certificate_begins(STACK_OF(X509) *);
time_t certificate_ends(STACK_OF(X509) *);

/*
 * The names that the leaf covers, with ", " between them, as many as fit.
 * Control characters are left out.
 */
void certificate_names(STACK_OF(X509) *, char *out, size_t size);

/* "ecdsa", "rsa" or "ed25519". */
const char *certificate_type(const EVP_PKEY *);

/*
 * What names the key: SHA-256 of the certificate's public key in hex, so
 * that it is the same after a restart.
 */
enum { CERTIFICATE_ID_SIZE = 65 };
bool certificate_id(X509 *leaf, char out[CERTIFICATE_ID_SIZE]);

/*
 * A self-signed certificate for the host, with a P-256 key, ten years good,
 * in two new files: nothing that stands there is overwritten.  The key's mode
 * is 0600.  Keeps readers of the wire out; nobody can verify it.  An exit
 * code of sysexits.h, what is wrong has been said on standard error.
 */
int certificate_make(const char *program, const char *certificate,
    const char *key, const char *hostname);

#endif
