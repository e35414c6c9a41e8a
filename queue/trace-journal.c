/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* close_range */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/privileges.h"
#include "queue/trace-file.h"
#include "queue/words.h"

enum { PATH_SIZE = 4096 };

/* The first that may be executed in one of these folders; "": none. */
static void
find_in(const char *folders, char *path)
{
	while (*folders != '\0') {
		size_t n = strcspn(folders, ":");

		if (folders[0] == '/' &&
		    snprintf(path, PATH_SIZE, "%.*s/journalctl", (int)n,
			folders) < PATH_SIZE &&
		    access(path, X_OK) == 0)
			return;
		folders += n + (folders[n] == ':');
	}
	path[0] = '\0';
}

/* Root takes nobody's word for where programs are. */
static void
find_journalctl(char *path)
{
	const char *folders = getenv("PATH");

	find_in(privileges_are_root() || folders == NULL ? "/usr/bin:/bin"
							 : folders,
	    path);
}

/* No shell, no environment of others, nothing open but what it needs. */
static _Noreturn void
become_journalctl(const char *path, int out, char *since)
{
	char *arguments[] = {"journalctl", "-q", "--no-pager", "-o",
	    "short-iso-precise", "-t", "postrider", since, NULL};
	char *environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", NULL};
	int null = open("/dev/null", O_RDWR);

	if (null == -1 || dup2(null, STDIN_FILENO) == -1 ||
	    dup2(out, STDOUT_FILENO) == -1 || dup2(null, STDERR_FILENO) == -1)
		_exit(127);
	close_range(STDERR_FILENO + 1, ~0u, 0);
	execve(path, arguments, environment);
	_exit(127);
}

int
trace_journal(const char *since)
{
	char option[64] = "--since=@0";
	char path[PATH_SIZE];
	int64_t when;
	int ends[2];
	pid_t pid;

	find_journalctl(path);
	if (path[0] == '\0' || pipe2(ends, O_CLOEXEC) == -1)
		return -1;
	if (since != NULL && words_read_time(since, clock_now(), &when))
		snprintf(option, sizeof(option), "--since=@%" PRId64, when);
	pid = fork();
	if (pid == 0)
		become_journalctl(path, ends[1], option);
	close(ends[1]);
	if (pid != -1)
		return ends[0];
	close(ends[0]);
	return -1;
}
