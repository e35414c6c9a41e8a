/* SPDX-License-Identifier: ISC */
/* postrider-dns: what a domain must publish, and what it does publish. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/dns_read.h"
#include "common/idn.h"
#include "common/log.h"
#include "common/program.h"
#include "common/utf8.h"
#include "tools/dns-options.h"

static const char usage[] =
    "usage: postrider-dns [-Vh] [-c file] command ...\n"
    "  show [--ip address] [--mx host] [--mode mode] [--max-age seconds]\n"
    "       [--web host] [--reports address] [--json] domain\n"
    "  files [--mx host] [--mode mode] [--max-age seconds] [--json]\n"
    "       domain folder\n"
    "  check [--ip address] [--policy file] [--dns host:port]\n"
    "       [--quiet] [--json] domain\n";

enum { MAX_AGE_S = 7 * 86400 };

static const struct command {
	const char *name;
	unsigned bit;
	int arguments;
	int (*run)(const struct request *);
} commands[] = {
    {"show", DNS_SHOW, 1, dns_show},
    {"files", DNS_FILES, 2, dns_files},
    {"check", DNS_CHECK, 1, dns_check},
};

static int
misused(void)
{
	fputs(usage, stderr);
	return EX_USAGE;
}

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* -- the domain -- */

static int
take_domain(struct request *r, const char *given)
{
	char ascii[DNS_NAME_MAX + 1];

	if (!config_is_domain(given, true) || strchr(given, '.') == NULL)
		return program_fail(EX_USAGE, "not a domain: %s", given);
	if (!idn_to_ascii(given, ascii) || !config_is_domain(ascii, false))
		return program_fail(EX_DATAERR, "%s has no form for the DNS%s",
		    given,
		    utf8_is_ascii(given, strlen(given))
			? ""
			: ", or this program was built without libidn2");
	if (strlen(ascii) > DNS_TOOL_DOMAIN_MAX)
		return program_fail(
		    EX_DATAERR, "too long for names below it: %s", given);
	dns_name_normalise(ascii, r->domain);
	r->given = given;
	return EX_OK;
}

/* --dns: this one, instead of the config's. */
static int
use_server(struct request *r)
{
	struct config_servers *list = &r->config->dns_servers;
	struct config_server *one;

	if (r->server.ss_family == AF_UNSPEC)
		return EX_OK;
	one = calloc(1, sizeof(*one));
	if (one == NULL)
		return program_fail(EX_OSERR, "%s", strerror(errno));
	one->address = r->server;
	free(list->items);
	*list = (struct config_servers){.n = 1, .items = one};
	return EX_OK;
}

static int
run(struct request *r, const struct command *c, char **arguments)
{
	static struct config config;
	char error[CONFIG_ERROR_MAX];
	int code = take_domain(r, arguments[0]);

	if (code != EX_OK)
		return code;
	if (config_load(&config, r->config_path, error) == -1)
		return program_fail(EX_CONFIG, "%s", error);
	r->config = &config;
	r->folder = arguments[1];
	if (strchr(config.hostname, '.') == NULL)
		code = program_fail(EX_CONFIG,
		    "host name \"%s\" is not a full name: set \"hostname\"",
		    config.hostname);
	else
		code = use_server(r);
	if (code == EX_OK)
		code = c->run(r);
	config_free(&config);
	return code;
}

int
main(int argc, char **argv)
{
	struct program_options options = {
	    .program = "postrider-dns", .usage = usage};
	static struct request request = {
	    .mode = "testing", .max_age = MAX_AGE_S};
	const struct command *command;
	int first = program_options(&options, argc, argv), code;

	log_to_stderr("postrider-dns");
	request.config_path = options.config_path;
	if (first == argc || (command = find_command(argv[first])) == NULL)
		return misused();
	code = options_read(&request, command->bit, argc - first, argv + first);
	if (code == EX_OK && argc - first - optind != command->arguments)
		code = EX_USAGE;
	if (code != EX_OK)
		return code == EX_USAGE ? misused() : code;
	code = run(&request, command, argv + first + optind);
	if (fflush(stdout) != 0 || ferror(stdout))
		return program_fail(EX_IOERR, "cannot write");
	return code;
}
