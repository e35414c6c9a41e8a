/* SPDX-License-Identifier: ISC */
#ifndef MAILAUTH_MAILAUTH_H
#define MAILAUTH_MAILAUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/dns.h"

/*
 * Who really sent a message: SPF, DKIM and DMARC as pure functions over the
 * message, its envelope and what the DNS says.  Nothing here keeps state
 * between messages, opens a file, or looks at a clock.
 */

/* The words of Authentication-Results (RFC 8601 section 2.7). */
enum auth_result {
	AUTH_NONE,
	AUTH_PASS,
	AUTH_FAIL,
	AUTH_SOFTFAIL,
	AUTH_NEUTRAL,
	AUTH_POLICY,
	AUTH_TEMPERROR,
	AUTH_PERMERROR
};

const char *auth_result_name(enum auth_result); /* "pass" */
bool auth_result_named(const char *name, enum auth_result *);

/*
 * Whom the checks ask.  As the functions of the same names in common/dns.h
 * (mx: dns_mx_names()); *texts is one free().
 */
struct resolver {
	enum dns_status (*txt)(
	    void *context, const char *name, char ***texts, size_t *n);
	enum dns_status (*addresses)(void *context, const char *host,
	    int family, struct sockaddr_storage *out, size_t max, size_t *n);
	enum dns_status (*mx)(void *context, const char *domain,
	    struct dns_mx *out, size_t max, size_t *n);
	enum dns_status (*ptr)(void *context, const struct sockaddr_storage *,
	    char (*names)[DNS_NAME_MAX + 1], size_t max, size_t *n);
	/* The name's own CNAME; and so, does the name exist? */
	enum dns_status (*alias)(
	    void *context, const char *name, char target[DNS_NAME_MAX + 1]);
	void *context;
};

/* The DNS itself; its deadline (dns_deadline()) is the caller's to set. */
struct resolver resolver_over(struct dns *);

/* What every check is given besides the message and its envelope. */
struct mailauth {
	const struct resolver *resolver;
	int64_t now; /* unix seconds */
	/* One line about each step, for people; NULL: nobody watches. */
	void (*step)(void *watcher, const char *text);
	void *watcher;
};

void mailauth_step(const struct mailauth *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* No answer that can be relied on: DNS_TEMPORARY, DNS_BROKEN. */
bool dns_is_trouble(enum dns_status);

#endif
