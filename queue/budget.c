/* SPDX-License-Identifier: ISC */
#include "queue/budget.h"

static size_t used[2];

/*
 * The shortest line of a recipient has 14 octets, but nobody's envelopes are
 * made of those.  A single one may not keep all others out for ever.
 */
size_t
budget_of_file(uint64_t octets)
{
	enum { TIMES = 8, MOST = BUDGET_OCTETS / 2 };

	if (octets > (MOST - BUDGET_ENVELOPE) / TIMES)
		return MOST;
	return BUDGET_ENVELOPE + (size_t)octets * TIMES;
}

void
budget_take(enum budget b, size_t octets)
{
	used[b] += octets;
}

void
budget_give(enum budget b, size_t octets)
{
	used[b] -= octets;
}

bool
budget_is_spent(enum budget b)
{
	return used[b] >= BUDGET_OCTETS;
}
