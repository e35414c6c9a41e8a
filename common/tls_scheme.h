/* SPDX-License-Identifier: ISC */
#ifndef COMMON_TLS_SCHEME_H
#define COMMON_TLS_SCHEME_H

#include <stdbool.h>

/*
 * How a key signs, by the names that go between a speaker and `keys`:
 * RFC 8446 section 4.2.3 less what is outdated.
 */
struct tls_scheme {
	const char *name;   /* "ecdsa-sha256" */
	const char *type;   /* of the key, as OpenSSL calls it: "EC" */
	const char *digest; /* "SHA256"; NULL: the key's own (Ed25519) */
	bool pss;           /* RSA: PSS with a salt as long as the digest */
};

/* NULL: there is none. */
const struct tls_scheme *tls_scheme_named(const char *name);
const struct tls_scheme *tls_scheme_for(
    const char *type, const char *digest, bool pss);

#endif
