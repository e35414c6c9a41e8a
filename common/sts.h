/* SPDX-License-Identifier: ISC */
#ifndef COMMON_STS_H
#define COMMON_STS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * MTA-STS (RFC 8461): what a domain publishes, in the DNS and on its web
 * server.  Pure.
 */
enum {
	STS_ID_MAX = 32,
	STS_MX_MAX = 64,
	STS_MX_OCTETS_MAX = 4096, /* of all patterns with a NUL each */
	STS_AGE_MAX = 31557600
};

/*
 * The id of the domain's record, "_mta-sts.DOMAIN TXT" (section 3.1).  False:
 * it has none, or more than one, or one that cannot be read.
 */
bool sts_record(char *const *texts, size_t n, char id[STS_ID_MAX + 1]);

/*
 * Does a policy's pattern name this host?  "*." stands for one label
 * (section 4.1).
 */
bool sts_matches(const char *pattern, const char *host);

/* A policy, as its server words it (section 3.2). */
struct sts_policy {
	const char *mode; /* "none", "testing", "enforce" */
	uint32_t max_age; /* seconds */
	size_t nmx;
	char *mx[STS_MX_MAX]; /* lower case, in octets */
	char octets[STS_MX_OCTETS_MAX];
	size_t used;
};

/*
 * NULL: it is one; else why it is none.  Lines end in LF or CRLF; of fields
 * that occur twice, but for mx, the first counts; fields that nobody knows
 * must have the form of an extension.  A max_age beyond the longest is that.
 */
const char *sts_policy_read(struct sts_policy *, const char *octets, size_t n);

#endif
