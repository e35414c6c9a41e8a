/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/netaddr.h"
#include "common/print.h"
#include "common/privileges.h"
#include "common/program.h"
#include "common/sandbox.h"
#include "supervisor/accounts.h"
#include "supervisor/commands.h"
#include "supervisor/listeners.h"
#include "supervisor/report.h"
#include "supervisor/services.h"

static unsigned errors, warnings;
static const char *config_path;

__attribute__((format(printf, 2, 0))) static void
print(const char *kind, const char *format, va_list arguments)
{
	char text[PATH_MAX + 512]; /* a name in it may be anybody's */

	vsnprintf(text, sizeof(text), format, arguments);
	printf("%s: ", kind);
	print_clean(text);
	putchar('\n');
}

void
report_error(const char *format, ...)
{
	va_list arguments;

	errors++;
	va_start(arguments, format);
	print("error", format, arguments);
	va_end(arguments);
}

void
report_warning(const char *format, ...)
{
	va_list arguments;

	warnings++;
	va_start(arguments, format);
	print("warning", format, arguments);
	va_end(arguments);
}

void
report_note(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print("note", format, arguments);
	va_end(arguments);
}

void
report_line(const char *line)
{
	errors += strncmp(line, "error: ", 7) == 0;
	warnings += strncmp(line, "warning: ", 9) == 0;
	print_clean(line);
	putchar('\n');
}

void
check_programs(const struct config *config)
{
	char path[4096];

	(void)config;
	for (const struct service *s = services; s->name != NULL; s++)
		if (!service_program(s, path, sizeof(path)))
			report_error("no program \"%s\" in %s", s->name,
			    program_folder());
}

void
check_accounts(const struct config *config)
{
	const char *missing = accounts_missing();

	(void)config;
	if (missing != NULL)
		report_error(
		    "no account \"%s\": run \"postrider init\"", missing);
}

/* While the suite runs it has the ports itself. */
static bool
is_running(const struct config *config)
{
	int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = client_connect(config->run_dir);

	if (here != -1) {
		if (fchdir(here) == -1)
			report_warning("cannot return to the current folder");
		close(here);
	}
	if (fd != -1)
		close(fd);
	return fd != -1;
}

void
check_listeners(const struct config *config)
{
	static const struct open_listeners none;
	static struct open_listeners opened;
	char error[CONFIG_ERROR_MAX];

	if (is_running(config))
		return;
	if (listeners_open(config, &none, &opened, 0, error) == -1)
		report_error("%s", error);
	else
		listeners_retire(&opened, &none);
}

/* -- the database, by its own tool -- */

static bool
user_tool(char *path, size_t size)
{
	const char *folder = getenv("POSTRIDER_LIBEXEC");

	if (folder != NULL) {
		snprintf(path, size, "%s/userdb/postrider-user", folder);
		if (access(path, X_OK) == 0)
			return true;
	}
	snprintf(path, size, "%s/postrider-user", SBINDIR);
	return access(path, X_OK) == 0;
}

static _Noreturn void
list_domains(const char *tool)
{
	int null = open("/dev/null", O_RDWR);

	/* Its complaint is the user's to read. */
	if (null != -1) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
	}
	execl(tool, "postrider-user", "-c", config_path, "domain", "list",
	    (char *)NULL);
	_exit(EX_OSFILE);
}

void
check_database(const struct config *config)
{
	char tool[4096];
	int status;
	pid_t pid;

	if (access(config->database_dir, F_OK) == -1)
		return; /* check_folders tells */
	if (!user_tool(tool, sizeof(tool))) {
		report_warning("no postrider-user: database not looked at");
		return;
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		list_domains(tool);
	while (pid != -1 && waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			pid = -1;
	if (pid == -1 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		report_error(
		    "the database in %s does not open", config->database_dir);
}

void
check_kernel(const struct config *config)
{
	struct sandbox_support support = sandbox_probe();

	(void)config;
	if (support.landlock == 0)
		report_warning("no Landlock in this kernel: the programs are "
			       "confined by accounts and chroots alone");
	if (!support.seccomp)
		report_warning("no seccomp filters (kernel or build): system "
			       "calls are not restricted");
}

static void (*const checks[])(const struct config *) = {
    check_names,
    check_relaying,
    check_resolvers,
    check_programs,
    check_accounts,
    check_folders,
    check_file_systems,
    check_certificates,
    check_trust,
    check_tokens,
    check_filters,
    check_listeners,
    check_database,
    check_outbound,
    check_kernel,
};

/* On a terminal the question is asked that --repair answers. */
static bool
wants_repair(void)
{
	int answer;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return false;
	fputs("Repair what can be repaired? [y/N] ", stdout);
	fflush(stdout);
	answer = getchar();
	return answer == 'y' || answer == 'Y';
}

static void
check_the_spool(const struct config *config, bool repair)
{
	bool well = check_spool(config, config_path, repair);

	check_file_systems(config);
	if (well || repair || !wants_repair())
		return;
	errors = 0;
	check_spool(config, config_path, true);
}

int
command_check(const char *path, int argc, char **argv)
{
	char error[CONFIG_ERROR_MAX];
	struct config config;

	bool spool = argc > 1 && strcmp(argv[1], "--spool") == 0;
	bool repair = argc == 3 && spool && strcmp(argv[2], "--repair") == 0;

	if (argc != 1 + spool + repair) {
		fputs("usage: postrider check [--spool [--repair]]\n",
		    stderr);
		return EX_USAGE;
	}
	config_path = path;
	if (config_load(&config, path, error) == -1) {
		printf("error: %s\n", error);
		return EX_CONFIG;
	}
	if (spool)
		check_the_spool(&config, repair);
	for (size_t i = 0; !spool && i < sizeof(checks) / sizeof(checks[0]);
	     i++)
		checks[i](&config);
	config_free(&config);
	printf("%u error%s, %u warning%s\n", errors, errors == 1 ? "" : "s",
	    warnings, warnings == 1 ? "" : "s");
	if (fflush(stdout) != 0)
		return EX_IOERR;
	return errors > 0 ? EX_CONFIG : EX_OK;
}
