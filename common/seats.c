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

/*
 * Shared.  A worker that was broken into can falsify the counts, so that
 * clients are turned away or processes started up to the maximum, and nothing
 * else.
 */
struct seat {
	/* A number; 0: none.  ::ffff:0:0:0/64 is nobody's. */
	_Atomic uint64_t client;
	_Atomic uint32_t state;     /* enum seat_state */
	_Atomic uint32_t listening; /* of the first one: the parent is */
};

static struct {
	struct seat *all;
	bool *reserved; /* the parent's own */
	size_t n;
} seats;

int
seats_open(size_t n)
{
	size_t room = n > 0 ? n : 1;
	void *memory = mmap(NULL, room * sizeof(*seats.all),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -1;
	seats.reserved = calloc(room, sizeof(*seats.reserved));
	if (seats.reserved == NULL) {
		munmap(memory, room * sizeof(*seats.all));
		return -1;
	}
	seats.all = memory;
	seats.n = n;
	return 0;
}

size_t
seats_reserve(void)
{
	size_t i = 0;

	while (i < seats.n && seats.reserved[i])
		i++;
	if (i < seats.n) {
		seats.reserved[i] = true;
		atomic_store(&seats.all[i].state, SEAT_FRESH);
	}
	return i;
}

void
seats_free(size_t seat)
{
	seats_leave(seat);
	if (seat >= seats.n)
		return;
	seats.reserved[seat] = false;
	atomic_store(&seats.all[seat].state, SEAT_NONE);
}

enum seat_state
seats_state(size_t seat)
{
	uint32_t state =
	    seat < seats.n ? atomic_load(&seats.all[seat].state) : SEAT_NONE;

	return state <= SEAT_IDLE ? (enum seat_state)state : SEAT_BUSY;
}

bool
seats_are_busy(size_t n)
{
	for (size_t i = 0; i < n && i < seats.n; i++)
		if (seats_state(i) != SEAT_BUSY)
			return false;
	return seats.n >= n;
}

void
seats_listen(void)
{
	if (seats.n > 0)
		atomic_store(&seats.all[0].listening, 1);
}

/*
 * The state is written before the parent's wish is read, and the parent reads
 * states after it has wished: one of them sees the other.
 */
bool
seats_tell(size_t seat, bool busy, unsigned spare)
{
	unsigned idle = 0;

	if (seat >= seats.n)
		return true;
	atomic_store(&seats.all[seat].state, busy ? SEAT_BUSY : SEAT_IDLE);
	if (atomic_load(&seats.all[0].listening) != 0)
		return true;
	for (size_t i = 0; busy && i < seats.n && idle < spare; i++) {
		enum seat_state state = seats_state(i);

		idle += state == SEAT_FRESH || state == SEAT_IDLE;
	}
	return busy && idle < spare;
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
	atomic_store(&seats.all[seat].client, number);
	for (size_t i = 0; i < seats.n; i++)
		count += atomic_load(&seats.all[i].client) == number;
	return count;
}

void
seats_leave(size_t seat)
{
	if (seat < seats.n)
		atomic_store(&seats.all[seat].client, 0);
}
