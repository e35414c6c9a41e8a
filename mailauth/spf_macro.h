/* SPDX-License-Identifier: ISC */
#ifndef MAILAUTH_SPF_MACRO_H
#define MAILAUTH_SPF_MACRO_H

#include "common/cursor.h"
#include "mailauth/mailauth.h"

/* Macros, RFC 7208 section 7, with RFC 8616 section 4. */

enum spf_place {
	SPF_IN_RECORD,
	SPF_IN_EXPLANATION /* c, r, t and spaces are right, too */
};

/* What macros stand for.  All texts are the caller's. */
struct spf_macros {
	const char *local;                     /* l */
	const char *sender_domain;             /* o */
	const char *domain;                    /* d */
	const char *helo;                      /* h */
	const char *receiver;                  /* r */
	const struct sockaddr_storage *client; /* i, v, c */
	int64_t now;                           /* t, unix seconds */
	/* p, asked for when it is needed */
	const char *(*name)(void *context);
	void *context;
};

/*
 * NULL, or what is wrong (a static phrase).  *ends: a macro, or one of %%,
 * %_ and %-, is the last of it.
 */
const char *spf_macro_check(struct span, enum spf_place, bool *ends);

/*
 * Does the name that it leads to depend on what the client has or says: its
 * address, name, HELO, or the local part?
 */
bool spf_names_client(struct span);

/*
 * A domain-spec that was checked.  Of a name over 253 octets labels are
 * dropped from the left (section 7.3).  False: what comes out is no name that
 * can be asked about, or has a local part that is not ASCII, so that nothing
 * matches it.  Memory is bounded whatever the macros are (A13).
 */
bool spf_expand_target(
    const struct spf_macros *, struct span, char out[DNS_NAME_MAX + 1]);

/*
 * An explanation, cut at size - 1.  False, with "" in out: its syntax is
 * wrong, or something in it is not printable ASCII.
 */
bool spf_expand_explanation(
    const struct spf_macros *, const char *text, char *out, size_t size);

#endif
