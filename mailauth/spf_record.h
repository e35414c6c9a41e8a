/* SPDX-License-Identifier: ISC */
#ifndef MAILAUTH_SPF_RECORD_H
#define MAILAUTH_SPF_RECORD_H

#include "common/cursor.h"
#include "mailauth/mailauth.h"

/* The text of SPF records, RFC 7208 sections 4.5, 4.6.1 and 12. */

enum spf_kind {
	SPF_ALL,
	SPF_INCLUDE,
	SPF_A,
	SPF_MX,
	SPF_PTR,
	SPF_IP4,
	SPF_IP6,
	SPF_EXISTS,
	SPF_REDIRECT, /* from here on modifiers */
	SPF_EXP,
	SPF_UNKNOWN_MODIFIER
};

/* All spans lie in the record's text. */
struct spf_term {
	enum spf_kind kind;
	struct span text;
	enum auth_result qualifier; /* of a mechanism: if it matches */
	struct span target;         /* domain-spec; len 0: the domain itself */
	struct sockaddr_storage network; /* ip4, ip6 */
	unsigned prefix4, prefix6;       /* a, mx; ip4 or ip6 has its own */
};

struct spf_record {
	const char *terms;         /* behind the version */
	struct span redirect, exp; /* domain-specs; len 0: none */
	bool has_all;
};

/* Begins with the version and a space, or ends there (section 4.5). */
bool spf_is_record(const char *text);

/*
 * All of the record, whose text must outlive it.  NULL, or what is wrong (a
 * static phrase) and *culprit, the term.
 */
const char *spf_record_parse(
    const char *text, struct spf_record *, struct span *culprit);

/* The next term of a record that was parsed; false: there is none. */
bool spf_record_next(const char **at, struct spf_term *);

#endif
