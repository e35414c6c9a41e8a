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
#include "common/proxy.h"
#include "common/sandbox.h"
#include "pop3d/pop3.h"

static const char usage[] =
    "usage: pop3d [-c FILE] [-hV]\n"
    "       pop3d -i [-c FILE] [-l pop3|pop3s]\n"
    "POP3 server; started by postrider(8), or with -i by inetd(8).\n";

enum { LISTENERS = 32, MEMORY = 512 << 20 };

struct service {
	struct config config;
	struct tls_service tls;
	int listeners[LISTENERS];
	enum listener_kind kinds[LISTENERS];
	size_t n;
	uint64_t silent; /* those that begin with TLS; 1 << their index */
};

static struct {
	bool inetd, has_kind;
	enum listener_kind kind;
} options;

static int
take_option(int letter, const char *argument)
{
	if (letter == 'i') {
		options.inetd = true;
		return 1;
	}
	options.has_kind = true;
	return listener_named(argument, &options.kind) &&
	    options.kind >= LISTENER_POP3;
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

/* Which of the listeners this would have come to, by its port. */
static enum listener_kind
kind_of_connection(const struct config *config)
{
	struct sockaddr_storage address;
	socklen_t n = sizeof(address);
	uint16_t port;

	if (options.has_kind)
		return options.kind;
	if (getsockname(STDIN_FILENO, (struct sockaddr *)&address, &n) == -1)
		return LISTENER_POP3;
	port = netaddr_port(&address);
	for (size_t i = 0; i < config->listen.n; i++) {
		const struct config_listener *l = &config->listen.items[i];

		if (l->kind >= LISTENER_POP3 &&
		    netaddr_port(&l->address) == port)
			return l->kind;
	}
	return port == 995 ? LISTENER_POP3S : LISTENER_POP3;
}

static int
serve_inetd(struct service *service)
{
	struct proxy_client client;
	struct pop3_world world = {
	    .config = &service->config, .tls = &service->tls};
	enum listener_kind kind = kind_of_connection(world.config);

	enter_folder(world.config);
	/* As an ordinary user the sandbox is all there is: connect first. */
	world.userdb = ipc_connect("userdb");
	if (world.userdb == -1) {
		log_errno(LEVEL_ERROR, "cannot connect", "userdb");
		if (!listener_begins_with_tls(kind))
			dprintf(STDOUT_FILENO,
			    "-ERR [SYS/TEMP] the mail service does not run "
			    "now\r\n");
		return EX_TEMPFAIL;
	}
	tls_service_begin(&service->tls);
	confine();
	proxy_find_peer(STDIN_FILENO, &client);
	if (!proxy_find_client(
		STDIN_FILENO, &world.config->proxy_from, &client))
		return EX_PROTOCOL;
	pop3_serve(&world, kind, &client, STDIN_FILENO, STDOUT_FILENO);
	return EX_OK;
}

/* -- from the supervisor -- */

static int
serve_worker(struct worker *worker, void *context)
{
	struct service *service = context;
	const struct pop3_world world = {
	    .config = &service->config, .tls = &service->tls, .userdb = -1};
	bool clean = true;
	size_t which;
	int fd;

	confine();
	(void)tls_service_ready(&service->tls); /* before anybody waits */
	/* A process that has seen a password serves no second client. */
	while (clean && !worker_stopping(worker)) {
		fd = worker_accept(
		    worker, service->listeners, service->n, &which);
		if (fd == -1)
			break;
		clean = pop3_serve(&world, service->kinds[which],
		    worker_client(worker), fd, fd);
	}
	return EX_OK;
}

static void
find_listeners(struct service *service)
{
	static const enum listener_kind kinds[] = {
	    LISTENER_POP3, LISTENER_POP3S};

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		size_t n = inherit_find_all(listener_name(kinds[k]),
		    service->listeners + service->n, LISTENERS - service->n);

		for (size_t i = 0; i < n; i++) {
			if (listener_begins_with_tls(kinds[k]))
				service->silent |= UINT64_C(1) << service->n;
			service->kinds[service->n++] = kinds[k];
		}
	}
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
	    .proxies = &service->config.proxy_from,
	    .serve = serve_worker,
	    .context = service};

	find_listeners(service);
	if (service->n == 0 && inherit_find("control") == -1) {
		log_event(LEVEL_ERROR, "no listening sockets",
		    log_text("reason",
			"postrider(8) starts this program, or inetd with -i"));
		return EX_USAGE;
	}
	/* The config may leave all listening to inetd. */
	if (service->n == 0)
		rules.maximum = 0;
	rules.silent_listeners = service->silent;
	enter_folder(&service->config);
	tls_service_begin(&service->tls);
	loop_init();
	tls_service_watch(&service->tls);
	return prefork_run(&rules);
}

int
main(int argc, char **argv)
{
	static struct service service;
	struct program_options program = {.program = "pop3d",
	    .usage = usage,
	    .extra = "il:",
	    .option = take_option};

	if (program_options(&program, argc, argv) != argc) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	if (options.inetd)
		turn_stderr_away();
	service_begin("pop3d", &service.config, program.config_path);
	if (options.inetd)
		open_log(&service.config);
	tls_service_init(&service.tls, &service.config, "pop3d", "pop3",
	    service.config.pop3_timeout);
	return options.inetd ? serve_inetd(&service) : serve_pool(&service);
}
