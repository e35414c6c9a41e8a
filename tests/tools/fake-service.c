/* SPDX-License-Identifier: ISC */
/*
 * Stands in for every service in the supervisor's tests: it keeps to
 * common/control.h and does what the test wants.  Its name is the service's;
 * a file behave-NAME beside the config may hold
 *
 *	bad	end with EX_CONFIG at once
 *	later	end with EX_TEMPFAIL at once
 *	mute	never say ready
 *	stubborn	do not drain
 *
 * With listeners it speaks lines: QUIT, CRASH, ENV (names of variables),
 * FDS (open descriptors); any other line comes back.
 */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/config.h"
#include "common/control.h"
#include "common/inherit.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/prefork.h"

extern char **environ;

static struct config config;
static const char *name;
static char behaviour[32];

static void
learn_behaviour(const char *config_path)
{
	char path[4096];
	const char *slash = strrchr(config_path, '/');
	FILE *file;

	if (slash == NULL)
		return;
	snprintf(path, sizeof(path), "%.*s/behave-%s",
	    (int)(slash - config_path), config_path, name);
	file = fopen(path, "r");
	if (file == NULL)
		return;
	if (fscanf(file, "%31s", behaviour) != 1)
		behaviour[0] = '\0';
	fclose(file);
}

static bool
behaves(const char *how)
{
	return strcmp(behaviour, how) == 0;
}

/* -- as a speaker -- */

static void
show_environment(FILE *out)
{
	for (char **e = environ; *e != NULL; e++)
		fprintf(out, "%.*s ", (int)strcspn(*e, "="), *e);
	fputs("\r\n", out);
}

static void
show_descriptors(FILE *out)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	char path[300], target[256];
	ssize_t n;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		if (n > 0 && atoi(entry->d_name) != dirfd(dir))
			fprintf(
			    out, "%s=%.*s\t", entry->d_name, (int)n, target);
	}
	if (dir != NULL)
		closedir(dir);
	fputs("\r\n", out);
}

static void
answer(FILE *out, const char *line)
{
	if (strcmp(line, "CRASH") == 0)
		abort();
	if (strcmp(line, "ENV") == 0)
		show_environment(out);
	else if (strcmp(line, "FDS") == 0)
		show_descriptors(out);
	else
		fprintf(out, "%s\r\n", line);
	fflush(out);
}

static void
converse(int fd)
{
	FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");
	char line[256];

	if (in == NULL || out == NULL)
		exit(EX_OSERR);
	fprintf(out, "220 %s %d hops=%d\r\n", name, (int)getppid(),
	    (int)config.max_hops);
	fflush(out);
	while (fgets(line, sizeof(line), in) != NULL) {
		line[strcspn(line, "\r\n")] = '\0';
		if (strcmp(line, "QUIT") == 0)
			break;
		answer(out, line);
	}
	fclose(in);
	fclose(out);
}

struct listeners {
	size_t n;
	int fds[INHERIT_MAX];
};

static int
serve(struct worker *w, void *context)
{
	struct listeners *l = context;
	size_t which;
	int fd;

	signal(SIGABRT, SIG_DFL);
	while ((fd = worker_accept(w, l->fds, l->n, &which)) != -1)
		converse(fd);
	return EX_OK;
}

static int
speak(struct listeners *l)
{
	const struct prefork rules = {.service = name,
	    .spare = (unsigned)config.spare_processes,
	    .maximum = (unsigned)config.smtpd_processes,
	    .serve = serve,
	    .context = l};

	return prefork_run(&rules);
}

/* -- as an owner -- */

static void
drain(void)
{
	if (!behaves("stubborn"))
		loop_stop(EX_OK);
}

static void
reload(int fd)
{
	char error[CONFIG_ERROR_MAX];
	struct config new;

	if (config_load_fd(&new, fd, "reloaded", error) == 0) {
		log_event(LEVEL_INFO, "new config",
		    log_number("hops", (int64_t) new.max_hops));
		config_free(&new);
	}
	close(fd);
}

static void
status(struct control_status *s)
{
	s->processes = 1;
	s->messages = 7;
	s->has_messages = strcmp(name, "queue") == 0;
}

static int
own(void)
{
	static const struct control_handlers handlers = {
	    .drain = drain, .reload = reload, .status = status};

	control_begin(&handlers);
	if (!behaves("mute"))
		control_ready();
	return loop_run();
}

int
main(int argc, char **argv)
{
	struct listeners l = {.n = 0};

	if (argc != 3)
		return EX_USAGE;
	name = argv[0];
	learn_behaviour(argv[2]);
	service_begin(name, &config, argv[2]);
	for (int kind = 0; kind < LISTENER_KINDS; kind++)
		l.n += inherit_find_all(listener_name((enum listener_kind)kind),
		    l.fds + l.n, INHERIT_MAX - l.n);
	if (behaves("bad")) {
		log_event(LEVEL_ERROR, "told to fail");
		return EX_CONFIG;
	}
	if (behaves("later"))
		return EX_TEMPFAIL;
	loop_init();
	return l.n > 0 ? speak(&l) : own();
}
