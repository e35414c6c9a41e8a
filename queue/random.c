/* SPDX-License-Identifier: ISC */
#include "queue/random.h"

#include <sys/random.h>

uint32_t
random_bits(void)
{
	static uint32_t state = 2463534242u;
	uint32_t bits = 0;

	if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) == sizeof(bits))
		return bits;
	state ^= state << 13; /* xorshift, Marsaglia 2003 */
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}
