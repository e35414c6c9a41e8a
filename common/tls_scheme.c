/* SPDX-License-Identifier: ISC */
#include "common/tls_scheme.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static const struct tls_scheme schemes[] = {
    {"ecdsa-sha256", "EC", "SHA256", false},
    {"ecdsa-sha384", "EC", "SHA384", false},
    {"ecdsa-sha512", "EC", "SHA512", false},
    {"rsa-pss-sha256", "RSA", "SHA256", true},
    {"rsa-pss-sha384", "RSA", "SHA384", true},
    {"rsa-pss-sha512", "RSA", "SHA512", true},
    {"rsa-pkcs1-sha256", "RSA", "SHA256", false},
    {"rsa-pkcs1-sha384", "RSA", "SHA384", false},
    {"rsa-pkcs1-sha512", "RSA", "SHA512", false},
    {"ed25519", "ED25519", NULL, false},
};

enum { SCHEMES = sizeof(schemes) / sizeof(schemes[0]) };

const struct tls_scheme *
tls_scheme_named(const char *name)
{
	for (size_t i = 0; i < SCHEMES; i++)
		if (strcmp(schemes[i].name, name) == 0)
			return &schemes[i];
	return NULL;
}

/* OpenSSL says SHA256 in one place and SHA2-256 in another. */
static bool
is_digest(const char *ours, const char *name)
{
	if (ours == NULL || name == NULL || name[0] == '\0')
		return ours == NULL && (name == NULL || name[0] == '\0');
	if (strncasecmp(name, "SHA2-", 5) == 0)
		return strcmp(ours + 3, name + 5) == 0;
	return strcasecmp(ours, name) == 0;
}

const struct tls_scheme *
tls_scheme_for(const char *type, const char *digest, bool pss)
{
	for (size_t i = 0; i < SCHEMES; i++)
		if (strcmp(schemes[i].type, type) == 0 &&
		    is_digest(schemes[i].digest, digest) &&
		    schemes[i].pss == pss)
			return &schemes[i];
	return NULL;
}
