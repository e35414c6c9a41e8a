/* SPDX-License-Identifier: ISC */
#ifndef MAILAUTH_SPF_CHECK_H
#define MAILAUTH_SPF_CHECK_H

#include "mailauth/spf.h"
#include "mailauth/spf_macro.h"
#include "mailauth/spf_record.h"

/*
 * One check, with the domains that it is led to.  The limits of section
 * 4.6.4 count over all of them (A13).
 */
struct spf_check {
	const struct mailauth *mailauth;
	struct spf_result *result;
	struct sockaddr_storage client; /* never IPv4 in IPv6 */
	struct spf_macros macros; /* but for the domain, of whoever asks */
	char local[ADDRESS_TEXT_MAX + 1];
	char helo[DNS_NAME_MAX + 1];
	unsigned terms, voids; /* so far */
	bool broad;            /* as the result's; of the way to this term */
	/* the client's confirmed names, once they were looked for */
	bool named, name_trouble;
	size_t nnames;
	char names[SPF_NAMES_MAX][DNS_NAME_MAX + 1];
};

enum spf_match {
	SPF_MATCH,
	SPF_NO_MATCH,
	SPF_MATCH_TEMPERROR,
	SPF_MATCH_PERMERROR
};

/*
 * The first that goes wrong is what the result tells.  Octets that do not
 * print are shown as "?".
 */
void spf_reason(struct spf_check *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* check_host() of section 4 for a domain; the record of include or not. */
enum auth_result spf_check_domain(
    struct spf_check *, const char *domain, bool included);

/* A mechanism of that domain's record: mailauth/spf_match.c. */
enum spf_match spf_match(
    struct spf_check *, const char *domain, const struct spf_term *);

/* Can it match a good part of all clients of that family? */
bool spf_is_broad(const struct spf_check *, const struct spf_term *);

/* False: that is one term too many that looks something up. */
bool spf_count_term(struct spf_check *);

/*
 * The name that a term leads to, which counts as one that looks something up.
 * SPF_MATCH: it is in out; SPF_NO_MATCH: it is a name that nobody can have.
 */
enum spf_match spf_target(
    struct spf_check *, const char *domain, struct span, char *out);

/* SPF_MATCH_TEMPERROR, and says so. */
enum spf_match spf_names_unknown(struct spf_check *);

/*
 * The client's names that have its address (section 5.5), asked for once:
 * mailauth/spf_names.c.
 */
void spf_find_names(struct spf_check *);

/* What %{p} stands for in that domain's record. */
const char *spf_best_name(struct spf_check *, const char *domain);

/* The name is this domain's, or below it. */
bool spf_is_within(const char *name, const char *domain);

#endif
