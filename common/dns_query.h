/* SPDX-License-Identifier: ISC */
#ifndef COMMON_DNS_QUERY_H
#define COMMON_DNS_QUERY_H

#include <netinet/in.h>
#include <resolv.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/dns.h"
#include "common/dns_read.h"

/*
 * One question to the configured servers: libresolv makes the query, sends
 * it by UDP and repeats; a truncated answer is fetched by TCP.  That last
 * part is ours, for libresolv waits for a TCP server without any limit.
 */
enum {
	DNS_SERVERS_MAX = 8,
	DNS_PACKET_MAX = 65535,
	DNS_DEFAULT_LIMIT_MS = 30000 /* of a look-up without a deadline */
};

struct dns {
	struct __res_state resolver;
	size_t nservers;
	struct sockaddr_storage servers[DNS_SERVERS_MAX];
	int64_t deadline; /* monotonic; negative: none was set */
	bool trusted;     /* every one of the servers is */
	bool secure;      /* the last look-up was: dns_secure() */
	char canonical[DNS_NAME_MAX + 1]; /* where its aliases led */
	struct dns_answer answer;
	unsigned char packet[DNS_PACKET_MAX];
};

enum { DNS_QUERY_MAX = 512 };

/*
 * A question with an id that nobody guesses; its octets, 0 where the name is
 * none.
 */
size_t dns_make_query(struct dns *, const char *name, uint16_t type,
    unsigned char query[DNS_QUERY_MAX]);

/*
 * Asks for exactly this name (no search list).  The answer is in
 * dns->answer, valid until the next question.  The deadline is monotonic;
 * with less than a second left nothing is asked.
 */
enum dns_status dns_ask(
    struct dns *, const char *name, uint16_t type, int64_t deadline);

/* When the look-up that begins now must end. */
int64_t dns_limit(const struct dns *);

/* Ask, and ask on along aliases; the answer is in dns->answer. */
enum dns_status dns_look_up(
    struct dns *, const char *name, uint16_t type, int64_t deadline);

/*
 * Ask one server by TCP (RFC 7766).  Octets of the answer in packet (size
 * DNS_PACKET_MAX), 0 when there is none by the deadline.
 */
size_t dns_ask_by_tcp(const struct sockaddr_storage *server,
    const unsigned char *query, size_t query_size, unsigned char *packet,
    int64_t deadline);

#endif
