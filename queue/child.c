/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* close_range */
#include "queue/child.h"

#include <limits.h>
#include <unistd.h>

#include "common/control.h"
#include "common/inherit.h"
#include "common/loop.h"

/* The least one of those to be kept from this one on; -1: none. */
static int
next_kept(const int *keep, size_t n, unsigned from)
{
	int least = -1;

	for (size_t i = 0; i < n; i++)
		if (keep[i] >= 0 && (unsigned)keep[i] >= from &&
		    (least == -1 || keep[i] < least))
			least = keep[i];
	return least;
}

static void
close_others(const int *keep, size_t n)
{
	unsigned from = 3;
	int kept;

	while ((kept = next_kept(keep, n, from)) != -1) {
		if ((unsigned)kept > from)
			close_range(from, (unsigned)kept - 1, 0);
		from = (unsigned)kept + 1;
	}
	close_range(from, UINT_MAX, 0);
}

void
child_begin(const int *keep, size_t n)
{
	int all[CHILD_KEEPS_MAX + 1];
	size_t kept = 0;

	for (; kept < n && kept < CHILD_KEEPS_MAX; kept++)
		all[kept] = keep[kept];
	all[kept++] = inherit_find("log");
	loop_after_fork();
	control_after_fork();
	close_others(all, kept);
}
