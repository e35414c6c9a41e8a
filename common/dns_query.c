/* SPDX-License-Identifier: ISC */
#include "common/dns_query.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/clock.h"
#include "common/config.h"

enum { HEADER_SIZE = 12 };

static const int round_seconds[] = {2, 3, 5, 10};
enum { ROUNDS = sizeof(round_seconds) / sizeof(round_seconds[0]) };

enum { FLAGS_LOW = 3, AUTHENTIC_DATA = 0x20 }; /* octet and bit of AD */

static void
add_server(struct dns *d, const void *address, size_t size)
{
	if (d->nservers < DNS_SERVERS_MAX)
		memcpy(&d->servers[d->nservers++], address, size);
}

/* glibc keeps the IPv6 servers of resolv.conf beside the list of IPv4. */
static void
take_system_servers(struct dns *d)
{
	const res_state r = &d->resolver;

	for (int i = 0; i < r->nscount && i < MAXNS; i++) {
		if (r->nsaddr_list[i].sin_family == AF_INET)
			add_server(
			    d, &r->nsaddr_list[i], sizeof(r->nsaddr_list[i]));
		else if (r->_u._ext.nsaddrs[i] != NULL)
			add_server(d, r->_u._ext.nsaddrs[i],
			    sizeof(*r->_u._ext.nsaddrs[i]));
	}
}

struct dns *
dns_open(const struct config *config)
{
	struct dns *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->deadline = -1;
	if (res_ninit(&d->resolver) == -1) {
		free(d);
		return NULL;
	}
	d->resolver.options = RES_INIT | RES_RECURSE | RES_IGNTC;
	if (config->dns_servers.n == 0)
		take_system_servers(d);
	d->trusted = config->dns_servers.n > 0;
	for (size_t i = 0; i < config->dns_servers.n; i++) {
		const struct config_server *s = &config->dns_servers.items[i];

		d->trusted = d->trusted && s->trusted;
		add_server(d, &s->address, sizeof(s->address));
	}
#ifdef RES_TRUSTAD /* else glibc clears the bit in what it hands us */
	if (d->trusted)
		d->resolver.options |= RES_TRUSTAD;
#endif
	return d;
}

void
dns_close(struct dns *d)
{
	if (d == NULL)
		return;
	res_nclose(&d->resolver);
	free(d);
}

void
dns_deadline(struct dns *d, int64_t deadline_ms)
{
	d->deadline = deadline_ms;
}

int64_t
dns_limit(const struct dns *d)
{
	return d->deadline >= 0 ? d->deadline
				: clock_monotonic_ms() + DNS_DEFAULT_LIMIT_MS;
}

static bool
use_server(res_state r, const struct sockaddr_storage *server)
{
	res_nclose(r);
	memset(r->nsaddr_list, 0, sizeof(r->nsaddr_list));
	r->nscount = 1;
	r->_u._ext.nscount = 0;
	if (server->ss_family == AF_INET) {
		memcpy(&r->nsaddr_list[0], server, sizeof(r->nsaddr_list[0]));
		return true;
	}
	r->_u._ext.nsaddrs[0] = malloc(sizeof(*r->_u._ext.nsaddrs[0]));
	if (r->_u._ext.nsaddrs[0] == NULL)
		return false;
	memcpy(r->_u._ext.nsaddrs[0], server, sizeof(*r->_u._ext.nsaddrs[0]));
	r->_u._ext.nssocks[0] = -1;
	return true;
}

/* Octets of the answer, 0 for none. */
static size_t
ask_server(struct dns *d, const struct sockaddr_storage *server,
    const unsigned char *query, size_t size, int seconds, int64_t deadline)
{
	res_state r = &d->resolver;
	int left = clock_left(deadline) / 1000, n;

	if (left <= 0 || !use_server(r, server))
		return 0;
	r->retry = 1;
	r->retrans = seconds < left ? seconds : left;
	n = res_nsend(r, query, (int)size, d->packet, DNS_PACKET_MAX);
	if (n <= 0)
		return 0;
	if (n > DNS_PACKET_MAX)
		n = DNS_PACKET_MAX;
	if (dns_is_truncated(d->packet, (size_t)n))
		return dns_ask_by_tcp(server, query, size, d->packet, deadline);
	return (size_t)n;
}

size_t
dns_make_query(struct dns *d, const char *name, uint16_t type,
    unsigned char query[DNS_QUERY_MAX])
{
	int n = res_nmkquery(&d->resolver, QUERY, name, C_IN, type, NULL, 0,
	    NULL, query, DNS_QUERY_MAX);

	if (n < HEADER_SIZE || getrandom(query, 2, 0) != 2)
		return 0;
	if (d->trusted) /* asks for AD in the answer (RFC 6840 section 5.7) */
		query[FLAGS_LOW] |= AUTHENTIC_DATA;
	return (size_t)n;
}

enum dns_status
dns_ask(struct dns *d, const char *name, uint16_t type, int64_t deadline)
{
	unsigned char query[DNS_QUERY_MAX];
	size_t size = dns_make_query(d, name, type, query), n;
	uint16_t id = (uint16_t)(query[0] << 8 | query[1]);
	enum dns_status status = DNS_TEMPORARY;

	if (size == 0)
		return DNS_NO_NAME;
	for (size_t round = 0; round < ROUNDS; round++) {
		int64_t began = clock_monotonic_ms();

		for (size_t i = 0; i < d->nservers; i++) {
			n = ask_server(d, &d->servers[i], query, size,
			    round_seconds[round], deadline);
			if (n == 0)
				continue;
			status = dns_read_answer(
			    &d->answer, d->packet, n, id, name, type);
			if (status != DNS_TEMPORARY && status != DNS_BROKEN)
				return status;
		}
		/* asking again helps against silence, not against "no" */
		if (status == DNS_BROKEN ||
		    clock_monotonic_ms() - began < round_seconds[round] * 500)
			break;
	}
	return status;
}
