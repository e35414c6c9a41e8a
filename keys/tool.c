/* SPDX-License-Identifier: ISC */
/* postrider-key: certificates, logins at relay hosts, DKIM keys. */
#include "keys/tool.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/privileges.h"
#include "common/program.h"

static const char usage[] =
    "usage: postrider-key [-Vh] [-c file] command ...\n"
    "  tls list [--json]\n"
    "  tls --self-signed\n"
    "  relay [--password-stdin | --token-file path] host user\n"
    "  relay list [--json]\n"
    "  relay --delete host ...\n"
    "  dkim domain\n"
    "  dkim list [--json]\n"
    "  dkim --check [--quiet] [domain ...]\n"
    "  dkim --rotate domain\n"
    "  dkim --activate domain selector ...\n"
    "  dkim --import file domain selector\n"
    "  dkim --delete domain selector ...\n";

enum { PATIENCE_MS = 10000 };

bool
tool_ask(int fd, struct packet *p)
{
	return ipc_call(fd, p, clock_monotonic_ms() + PATIENCE_MS) == IPC_OK;
}

int
tool_become_keys(void)
{
	struct account account;

	if (!privileges_are_root())
		return EX_OK;
	if (account_find(ACCOUNT_KEYS, &account) == -1)
		return program_fail(EX_CONFIG,
		    "no account %s: first say postrider init", ACCOUNT_KEYS);
	if (privileges_become(&account) == -1)
		return program_fail(EX_OSERR, "cannot become %s: %s",
		    ACCOUNT_KEYS, strerror(errno));
	return EX_OK;
}

int
tool_no_folder(const struct config *config, const char *name)
{
	return program_fail(
	    errno == EACCES || errno == EPERM ? EX_NOPERM : EX_CANTCREAT,
	    "%s/%s: %s%s", config->keys_dir, name, strerror(errno),
	    errno == ENOENT ? "; \"postrider init\" makes it" : "");
}

/* -- commands -- */

enum options {
	OPTION_JSON = 1,
	OPTION_PASSWORD_STDIN = 2,
	OPTION_TOKEN_FILE = 4,
	OPTION_SELF_SIGNED = 8,
	OPTION_DELETE = 16,
	OPTION_CHECK = 32,
	OPTION_ROTATE = 64,
	OPTION_ACTIVATE = 128,
	OPTION_IMPORT = 256,
	OPTION_QUIET = 512
};

static const struct command {
	const char *noun, *verb;  /* verb NULL: none */
	unsigned needed, allowed; /* options */
	int least, most;          /* arguments; most 0: any number */
	int (*run)(struct request *);
} commands[] = {
    {"tls", "list", 0, OPTION_JSON, 0, -1, tls_list},
    {"tls", NULL, OPTION_SELF_SIGNED, 0, 0, -1, tls_self_signed},
    {"relay", "list", 0, OPTION_JSON, 0, -1, relay_list},
    {"relay", NULL, OPTION_DELETE, 0, 1, 0, relay_remove},
    {"relay", NULL, 0, OPTION_PASSWORD_STDIN | OPTION_TOKEN_FILE, 2, 2,
	relay_set},
    {"dkim", "list", 0, OPTION_JSON, 0, -1, dkim_list},
    {"dkim", NULL, OPTION_CHECK, OPTION_QUIET, 0, 0, dkim_check},
    {"dkim", NULL, OPTION_ROTATE, 0, 1, 1, dkim_rotate},
    {"dkim", NULL, OPTION_ACTIVATE, 0, 2, 0, dkim_activate},
    {"dkim", NULL, OPTION_IMPORT, 0, 2, 2, dkim_import},
    {"dkim", NULL, OPTION_DELETE, 0, 2, 0, dkim_delete},
    {"dkim", NULL, 0, 0, 1, 1, dkim_make},
};

static bool
suits(const struct command *c, const char *noun, unsigned options, int argc,
    char **argv)
{
	if (strcmp(c->noun, noun) != 0 || (options & c->needed) != c->needed ||
	    (options & ~(c->needed | c->allowed)) != 0)
		return false;
	if (c->verb != NULL) {
		if (argc == 0 || strcmp(argv[0], c->verb) != 0)
			return false;
		argc--;
	}
	return argc >= c->least &&
	    (c->most == 0 || argc <= (c->most == -1 ? 0 : c->most));
}

/* false: there is no such option. */
static bool
read_options(struct request *r, unsigned *options)
{
	static const struct option known[] = {
	    {"json", no_argument, NULL, OPTION_JSON},
	    {"password-stdin", no_argument, NULL, OPTION_PASSWORD_STDIN},
	    {"token-file", required_argument, NULL, OPTION_TOKEN_FILE},
	    {"self-signed", no_argument, NULL, OPTION_SELF_SIGNED},
	    {"delete", no_argument, NULL, OPTION_DELETE},
	    {"check", no_argument, NULL, OPTION_CHECK},
	    {"rotate", no_argument, NULL, OPTION_ROTATE},
	    {"activate", no_argument, NULL, OPTION_ACTIVATE},
	    {"import", required_argument, NULL, OPTION_IMPORT},
	    {"quiet", no_argument, NULL, OPTION_QUIET}, {0}};
	int option;

	optind = 0;
	while (
	    (option = getopt_long(r->argc, r->argv, "", known, NULL)) != -1) {
		if (option == '?')
			return false;
		*options |= (unsigned)option;
		if (option == OPTION_TOKEN_FILE)
			r->token_file = optarg;
		if (option == OPTION_IMPORT)
			r->import = optarg;
	}
	r->json = (*options & OPTION_JSON) != 0;
	r->quiet = (*options & OPTION_QUIET) != 0;
	r->password_stdin = (*options & OPTION_PASSWORD_STDIN) != 0;
	r->argc -= optind;
	r->argv += optind;
	return !r->password_stdin || r->token_file == NULL;
}

static int
misused(void)
{
	fputs(usage, stderr);
	return EX_USAGE;
}

/* argv[0] is the noun: getopt begins behind it. */
static const struct command *
find_command(struct request *r)
{
	const char *noun = r->argv[0];
	unsigned options = 0;

	if (!read_options(r, &options))
		return NULL;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (suits(&commands[i], noun, options, r->argc, r->argv))
			return &commands[i];
	return NULL;
}

int
main(int argc, char **argv)
{
	struct program_options options = {
	    .program = "postrider-key", .usage = usage};
	char error[CONFIG_ERROR_MAX];
	struct config config;
	struct request request = {.config = &config};
	const struct command *command;
	int first = program_options(&options, argc, argv), code;

	log_to_stderr("postrider-key");
	request.argc = argc - first;
	request.argv = argv + first;
	if (request.argc == 0 || (command = find_command(&request)) == NULL)
		return misused();
	if (config_load(&config, options.config_path, error) == -1)
		return program_fail(EX_CONFIG, "%s", error);
	code = command->run(&request);
	config_free(&config);
	if (fflush(stdout) != 0 || ferror(stdout))
		return program_fail(EX_IOERR, "cannot write");
	return code;
}
