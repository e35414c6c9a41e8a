/* SPDX-License-Identifier: ISC */
#include "common/key_trial.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/inherit.h"
#include "common/program.h"

static _Noreturn void
become_keys(const char *path, int certificate, int key, int out)
{
	struct inheritance gifts = {.n = 0};

	inherit_add(&gifts, "tls-certificate", certificate);
	inherit_add(&gifts, "tls-key", key);
	if (dup2(out, STDOUT_FILENO) != -1 && inherit_install(&gifts) == 0)
		execl(path, "keys", "-t", (char *)NULL);
	_exit(EX_OSFILE);
}

/* What it says, up to its end; "" when nothing is wrong. */
static void
hear(int fd, char *reason)
{
	size_t n = 0;
	ssize_t got;

	do {
		got = read(fd, reason + n, CERTIFICATE_REASON_MAX - 1 - n);
		if (got > 0)
			n += (size_t)got;
	} while (got > 0 || (got == -1 && errno == EINTR));
	reason[n] = '\0';
	reason[strcspn(reason, "\n")] = '\0';
}

static bool
await(pid_t pid, char *reason)
{
	int status;

	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return false;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EX_OK)
		return true;
	if (reason[0] == '\0')
		snprintf(reason, CERTIFICATE_REASON_MAX,
		    "it could not be looked at");
	return false;
}

bool
key_trial(int certificate, int key, char reason[CERTIFICATE_REASON_MAX])
{
	char path[4096];
	int ends[2];
	pid_t pid;

	if (!program_find("keys", path, sizeof(path)) || pipe(ends) == -1) {
		snprintf(reason, CERTIFICATE_REASON_MAX, "no program \"keys\"");
		return false;
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		become_keys(path, certificate, key, ends[1]);
	close(ends[1]);
	reason[0] = '\0';
	if (pid != -1)
		hear(ends[0], reason);
	close(ends[0]);
	if (pid != -1)
		return await(pid, reason);
	snprintf(reason, CERTIFICATE_REASON_MAX, "%s", strerror(errno));
	return false;
}
