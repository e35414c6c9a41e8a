/* SPDX-License-Identifier: ISC */
#include "supervisor/accounts.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/privileges.h"
#include "supervisor/services.h"

size_t
accounts_list(const char **names, size_t max)
{
	size_t n = 0, i;

	for (const struct service *s = services; s->name != NULL; s++) {
		for (i = 0; i < n && strcmp(names[i], s->account) != 0; i++)
			continue;
		if (i == n && n < max)
			names[n++] = s->account;
	}
	return n;
}

const char *
accounts_missing(void)
{
	const char *names[SERVICES_MAX];
	size_t n = accounts_list(names, SERVICES_MAX);
	struct account account;

	if (!privileges_are_root())
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (account_find(names[i], &account) == -1)
			return names[i];
	return NULL;
}

/* -- making them: by the system's own programs -- */

static void
show(const char *const *argv)
{
	for (; *argv != NULL; argv++)
		printf("%s%s", *argv, argv[1] != NULL ? " " : "\n");
}

/* The environment's PATH may lack /usr/sbin, as su(1) leaves it. */
static _Noreturn void
execute(const char *const *argv)
{
	static const char *const folders[] = {
	    "/usr/sbin", "/sbin", "/usr/bin", "/bin"};
	char path[256];

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folders[i], argv[0]);
		execv(path, (char *const *)(const void *)argv);
	}
	fprintf(
	    stderr, "postrider: cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(EX_OSFILE);
}

static int
run(const char *const *argv, const char *name, bool dry)
{
	int status;
	pid_t pid;

	show(argv);
	if (dry)
		return EX_OK;
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		execute(argv);
	if (pid == -1) {
		fprintf(stderr, "postrider: fork: %s\n", strerror(errno));
		return EX_OSERR;
	}
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return EX_OSERR;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return EX_OK;
	fprintf(stderr,
	    "postrider: %s failed; make group and user \"%s\" by hand\n",
	    argv[0], name);
	return EX_OSERR;
}

static int
make_one(const char *name, bool dry)
{
	const char *group[] = {"groupadd", "--system", name, NULL};
	const char *user[] = {"useradd", "--system", "--gid", name,
	    "--home-dir", "/nonexistent", "--no-create-home", "--shell",
	    "/usr/sbin/nologin", "--comment", "Postrider", name, NULL};
	struct account account;
	int code = EX_OK;

	if (account_find(name, &account) == 0)
		return EX_OK;
	if (getgrnam(name) == NULL)
		code = run(group, name, dry);
	return code == EX_OK ? run(user, name, dry) : code;
}

int
accounts_make(bool dry)
{
	const char *names[SERVICES_MAX];
	size_t n = accounts_list(names, SERVICES_MAX);
	int code = EX_OK;

	for (size_t i = 0; i < n && code == EX_OK; i++)
		code = make_one(names[i], dry);
	return code;
}
