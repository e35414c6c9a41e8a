/* SPDX-License-Identifier: ISC */
#ifndef COMMON_TLS_NAMES_H
#define COMMON_TLS_NAMES_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Which certificates cover a name (RFC 6125 section 6.4): an index of all
 * names of all certificates, so that a thousand of them cost no more than
 * one.
 */
enum { TLS_NAME_MAX = 255 };

struct tls_name;
struct tls_names {
	struct tls_name *items;
	size_t n, room;
	bool failed;
};

/* The leaf's DNS names; its common name when it has none of those. */
void tls_names_add(struct tls_names *, const X509 *leaf, size_t pair);

/* The first name that was added, "" when there is none; before _finish. */
void tls_names_first(const struct tls_names *, char out[TLS_NAME_MAX + 3]);

/* Make it ready to be asked; false where there was no memory. */
bool tls_names_finish(struct tls_names *);
void tls_names_free(struct tls_names *);

/*
 * A name as clients send it, checked and in lower case: a host name of
 * letters, digits, hyphens, underscores and dots.  "" when it is none.
 */
void tls_name_clean(const char *asked, char out[TLS_NAME_MAX + 1]);

/*
 * Call found() with each pair that covers the name, in their order: first
 * those that have the name itself, then those that have a wildcard.
 */
void tls_names_find(const struct tls_names *, const char *name,
    void (*found)(void *, size_t pair), void *context);

#endif
