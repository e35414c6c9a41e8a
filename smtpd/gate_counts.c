/* SPDX-License-Identifier: ISC */
#include "smtpd/gate_counts.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/random.h>

#include "common/netaddr.h"

enum { ROWS_FIRST = 256, IPV4_NETWORK = 24, IPV6_NETWORK = 48 };

/* Open addressing; a row without connections is empty. */
struct row {
	uint64_t who;
	uint32_t n;
};

struct table {
	struct row *rows;
	size_t size, used; /* size: a power of two */
};

static struct table clients, networks;
static uint64_t secret; /* nobody shall choose addresses that collide */

static size_t
place(const struct table *t, uint64_t who)
{
	uint64_t mixed = (who ^ secret) * UINT64_C(0x9e3779b97f4a7c15);

	mixed = (mixed ^ mixed >> 32 ^ secret >> 7) *
	    UINT64_C(0xd6e8feb86659fd93);
	return (size_t)(mixed >> 32) & (t->size - 1);
}

/* Its row, or the empty one where it would be. */
static struct row *
find(const struct table *t, uint64_t who)
{
	size_t i = place(t, who);

	while (t->rows[i].n > 0 && t->rows[i].who != who)
		i = (i + 1) & (t->size - 1);
	return &t->rows[i];
}

static bool
grow(struct table *t)
{
	struct table larger = {.size = t->size == 0 ? ROWS_FIRST : 2 * t->size,
	    .used = t->used};

	if (secret == 0)
		(void)!getrandom(&secret, sizeof(secret), 0);
	larger.rows = calloc(larger.size, sizeof(*larger.rows));
	if (larger.rows == NULL)
		return false;
	for (size_t i = 0; i < t->size; i++)
		if (t->rows[i].n > 0)
			*find(&larger, t->rows[i].who) = t->rows[i];
	free(t->rows);
	*t = larger;
	return true;
}

static uint32_t
count(const struct table *t, uint64_t who)
{
	return t->size == 0 ? 0 : find(t, who)->n;
}

/* False: out of memory. */
static bool
add(struct table *t, uint64_t who)
{
	struct row *row;

	if (t->used >= t->size / 2 && !grow(t))
		return false;
	row = find(t, who);
	if (row->n == 0)
		t->used++;
	row->who = who;
	row->n++;
	return true;
}

/* Those behind the empty row that belong before it move up. */
static void
close_gap(struct table *t, struct row *empty)
{
	size_t gap = (size_t)(empty - t->rows);

	for (size_t i = (gap + 1) & (t->size - 1); t->rows[i].n > 0;
	     i = (i + 1) & (t->size - 1)) {
		size_t home = place(t, t->rows[i].who);

		if (((i - home) & (t->size - 1)) <
		    ((i - gap) & (t->size - 1)))
			continue;
		t->rows[gap] = t->rows[i];
		t->rows[i].n = 0;
		gap = i;
	}
}

static void
take_away(struct table *t, uint64_t who)
{
	struct row *row;

	if (t->size == 0 || (row = find(t, who))->n == 0 || --row->n > 0)
		return;
	t->used--;
	close_gap(t, row);
}

/* The first so many bits of it; a /64 of zeros, as that of ::1, is nobody's. */
static uint64_t
number_of(const struct sockaddr_storage *client, unsigned ipv4, unsigned ipv6)
{
	struct sockaddr_storage address = *client;
	const struct sockaddr_in *in = (const void *)&address;
	const struct sockaddr_in6 *in6 = (const void *)&address;
	uint64_t number = 0;

	netaddr_unmap(&address);
	if (address.ss_family == AF_INET)
		return UINT64_C(0xffff) << 32 |
		    ntohl(in->sin_addr.s_addr) >> (32 - ipv4);
	if (address.ss_family != AF_INET6)
		return 0;
	for (unsigned i = 0; i < ipv6 / 8; i++)
		number |= (uint64_t)in6->sin6_addr.s6_addr[i] << (56 - 8 * i);
	return number;
}

uint64_t
counts_client(const struct sockaddr_storage *client)
{
	return number_of(client, 32, 64);
}

enum counts_answer
counts_enter(const struct sockaddr_storage *address, uint64_t client_most,
    uint64_t network_most)
{
	uint64_t client = counts_client(address);
	uint64_t network = number_of(address, IPV4_NETWORK, IPV6_NETWORK);

	if (client == 0)
		return COUNTS_FINE;
	if (count(&clients, client) >= client_most)
		return COUNTS_CLIENT;
	if (count(&networks, network) >= network_most)
		return COUNTS_NETWORK;
	if (!add(&clients, client))
		return COUNTS_CLIENT;
	if (add(&networks, network))
		return COUNTS_FINE;
	take_away(&clients, client);
	return COUNTS_NETWORK;
}

void
counts_leave(const struct sockaddr_storage *address)
{
	uint64_t client = counts_client(address);

	if (client == 0)
		return;
	take_away(&clients, client);
	take_away(&networks, number_of(address, IPV4_NETWORK, IPV6_NETWORK));
}
