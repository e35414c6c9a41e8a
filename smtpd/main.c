/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/control.h"
#include "common/dns.h"
#include "common/inherit.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/netaddr.h"
#include "common/privileges.h"
#include "common/program.h"
#include "smtpd/explain.h"
#include "smtpd/worker.h"

static const char usage[] =
    "usage: smtpd [-c file]\n"
    "       smtpd -i [-c file] [-l smtp|submission|submissions]\n"
    "       smtpd -e [-c file] FROM TO [option...]\n"
    "The SMTP receiver.  `postrider start` runs it; with -i it serves the\n"
    "connection on descriptor 0 (inetd); -e is `postrider explain`.\n";

static struct {
	bool inetd, has_kind, explain;
	enum listener_kind kind;
} options;

static int
take_option(int letter, const char *argument)
{
	if (letter == 'i') {
		options.inetd = true;
		return 1;
	}
	if (letter == 'e') {
		options.explain = true;
		return 1;
	}
	options.has_kind = true;
	return listener_named(argument, &options.kind) &&
	    options.kind <= LISTENER_SUBMISSIONS;
}

/* Which of the listeners this would have come to, by its port. */
static enum listener_kind
kind_of_socket(const struct config *config, int fd)
{
	struct sockaddr_storage address;
	socklen_t n = sizeof(address);
	uint16_t port;

	if (getsockname(fd, (struct sockaddr *)&address, &n) == -1)
		return LISTENER_SMTP;
	port = netaddr_port(&address);
	for (size_t i = 0; i < config->listen.n; i++) {
		const struct config_listener *l = &config->listen.items[i];

		if (l->kind <= LISTENER_SUBMISSIONS &&
		    netaddr_port(&l->address) == port)
			return l->kind;
	}
	return port == 465 ? LISTENER_SUBMISSIONS
	    : port == 587  ? LISTENER_SUBMISSION
			   : LISTENER_SMTP;
}

static void
enter_folder(const struct config *config)
{
	char folder[4096];

	if (snprintf(folder, sizeof(folder), "%s/smtpd", config->run_dir) >=
	    (int)sizeof(folder)) {
		log_event(LEVEL_ERROR, "bad config",
		    log_text("reason", "run-dir is too long"));
		exit(EX_CONFIG);
	}
	privileges_drop(ACCOUNT_SMTPD, folder, true);
}

/*
 * inetd gives the connection on 0, 1 and often 2, where log lines must not
 * go; tcpserver keeps 2 for them.  Returns the connection, and leaves
 * nothing on 0 to 2 that writes to it.
 */
static int
take_connection(bool *no_stderr)
{
	int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct stat connection, errors;

	if (fd == -1 || null == -1 || fstat(fd, &connection) == -1 ||
	    !S_ISSOCK(connection.st_mode))
		return -1;
	*no_stderr = fstat(STDERR_FILENO, &errors) == -1 ||
	    (errors.st_dev == connection.st_dev &&
		errors.st_ino == connection.st_ino);
	if (dup2(null, STDIN_FILENO) == -1 || dup2(null, STDOUT_FILENO) == -1 ||
	    (*no_stderr && dup2(null, STDERR_FILENO) == -1))
		return -1;
	if (null > STDERR_FILENO)
		close(null);
	return fd;
}

static void
log_without_stderr(const struct config *config)
{
	int fd = -1;

	if (config->log_file != NULL)
		fd = open(config->log_file,
		    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
		    0640);
	if (fd >= 0)
		log_to_file(fd, "smtpd");
	else
		log_to_syslog("smtpd");
}

static int
serve_inetd(struct service *service, int fd)
{
	enum listener_kind kind;

	kind = options.has_kind ? options.kind
				: kind_of_socket(&service->config, fd);
	enter_folder(&service->config);
	(void)owners_connect(&service->owners); /* while there is a way */
	tls_service_begin(&service->tls);
	return worker_serve_one(service, kind, fd);
}

static int
nobody_answers(const struct config *config)
{
	bool allowed = errno != EACCES && errno != EPERM;

	fprintf(stderr,
	    allowed ? "postrider: not running (nobody answers at %s/smtpd)\n"
		    : "postrider: not allowed to use %s/smtpd\n",
	    config->run_dir);
	return allowed ? EX_UNAVAILABLE : EX_NOPERM;
}

/* Where the suite does not run, there is nobody to ask. */
static int
explain(struct service *service, int argc, char **argv)
{
	char folder[4096];
	struct explain asked;
	int fd;

	if (!explain_read(&asked, argc, argv))
		return EX_USAGE;
	snprintf(folder, sizeof(folder), "%s/smtpd", service->config.run_dir);
	if (access(folder, X_OK) == -1)
		return nobody_answers(&service->config);
	enter_folder(&service->config);
	fd = ipc_connect("userdb");
	if (fd == -1)
		return nobody_answers(&service->config);
	close(fd);
	return explain_run(service, &asked);
}

static int
serve_listeners(struct service *service)
{
	struct prefork rules = {.service = "smtpd",
	    .spare = (unsigned)service->config.spare_processes,
	    .maximum = (unsigned)service->config.smtpd_processes,
	    .client_maximum = (unsigned)service->config.max_client_sessions,
	    .client_refusal = "421 4.7.0 too many connections from you\r\n",
	    .proxies = &service->config.proxy_from,
	    .serve = worker_serve,
	    .receive = worker_receive,
	    .context = service};

	if (service_find_listeners(service) == -1) {
		if (inherit_find("control") == -1) {
			log_event(LEVEL_ERROR, "no listening sockets",
			    log_text("reason",
				"postrider(8) starts this program, or inetd "
				"with -i"));
			return EX_USAGE;
		}
		/* The config may leave all listening to inetd. */
		rules.maximum = 0;
	}
	rules.silent_listeners = service->silent;
	rules.handed_listeners = service->handed;
	enter_folder(&service->config);
	tls_service_begin(&service->tls);
	loop_init();
	tls_service_watch(&service->tls);
	return prefork_run(&rules);
}

int
main(int argc, char **argv)
{
	static struct service service = {.owners = OWNERS_INIT};
	struct program_options program = {.program = "smtpd",
	    .usage = usage,
	    .extra = "il:e",
	    .option = take_option};
	bool no_stderr = false;
	int fd = -1, first = program_options(&program, argc, argv);

	if (first != argc && !options.explain) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	if (options.inetd && (fd = take_connection(&no_stderr)) == -1) {
		fputs("smtpd: no connection on descriptor 0\n", stderr);
		return EX_OSERR;
	}
	service_begin("smtpd", &service.config, program.config_path);
	if (no_stderr)
		log_without_stderr(&service.config);
	service.dns = dns_open(&service.config);
	if (service.dns == NULL)
		log_errno(LEVEL_WARNING, "cannot start", "resolver");
	if (options.explain)
		return explain(&service, argc - first, argv + first);
	tls_service_init(&service.tls, &service.config, "smtpd", "smtp",
	    service.config.smtp_timeout);
	return options.inetd ? serve_inetd(&service, fd)
			     : serve_listeners(&service);
}
