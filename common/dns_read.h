/* SPDX-License-Identifier: ISC */
#ifndef COMMON_DNS_READ_H
#define COMMON_DNS_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cursor.h"
#include "common/dns.h"

/*
 * Reading the answers of RFC 1035 section 4.  Pure: octets in, records out.
 * Whatever the octets say, the work is bounded (A14): a compression pointer
 * only ever leads backwards, a name has at most 255 octets, an answer at
 * most DNS_RECORDS_MAX records, of texts DNS_TEXTS_MAX, a chain of aliases at
 * most DNS_CHAIN_MAX.
 */
enum {
	DNS_CHAIN_MAX = 8,
	DNS_TEXTS_MAX = 256, /* a large domain proves its name to many */
	DNS_TYPE_A = 1,
	DNS_TYPE_CNAME = 5,
	DNS_TYPE_PTR = 12,
	DNS_TYPE_MX = 15,
	DNS_TYPE_TXT = 16,
	DNS_TYPE_AAAA = 28,
	DNS_TYPE_TLSA = 52
};

struct dns_record {
	char owner[DNS_NAME_MAX + 1];
	uint16_t type;
	size_t data, len; /* rdata: offset in the packet, octets */
};

struct dns_answer {
	const unsigned char *packet; /* borrowed */
	size_t size;
	/*
	 * The last name of the chain of aliases that begins at the question.
	 * With DNS_NO_DATA and hops > 0 the chain may go on in another zone:
	 * that name is to be asked about next.
	 */
	char name[DNS_NAME_MAX + 1];
	unsigned hops; /* aliases from the question to name */
	uint32_t ttl;  /* seconds, the least of all records; 0: there is none */
	/* AD: the server says that it has validated all of it (RFC 4035) */
	bool authentic;
	size_t n; /* records of the type asked for, owned by name */
	struct dns_record records[DNS_TEXTS_MAX];
};

/*
 * A name at the cursor as text, lower case, without its final dot; "" is
 * the root.  False, with the cursor failed, when the name cannot be read;
 * false, with the cursor behind it, when a label has a control character, an
 * octet above 127, a dot, or a backslash: such a name equals nothing.
 */
bool dns_read_name(struct cursor *, char out[DNS_NAME_MAX + 1]);

/*
 * A name in rdata that must be a host's: letters, digits, hyphens and
 * underscores, or the root.  For names that will stand in a header or log.
 */
bool dns_read_host(struct cursor *, char out[DNS_NAME_MAX + 1]);

/*
 * The answer to this question.  DNS_TEMPORARY also for a "no" that is
 * neither authoritative nor a resolver's.
 */
enum dns_status dns_read_answer(struct dns_answer *, const void *packet,
    size_t size, uint16_t id, const char *name, uint16_t type);

/*
 * Does a packet answer just that question?  Where many are out at a time an
 * id alone is another's now and then.
 */
bool dns_repeats_question(
    const void *packet, size_t size, const char *name, uint16_t type);

/* A cursor that sees the packet up to the end of this record's data. */
struct cursor dns_record_cursor(
    const struct dns_answer *, const struct dns_record *);

/* TC: there is more, to be had by TCP.  False for less than a header. */
bool dns_is_truncated(const void *packet, size_t size);

/* Lower case, without a final dot; cut at DNS_NAME_MAX octets. */
void dns_name_normalise(const char *, char out[DNS_NAME_MAX + 1]);

/* The same name, letters without case (RFC 4343), a final dot ignored. */
bool dns_name_equal(const char *, const char *);

#endif
