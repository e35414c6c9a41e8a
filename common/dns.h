/* SPDX-License-Identifier: ISC */
#ifndef COMMON_DNS_H
#define COMMON_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * Look-ups in the DNS through libresolv: it sends, repeats and falls back to
 * TCP; the answers are read by our own cursor, within bounds (A14).  What is
 * temporary stays temporary: only an authoritative "no" is a "no".
 */
enum dns_status {
	DNS_FOUND,
	DNS_NO_DATA,   /* the name exists, without such records */
	DNS_NO_NAME,   /* NXDOMAIN */
	DNS_TEMPORARY, /* no answer, SERVFAIL, refused */
	DNS_BROKEN     /* an answer that cannot be read: treat as temporary */
};

enum {
	DNS_NAME_MAX = 255,
	/* Of one answer, but for TXT; the rest is not looked at. */
	DNS_RECORDS_MAX = 64,
	DNS_TEXT_MAX = 8192,  /* of one TXT record, strings joined */
	DNS_TEXT_NUL = 0x7f
};

struct dns; /* opaque */

struct config;

/*
 * Reads resolv.conf now (unless the config names servers), so that it works
 * in a chroot later.  NULL and errno on failure.
 */
struct dns *dns_open(const struct config *);
void dns_close(struct dns *);

/*
 * Every look-up ends by this monotonic time at the latest.  libresolv counts
 * in seconds, so with less than one left nothing is asked any more.
 * Negative: none (30 s for each question).
 */
void dns_deadline(struct dns *, int64_t deadline_ms);

struct dns_mx {
	uint16_t preference;
	char host[DNS_NAME_MAX + 1]; /* "" for a null MX (RFC 7505) */
};

/* Sorted by preference; *n at most max.  CNAMEs are followed (8 at most). */
enum dns_status dns_mx(struct dns *, const char *domain, struct dns_mx *out,
    size_t max, size_t *n);

/*
 * The same, but a host may have any name that can be asked about: it is to
 * be compared, not to be shown.
 */
enum dns_status dns_mx_names(struct dns *, const char *domain,
    struct dns_mx *out, size_t max, size_t *n);

/* A and AAAA as family says; IPv6 first where both; port 0. */
enum dns_status dns_addresses(struct dns *, const char *host, int family,
    struct sockaddr_storage *out, size_t max, size_t *n);

/*
 * Each record's strings joined, NUL-terminated; *texts is one free().  A NUL
 * in them is given as DNS_TEXT_NUL, which no protocol has in its records.
 * Behind 256 records the rest is not looked at.
 */
enum dns_status dns_txt(
    struct dns *, const char *name, char ***texts, size_t *n);

struct dns_tlsa { /* RFC 6698 section 2.1; as published, not judged */
	uint8_t usage, selector, matching;
	size_t len;
	const unsigned char *data;
};

/* *records is one free(), the data with it. */
enum dns_status dns_tlsa(
    struct dns *, const char *name, struct dns_tlsa **records, size_t *n);

/* The name's own CNAME, not followed. */
enum dns_status dns_alias(
    struct dns *, const char *name, char target[DNS_NAME_MAX + 1]);

/*
 * Of the last look-up: every answer on its way, aliases included, was
 * validated by a server that the config calls trusted, and all servers in use
 * are.  DNS_NO_DATA is secure in the same way.  Of the two families of
 * dns_addresses() one that got no answer at all does not count.
 */
bool dns_secure(const struct dns *);

/* All servers in use are trusted: something could be secure. */
bool dns_trusted(const struct dns *);

/* Where the last look-up's aliases led, lower case; "" without an answer. */
const char *dns_canonical(const struct dns *);

/*
 * Under which name an address has its PTR records (RFC 1035 section 3.5, RFC
 * 3596 section 2.5).  False without memory.
 */
bool dns_reverse_name(
    const struct sockaddr_storage *, char out[DNS_NAME_MAX + 1]);

/* Names of an address (in-addr.arpa, ip6.arpa). */
enum dns_status dns_ptr(struct dns *, const struct sockaddr_storage *,
    char (*names)[DNS_NAME_MAX + 1], size_t max, size_t *n);

/*
 * The name of a client, confirmed: a PTR name that has that address
 * (RFC 8601 section 3 "iprev").  "" when there is none.
 */
enum dns_status dns_confirmed_name(
    struct dns *, const struct sockaddr_storage *, char name[DNS_NAME_MAX + 1]);

const char *dns_status_text(enum dns_status);

#endif
