/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/control.h"
#include "common/inherit.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/prefork.h"
#include "common/privileges.h"
#include "common/program.h"
#include "common/sandbox.h"
#include "pop3d/pop3.h"

static const char usage[] =
    "usage: pop3d [-c FILE] [-hiV]\n"
    "POP3 server; started by postrider(8), or with -i by inetd(8).\n";

enum { LISTENERS = 32, MEMORY = 512 << 20 };

struct service {
	struct config config;
	int listeners[LISTENERS];
	size_t n;
};

static bool from_inetd;

static int
option(int letter, const char *argument)
{
	(void)letter, (void)argument;
	from_inetd = true;
	return 1;
}

static void
enter_folder(const struct config *config)
{
	struct buf path = BUF_INIT(4096);

	buf_addf(&path, "%s/pop3d", config->run_dir);
	if (buf_text(&path) == NULL)
		exit(EX_OSERR);
	privileges_drop(ACCOUNT_POP3D, buf_text(&path), true);
	buf_free(&path);
}

static void
confine(void)
{
	sandbox_enter(&(struct sandbox){.memory = MEMORY});
}

/* -- from inetd -- */

/*
 * inetd makes the client's connection our standard error, too: nothing of
 * ours may be written there.
 */
static void
turn_stderr_away(void)
{
	struct stat in, err;
	int fd;

	if (fstat(STDIN_FILENO, &in) == -1 ||
	    fstat(STDERR_FILENO, &err) == -1 || in.st_dev != err.st_dev ||
	    in.st_ino != err.st_ino)
		return;
	fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (fd == -1 || dup2(fd, STDERR_FILENO) == -1)
		exit(EX_OSERR);
	close(fd);
}

static void
open_log(const struct config *config)
{
	int fd = -1;

	if (inherit_find("log") >= 0)
		return;
	if (config->log_file != NULL)
		fd = open(config->log_file,
		    O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
		    0640);
	if (fd != -1)
		log_to_file(fd, "pop3d");
	else
		log_to_syslog("pop3d");
}

static int
serve_inetd(const struct config *config)
{
	int userdb;

	open_log(config);
	enter_folder(config);
	/* As an ordinary user the sandbox is all there is: connect first. */
	userdb = ipc_connect("userdb");
	if (userdb == -1) {
		log_errno(LEVEL_ERROR, "cannot connect", "userdb");
		dprintf(STDOUT_FILENO,
		    "-ERR [SYS/TEMP] the mail service does not run now\r\n");
		return EX_TEMPFAIL;
	}
	confine();
	pop3_serve(config, STDIN_FILENO, STDOUT_FILENO, userdb);
	return EX_OK;
}

/* -- from the supervisor -- */

static int
serve_worker(struct worker *worker, void *context)
{
	const struct service *service = context;
	bool clean = true;
	size_t which;
	int fd;

	confine();
	/* A process that has seen a password serves no second client. */
	while (clean && !worker_stopping(worker)) {
		fd = worker_accept(
		    worker, service->listeners, service->n, &which);
		if (fd == -1)
			break;
		clean = pop3_serve(&service->config, fd, fd, -1);
	}
	return EX_OK;
}

static int
serve_pool(struct service *service)
{
	struct prefork rules = {.service = "pop3d",
	    .spare = (unsigned)service->config.spare_processes,
	    .maximum = (unsigned)service->config.pop3d_processes,
	    .client_maximum = (unsigned)service->config.max_client_sessions,
	    .client_refusal = "-ERR [SYS/TEMP] too many connections from "
			      "you\r\n",
	    .serve = serve_worker,
	    .context = service};

	service->n = inherit_find_all("pop3", service->listeners, LISTENERS);
	if (service->n == 0 && inherit_find("control") == -1) {
		log_event(LEVEL_ERROR, "no listening sockets",
		    log_text("reason",
			"postrider(8) starts this program, or inetd with -i"));
		return EX_USAGE;
	}
	/* The config may leave all listening to inetd. */
	if (service->n == 0)
		rules.maximum = 0;
	enter_folder(&service->config);
	loop_init();
	return prefork_run(&rules);
}

int
main(int argc, char **argv)
{
	static struct service service;
	struct program_options options = {
	    .program = "pop3d", .usage = usage, .extra = "i", .option = option};

	if (program_options(&options, argc, argv) != argc) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	if (from_inetd)
		turn_stderr_away();
	service_begin("pop3d", &service.config, options.config_path);
	return from_inetd ? serve_inetd(&service.config) : serve_pool(&service);
}
