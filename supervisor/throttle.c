/* SPDX-License-Identifier: ISC */
#include "supervisor/throttle.h"

enum { FIRST_MS = 1000, LONGEST_MS = 60000, LONG_LIFE_MS = 60000 };

int64_t
throttle_next(struct throttle *t, int64_t lived_ms)
{
	if (lived_ms >= LONG_LIFE_MS)
		t->delay_ms = 0;
	else if (t->delay_ms == 0)
		t->delay_ms = FIRST_MS;
	else if (t->delay_ms >= LONGEST_MS / 2)
		t->delay_ms = LONGEST_MS;
	else
		t->delay_ms *= 2;
	return t->delay_ms;
}
