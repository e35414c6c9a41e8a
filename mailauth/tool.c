/* SPDX-License-Identifier: ISC */
/* postrider-mailauth: SPF, DKIM and DMARC by hand. */
#include "mailauth/tool_options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
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

enum { TIMEOUT_S = 20 }; /* RFC 7208 section 4.6.4 */

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

int
tool_misused(void)
{
	fputs(usage, stderr);
	return EX_USAGE;
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
		    : program_fail(
			  EX_OSERR, "gethostname: %s", strerror(errno));
	if (config_load(r->config, path, error) == -1)
		return program_fail(EX_CONFIG, "%s", error);
	snprintf(r->hostname, sizeof(r->hostname), "%s", r->config->hostname);
	return EX_OK;
}

static int
run(struct request *r, const char *path, int argc, char **argv)
{
	const char *noun = argv[0];
	const struct command *command;
	unsigned given = 0;
	int code = options_read(r, &argc, &argv, &given);

	if (code != EX_OK)
		return code;
	command = find_command(noun, given, argc, argv);
	if (command == NULL)
		return tool_misused();
	code = take_config(r, path);
	if (code == EX_OK)
		code = tool_open_dns(r);
	if (code == EX_OK)
		code = command->run(r);
	tool_close_dns(r);
	config_free(r->config);
	if (fflush(stdout) != 0 || ferror(stdout))
		return program_fail(EX_IOERR, "cannot write");
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
		return tool_misused();
	return run(&request, options.config_path, argc - first, argv + first);
}
