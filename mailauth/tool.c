/* SPDX-License-Identifier: ISC */
/* postrider-mailauth: SPF, DKIM and DMARC by hand. */
#include "mailauth/tool.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/netaddr.h"
#include "common/program.h"

static const char usage[] =
    "usage: postrider-mailauth [-Vh] [-c file] command [options]\n"
    "  spf --ip address --helo name [--from address]\n"
    "  dkim verify < message\n"
    "  dkim sign --domain name --selector name --key file < message\n"
    "  dmarc --from address [--spf domain=result] [--dkim domain=result] ...\n"
    "  all --ip address --helo name [--from address] < message\n"
    "options of every command:\n"
    "  --dns host:port  --dns-timeout seconds  --now unixtime\n"
    "  --json  --exit-code  -v\n";

enum { TIMEOUT_S = 20, TIMEOUT_MOST_S = 3600 }; /* RFC 7208 section 4.6.4 */

enum options {
	OPTION_IP = 1,
	OPTION_HELO = 2,
	OPTION_FROM = 4,
	OPTION_DNS = 8,
	OPTION_DNS_TIMEOUT = 16,
	OPTION_NOW = 32,
	OPTION_JSON = 64,
	OPTION_EXIT_CODE = 128,
	OPTION_VERBOSE = 256,
	OPTION_DOMAIN = 512,
	OPTION_SELECTOR = 1024,
	OPTION_KEY = 2048,
	OPTION_SPF = 4096,
	OPTION_DKIM = 8192,
	OPTIONS_OF_ALL = OPTION_DNS | OPTION_DNS_TIMEOUT | OPTION_NOW |
	    OPTION_JSON | OPTION_EXIT_CODE | OPTION_VERBOSE
};

static const struct command {
	const char *noun, *verb;  /* verb NULL: none */
	unsigned needed, allowed; /* options, besides those of all */
	int (*run)(struct request *);
} commands[] = {
    {"spf", NULL, OPTION_IP | OPTION_HELO, OPTION_FROM, tool_spf},
    {"dkim", "verify", 0, 0, tool_dkim_verify},
    {"dkim", "sign", OPTION_DOMAIN | OPTION_SELECTOR | OPTION_KEY, 0,
	tool_dkim_sign},
    {"dmarc", NULL, OPTION_FROM, OPTION_SPF | OPTION_DKIM, tool_dmarc},
    {"all", NULL, OPTION_IP | OPTION_HELO, OPTION_FROM, tool_all},
};

int
tool_fail(int code, const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	fputs("postrider-mailauth: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return code;
}

int
tool_exit(const struct request *r, enum auth_result result)
{
	static const int codes[] = {
	    [AUTH_PASS] = 0,
	    [AUTH_FAIL] = 1,
	    [AUTH_SOFTFAIL] = 2,
	    [AUTH_NEUTRAL] = 3,
	    [AUTH_NONE] = 4,
	    [AUTH_POLICY] = 5,
	    [AUTH_PERMERROR] = 6,
	    [AUTH_TEMPERROR] = EX_TEMPFAIL,
	};

	return r->exit_code ? codes[result] : EX_OK;
}

static int
misused(void)
{
	fputs(usage, stderr);
	return EX_USAGE;
}

static bool
read_number(const char *text, int64_t least, int64_t most, int64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoll(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && *out >= least &&
	    *out <= most;
}

/* "example.org=pass": cut in two where it stands. */
static int
take_identity(char *value, struct dmarc_identity *identities, size_t *n)
{
	char *equals = strrchr(value, '=');
	struct dmarc_identity *identity = &identities[*n];

	if (*n == DMARC_IDENTITIES_MAX)
		return tool_fail(EX_USAGE, "%d identities are the most",
		    DMARC_IDENTITIES_MAX);
	if (equals == NULL || equals == value ||
	    !auth_result_named(equals + 1, &identity->result))
		return tool_fail(
		    EX_USAGE, "%s is no domain=result", value);
	*equals = '\0';
	identity->domain = value;
	++*n;
	return EX_OK;
}

/* EX_OK, or what is wrong with the option's value was said. */
static int
take_option(struct request *r, int option, char *value)
{
	size_t n;

	switch (option) {
	case OPTION_IP:
		r->ip = value;
		if (!netaddr_parse(value, 0, &r->client) ||
		    netaddr_port(&r->client) != 0)
			return tool_fail(
			    EX_USAGE, "%s is no address", value);
		break;
	case OPTION_HELO:
		r->helo = value;
		break;
	case OPTION_FROM: /* as in SMTP, or without the brackets */
		n = strlen(value);
		if (value[0] == '<' && value[n - 1] == '>') {
			value[n - 1] = '\0';
			value++;
		}
		r->from = value;
		break;
	case OPTION_DOMAIN:
		r->domain = value;
		break;
	case OPTION_SELECTOR:
		r->selector = value;
		break;
	case OPTION_KEY:
		r->key = value;
		break;
	case OPTION_SPF:
		return take_identity(value, r->spf, &r->nspf);
	case OPTION_DKIM:
		return take_identity(value, r->dkim, &r->ndkim);
	case OPTION_DNS:
		r->dns = value;
		break;
	case OPTION_DNS_TIMEOUT:
		if (!read_number(value, 1, TIMEOUT_MOST_S, &r->dns_timeout))
			return tool_fail(EX_USAGE,
			    "--dns-timeout is 1 to %d seconds", TIMEOUT_MOST_S);
		break;
	case OPTION_NOW:
		if (!read_number(value, 0, INT64_MAX, &r->mailauth.now))
			return tool_fail(
			    EX_USAGE, "--now is seconds since the epoch");
		break;
	default:
		break;
	}
	return EX_OK;
}

static int
read_options(struct request *r, int *argc, char ***argv, unsigned *given)
{
	static const struct option known[] = {
	    {"ip", required_argument, NULL, OPTION_IP},
	    {"helo", required_argument, NULL, OPTION_HELO},
	    {"from", required_argument, NULL, OPTION_FROM},
	    {"domain", required_argument, NULL, OPTION_DOMAIN},
	    {"selector", required_argument, NULL, OPTION_SELECTOR},
	    {"key", required_argument, NULL, OPTION_KEY},
	    {"spf", required_argument, NULL, OPTION_SPF},
	    {"dkim", required_argument, NULL, OPTION_DKIM},
	    {"dns", required_argument, NULL, OPTION_DNS},
	    {"dns-timeout", required_argument, NULL, OPTION_DNS_TIMEOUT},
	    {"now", required_argument, NULL, OPTION_NOW},
	    {"json", no_argument, NULL, OPTION_JSON},
	    {"exit-code", no_argument, NULL, OPTION_EXIT_CODE}, {0}};
	int option, code;

	optind = 0;
	while ((option = getopt_long(*argc, *argv, "v", known, NULL)) != -1) {
		if (option == '?')
			return misused();
		if (option == 'v')
			option = OPTION_VERBOSE;
		*given |= (unsigned)option;
		code = take_option(r, option, optarg);
		if (code != EX_OK)
			return code;
	}
	r->json = (*given & OPTION_JSON) != 0;
	r->verbose = (*given & OPTION_VERBOSE) != 0;
	r->exit_code = (*given & OPTION_EXIT_CODE) != 0;
	*argc -= optind;
	*argv += optind;
	return EX_OK;
}

static const struct command *
find_command(const char *noun, unsigned given, int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct command *c = &commands[i];

		if (strcmp(c->noun, noun) == 0 &&
		    (given & c->needed) == c->needed &&
		    (given & ~(c->needed | c->allowed | OPTIONS_OF_ALL)) == 0 &&
		    argc == (c->verb != NULL) &&
		    (c->verb == NULL || strcmp(argv[0], c->verb) == 0))
			return c;
	}
	return NULL;
}

/*
 * The host's name and DNS servers, if there is a config: what is checked
 * here is checked as well where Postrider is not set up.
 */
static int
take_config(struct request *r, const char *path)
{
	char error[CONFIG_ERROR_MAX];

	if (strcmp(path, config_default_path()) == 0 && access(path, R_OK) != 0)
		return gethostname(r->hostname, sizeof(r->hostname) - 1) == 0
		    ? EX_OK
		    : tool_fail(EX_OSERR, "gethostname: %s", strerror(errno));
	if (config_load(r->config, path, error) == -1)
		return tool_fail(EX_CONFIG, "%s", error);
	snprintf(r->hostname, sizeof(r->hostname), "%s", r->config->hostname);
	return EX_OK;
}

static int
run(struct request *r, const char *path, int argc, char **argv)
{
	const char *noun = argv[0];
	const struct command *command;
	unsigned given = 0;
	int code = read_options(r, &argc, &argv, &given);

	if (code != EX_OK)
		return code;
	command = find_command(noun, given, argc, argv);
	if (command == NULL)
		return misused();
	code = take_config(r, path);
	if (code == EX_OK)
		code = tool_open_dns(r);
	if (code == EX_OK)
		code = command->run(r);
	tool_close_dns(r);
	config_free(r->config);
	if (fflush(stdout) != 0 || ferror(stdout))
		return tool_fail(EX_IOERR, "cannot write");
	return code;
}

int
main(int argc, char **argv)
{
	struct program_options options = {
	    .program = "postrider-mailauth", .usage = usage};
	static struct config config;
	struct request request = {.config = &config,
	    .dns_timeout = TIMEOUT_S,
	    .mailauth = {.now = clock_now()}};
	int first = program_options(&options, argc, argv);

	log_to_stderr(options.program);
	if (argc == first)
		return misused();
	return run(&request, options.config_path, argc - first, argv + first);
}
