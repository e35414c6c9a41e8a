/* SPDX-License-Identifier: ISC */
#include "common/sandbox.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "build.h"
#include "common/landlock.h"
#include "common/log.h"
#include "common/seccomp.h"

static void
die(const char *what)
{
	log_errno(LEVEL_ERROR, "cannot confine", what);
	_exit(EX_OSERR);
}

/* Soft and hard alike; never above what is allowed already. */
static void
limit(int resource, rlim_t most, const char *what)
{
	struct rlimit bounds;

	if (getrlimit(resource, &bounds) == -1)
		die(what);
	if (bounds.rlim_max == RLIM_INFINITY || bounds.rlim_max > most)
		bounds.rlim_max = most;
	bounds.rlim_cur = bounds.rlim_max;
	if (setrlimit(resource, &bounds) == -1)
		die(what);
}

static void
take_limits(const struct sandbox *sandbox)
{
	limit(RLIMIT_CORE, 0, "RLIMIT_CORE");
	if (sandbox->files > 0)
		limit(RLIMIT_NOFILE, sandbox->files, "RLIMIT_NOFILE");
#ifndef SANITIZERS /* they reserve terabytes, and fork to look for leaks */
	if (sandbox->memory > 0)
		limit(RLIMIT_AS, sandbox->memory, "RLIMIT_AS");
	if (!sandbox->forks)
		limit(RLIMIT_NPROC, 0, "RLIMIT_NPROC");
#endif
}

void
sandbox_prepare(void)
{
	tzset();
#ifdef __GLIBC__
	/* Else every child puts the heap in order, in pages of its own. */
	(void)malloc_trim(0);
#endif
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		die("no_new_privs");
	if (seccomp_prepare() == -1)
		die("seccomp");
}

void
sandbox_enter(const struct sandbox *sandbox)
{
	const char *what = "landlock";

	/* The zone's file cannot be read from within. */
	tzset();
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		die("undumpable");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		die("no_new_privs");
	take_limits(sandbox);
	if (landlock_enter(sandbox, &what) == -1)
		die(what);
	if (seccomp_enter(sandbox) == -1)
		die("seccomp");
}

void
sandbox_exit(int code)
{
#ifdef SANITIZERS
	exit(code);
#else
	_exit(code);
#endif
}

struct sandbox_support
sandbox_probe(void)
{
	return (struct sandbox_support){
	    .landlock = landlock_abi(), .seccomp = seccomp_supported()};
}
