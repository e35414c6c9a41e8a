/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* memfd_create */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>

#include "build.h"
#include "common/config.h"
#include "common/log.h"
#include "sendmail/options.h"
#include "sendmail/send.h"

static const char usage[] =
    "usage: sendmail [-bm] [-t] [-i] [-f address] [-F name] [-c file]\n"
    "           [--] address ...\n"
    "       sendmail -bs | -bp | -bi | -q\n"
    "       mailq [-c file] [--json]\n"
    "       newaliases\n";

/*
 * A caller may have closed them; a socket or the message itself must not
 * take their place.
 */
static void
fill_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/*
 * Mail is taken where the config cannot be read: the defaults do, with the
 * run-dir where it usually is and the machine's own name.
 */
static int
load_fallback(struct config *config, char *error)
{
	int fd = memfd_create("config", MFD_CLOEXEC), rc;

	if (fd == -1) {
		snprintf(error, CONFIG_ERROR_MAX, "%s", strerror(errno));
		return -1;
	}
	rc = config_load_fd(config, fd, "no configuration", error);
	close(fd);
	return rc;
}

static int
load(struct config *config, const char *chosen, char *error)
{
	const char *path = chosen != NULL ? chosen : config_default_path();

	if (chosen == NULL && access(path, R_OK) == -1)
		return load_fallback(config, error);
	return config_load(config, path, error);
}

/* Aliases need no rebuilding; programs that call this expect success. */
static int
say_where_aliases_are(const struct options *o, const struct config *config)
{
	(void)o;
	(void)config;
	puts("Aliases are kept in the user database: see postrider-user(8).");
	return EX_OK;
}

static int
run(const struct options *o)
{
	static int (*const modes[])(
	    const struct options *, const struct config *) = {
	    [MODE_SEND] = send_message,
	    [MODE_SMTP] = dialogue,
	    [MODE_LIST] = list_queue,
	    [MODE_ALIASES] = say_where_aliases_are,
	    [MODE_FLUSH] = flush_queue,
	};
	char error[CONFIG_ERROR_MAX];
	struct config config = {.hostname = NULL};
	int code;

	if (load(&config, o->config_path, error) == -1)
		return complain(EX_CONFIG, "%s", error);
	code = modes[o->mode](o, &config);
	config_free(&config);
	return code;
}

int
main(int argc, char **argv)
{
	struct options options;
	const char *wrong;
	int code = EX_OK;

	fill_standard_descriptors();
	signal(SIGPIPE, SIG_IGN);
	log_to_stderr("sendmail");
	wrong = options_parse(&options, argc, argv);
	if (wrong != NULL) {
		complain(EX_USAGE, "%s", wrong);
		fputs(usage, stderr);
		return EX_USAGE;
	}
	if (options.mode == MODE_HELP)
		fputs(usage, stdout);
	else if (options.mode == MODE_VERSION)
		printf("sendmail (Postrider) %s\n", PACKAGE_VERSION);
	else
		code = run(&options);
	if (code == EX_OK && (fflush(stdout) != 0 || ferror(stdout)))
		return EX_IOERR;
	return code;
}
