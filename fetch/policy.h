/* SPDX-License-Identifier: ISC */
#ifndef FETCH_POLICY_H
#define FETCH_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A policy of MTA-STS, as its server words it (RFC 8461 section 3.2). */
enum {
	POLICY_MX_MAX = 64,
	POLICY_MX_OCTETS_MAX = 4096, /* of all patterns with a NUL each */
	POLICY_AGE_MAX = 31557600
};

struct policy {
	const char *mode; /* "none", "testing", "enforce" */
	uint32_t max_age; /* seconds */
	size_t nmx;
	char *mx[POLICY_MX_MAX]; /* lower case, in octets */
	char octets[POLICY_MX_OCTETS_MAX];
	size_t used;
};

/*
 * NULL: it is one; else why it is none.  Lines end in LF or CRLF; of fields
 * that occur twice, but for mx, the first counts; fields that nobody knows
 * must have the form of an extension.  A max_age beyond the longest is that.
 */
const char *policy_read(struct policy *, const char *octets, size_t n);

#endif
