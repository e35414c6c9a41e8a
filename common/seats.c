/* SPDX-License-Identifier: ISC */
#include "common/seats.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/netaddr.h"

static struct {
	/*
	 * Shared: a client as a number each; 0: none.  ::ffff:0:0:0/64 is
	 * nobody's.  A worker that was broken into can falsify the count, and
	 * nothing else.
	 */
	_Atomic uint64_t *clients;
	bool *reserved; /* the parent's own */
	size_t n;
} seats;

int
seats_open(size_t n)
{
	size_t room = n > 0 ? n : 1;
	void *memory = mmap(NULL, room * sizeof(*seats.clients),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -1;
	seats.reserved = calloc(room, sizeof(*seats.reserved));
	if (seats.reserved == NULL) {
		munmap(memory, room * sizeof(*seats.clients));
		return -1;
	}
	seats.clients = memory;
	seats.n = n;
	return 0;
}

size_t
seats_reserve(void)
{
	size_t i = 0;

	while (i < seats.n && seats.reserved[i])
		i++;
	if (i < seats.n)
		seats.reserved[i] = true;
	return i;
}

void
seats_free(size_t seat)
{
	seats_leave(seat);
	if (seat < seats.n)
		seats.reserved[seat] = false;
}

static uint64_t
number_of(const struct sockaddr_storage *client)
{
	struct sockaddr_storage address = *client;
	const struct sockaddr_in *in = (const void *)&address;
	const struct sockaddr_in6 *in6 = (const void *)&address;
	uint64_t number = 0;

	netaddr_unmap(&address);
	if (address.ss_family == AF_INET)
		return (uint64_t)0xffff << 32 | in->sin_addr.s_addr;
	if (address.ss_family == AF_INET6)
		memcpy(&number, &in6->sin6_addr, sizeof(number));
	return number;
}

size_t
seats_take(size_t seat, const struct sockaddr_storage *client)
{
	uint64_t number = number_of(client);
	size_t count = 0;

	if (seat >= seats.n || number == 0)
		return 0;
	atomic_store(&seats.clients[seat], number);
	for (size_t i = 0; i < seats.n; i++)
		count += atomic_load(&seats.clients[i]) == number;
	return count;
}

void
seats_leave(size_t seat)
{
	if (seat < seats.n)
		atomic_store(&seats.clients[seat], 0);
}
