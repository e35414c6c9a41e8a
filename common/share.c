/* SPDX-License-Identifier: ISC */
#include "common/share.h"

#include <stdint.h>
#include <sys/resource.h>

#include "common/clock.h"
#include "common/log.h"

enum { PARTS = 3, QUIET_MS = 10000 /* one line in the log for so long */ };

bool
share_is_taken(const char *role, size_t connected)
{
	static int64_t quiet_until;
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == -1 ||
	    files.rlim_cur == RLIM_INFINITY ||
	    connected < files.rlim_cur / PARTS)
		return false;
	if (clock_monotonic_ms() < quiet_until)
		return true;
	quiet_until = clock_monotonic_ms() + QUIET_MS;
	log_event(LEVEL_WARNING, "peer refused", log_text("role", role),
	    log_text("reason", "too many connections"));
	return true;
}
