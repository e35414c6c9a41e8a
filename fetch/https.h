/* SPDX-License-Identifier: ISC */
#ifndef FETCH_HTTPS_H
#define FETCH_HTTPS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

/*
 * One GET by HTTPS, through libcurl: TLS 1.2 at least, a certificate that an
 * authority of trust_load() vouches for, no redirect, no proxy, no cookie, no
 * compression, no cache; bounded in time and size.
 */
enum {
	HTTPS_TIME_MS = 20000, /* from name to last octet */
	HTTPS_REASON_MAX = 512,
	HTTPS_OCTETS_MAX = 1 << 20
};

struct config;
struct dns;

struct https {
	struct dns *dns;
	const struct config *config;
	struct buf trust; /* PEM */
};

/* While files can still be opened.  Ends the process without libcurl. */
void https_begin(void);

struct https_request {
	const char *url;          /* https: only */
	const char *content_type; /* what it must be; NULL: anything */
	uint64_t max;             /* octets of the body */
	uint16_t port;            /* where the URL has none */
};

struct https_answer {
	struct buf body;
	bool has_max_age;              /* RFC 9111 section 5.2.2.1 */
	uint64_t max_age;              /* seconds */
	char reason[HTTPS_REASON_MAX]; /* why not */
};

/* The answer's body is to be freed either way. */
bool https_get(
    struct https *, const struct https_request *, struct https_answer *);

#endif
