/* SPDX-License-Identifier: ISC */
/* postrider-dns: what a domain must publish, and what it does publish. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "common/address.h"
#include "common/cursor.h"
#include "common/dns_read.h"
#include "common/idn.h"
#include "common/log.h"
#include "common/netaddr.h"
#include "common/program.h"
#include "common/sts.h"
#include "common/utf8.h"
#include "tools/dns-tool.h"

static const char usage[] =
    "usage: postrider-dns [-Vh] [-c file] command ...\n"
    "  show [--ip address] [--mx host] [--mode mode] [--web host]\n"
    "       [--reports address] [--json] domain\n"
    "  files [--mx host] [--mode mode] [--max-age seconds] [--json]\n"
    "       domain folder\n"
    "  check [--ip address] [--policy file] [--dns host:port]\n"
    "       [--quiet] [--json] domain\n";

enum { MAX_AGE_S = 7 * 86400, DNS_PORT = 53 };

int
dns_fail(int code, const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	fputs("postrider-dns: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return code;
}

/* -- options: each takes its value, or says what is wrong with it -- */

static int
take_address(struct request *r, const char *value)
{
	if (r->naddresses == DNS_TOOL_ADDRESSES_MAX)
		return dns_fail(
		    EX_USAGE, "more than %d addresses", DNS_TOOL_ADDRESSES_MAX);
	if (!netaddr_parse(value, 0, &r->addresses[r->naddresses]) ||
	    netaddr_port(&r->addresses[r->naddresses]) != 0)
		return dns_fail(EX_USAGE, "--ip: not an address: %s", value);
	r->naddresses++;
	return EX_OK;
}

static int
take_mx(struct request *r, const char *value)
{
	if (r->nmx == DNS_TOOL_MX_MAX)
		return dns_fail(EX_USAGE, "more than %d --mx", DNS_TOOL_MX_MAX);
	if (!config_is_domain(value, false))
		return dns_fail(EX_USAGE, "--mx: not a host name: %s", value);
	r->mx[r->nmx++] = value;
	return EX_OK;
}

static int
take_mode(struct request *r, const char *value)
{
	if (strcmp(value, "testing") != 0 && strcmp(value, "enforce") != 0 &&
	    strcmp(value, "none") != 0)
		return dns_fail(EX_USAGE,
		    "--mode: \"%s\" is none of testing, enforce, none", value);
	r->mode = value;
	return EX_OK;
}

static int
take_max_age(struct request *r, const char *value)
{
	struct cursor c = cursor_over(value, strlen(value));
	uint64_t seconds = cursor_decimal(&c);

	if (!cursor_done(&c) || seconds > STS_AGE_MAX)
		return dns_fail(EX_USAGE,
		    "--max-age: \"%s\" is not a number of seconds up to %d",
		    value, STS_AGE_MAX);
	r->max_age = (uint32_t)seconds;
	return EX_OK;
}

static int
take_web(struct request *r, const char *value)
{
	if (!config_is_domain(value, false))
		return dns_fail(EX_USAGE, "--web: not a host name: %s", value);
	r->web = value;
	return EX_OK;
}

/* What needs no escapes within a record's "mailto:" (RFC 6068). */
static const char mailto[] = "abcdefghijklmnopqrstuvwxyz0123456789"
			     "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-_+@";

static int
take_reports(struct request *r, const char *value)
{
	struct address address;
	const char *why = address_parse(value, 0, &address);

	if (why == NULL && value[strspn(value, mailto)] != '\0')
		why = "a plain one, please: letters, digits, and .-_+";
	if (why != NULL)
		return dns_fail(EX_USAGE, "--reports: %s: %s", value, why);
	r->reports = value;
	return EX_OK;
}

static int
take_json(struct request *r, const char *value)
{
	(void)value;
	r->json = true;
	return EX_OK;
}

static int
take_quiet(struct request *r, const char *value)
{
	(void)value;
	r->quiet = true;
	return EX_OK;
}

static int
take_policy(struct request *r, const char *value)
{
	r->policy = value;
	return EX_OK;
}

static int
take_dns(struct request *r, const char *value)
{
	if (!netaddr_parse(value, DNS_PORT, &r->server))
		return dns_fail(EX_USAGE, "--dns: not an address: %s", value);
	return EX_OK;
}

enum command_bit { SHOW = 1, FILES = 2, CHECK = 4 };

static const struct {
	const char *name;
	int argument;
	unsigned commands;
	int (*take)(struct request *, const char *value);
} known[] = {
    {"ip", required_argument, SHOW | CHECK, take_address},
    {"mx", required_argument, SHOW | FILES, take_mx},
    {"mode", required_argument, SHOW | FILES, take_mode},
    {"max-age", required_argument, SHOW | FILES, take_max_age},
    {"web", required_argument, SHOW, take_web},
    {"reports", required_argument, SHOW, take_reports},
    {"json", no_argument, SHOW | FILES | CHECK, take_json},
    {"policy", required_argument, CHECK, take_policy},
    {"dns", required_argument, CHECK, take_dns},
    {"quiet", no_argument, CHECK, take_quiet},
};

enum { KNOWN = sizeof(known) / sizeof(known[0]) };

static const struct command {
	const char *name;
	unsigned bit;
	int arguments;
	int (*run)(const struct request *);
} commands[] = {
    {"show", SHOW, 1, dns_show},
    {"files", FILES, 2, dns_files},
    {"check", CHECK, 1, dns_check},
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

/* argv[0] is the command; the first argument behind the options. */
static int
read_options(struct request *r, const struct command *c, int argc, char **argv)
{
	struct option options[KNOWN + 1] = {{0}};
	int letter, code = EX_OK, n = 0;

	for (int i = 0; i < KNOWN; i++)
		if ((known[i].commands & c->bit) != 0)
			options[n++] = (struct option){
			    known[i].name, known[i].argument, NULL, i};
	optind = 0;
	while (code == EX_OK &&
	    (letter = getopt_long(argc, argv, "", options, NULL)) != -1)
		code =
		    letter == '?' ? misused() : known[letter].take(r, optarg);
	if (code == EX_OK && argc - optind != c->arguments)
		code = misused();
	return code;
}

/* -- the domain -- */

static int
take_domain(struct request *r, const char *given)
{
	char ascii[DNS_NAME_MAX + 1];

	if (!config_is_domain(given, true) || strchr(given, '.') == NULL)
		return dns_fail(EX_USAGE, "not a domain: %s", given);
	if (!idn_to_ascii(given, ascii) || !config_is_domain(ascii, false))
		return dns_fail(EX_DATAERR, "%s has no form for the DNS%s",
		    given,
		    utf8_is_ascii(given, strlen(given))
			? ""
			: ", or this program was built without libidn2");
	if (strlen(ascii) > DNS_TOOL_DOMAIN_MAX)
		return dns_fail(
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
		return dns_fail(EX_OSERR, "%s", strerror(errno));
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
		return dns_fail(EX_CONFIG, "%s", error);
	r->config = &config;
	r->folder = arguments[1];
	if (strchr(config.hostname, '.') == NULL)
		code = dns_fail(EX_CONFIG,
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
	code = read_options(&request, command, argc - first, argv + first);
	if (code != EX_OK)
		return code;
	code = run(&request, command, argv + first + optind);
	if (fflush(stdout) != 0 || ferror(stdout))
		return dns_fail(EX_IOERR, "cannot write");
	return code;
}
