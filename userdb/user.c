/* SPDX-License-Identifier: ISC */
/* postrider-user: users, domains and aliases. */
#include "userdb/user.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/log.h"
#include "common/program.h"
#include "userdb/name.h"

static const char usage[] =
    "usage: postrider-user [-Vh] [-c file] command ...\n"
    "  add [--password-stdin | --no-password] [--system [--login name]]\n"
    "      address ...\n"
    "  del | enable | disable | show [--json] address ...\n"
    "  passwd [--password-stdin] [--reversible] address ...\n"
    "  passwd --app name [--revoke] address\n"
    "  grant | revoke login address | @domain ...\n"
    "  limit address name number/time | 0 | default\n"
    "  list [--json]\n"
    "  tallies [--json] client | address ...\n"
    "  forget client | address ...\n"
    "  import [--format native|dovecot] [file]\n"
    "  export [--format native|dovecot]\n"
    "  domain add | del domain ...\n"
    "  domain list [--json]\n"
    "  alias add name target ...\n"
    "  alias del name [target ...]\n"
    "  alias list [--json]\n";

static struct packet packet;

/* -- users -- */

static int
add_one(struct request *r, const char *address)
{
	struct address name;
	const char *wrong = name_parse(address, &name);
	int code = EX_OK;

	if (wrong != NULL)
		return program_fail(EX_DATAERR, "%s: %s", address, wrong);
	packet_start(&packet, "user-add");
	packet_text(&packet, "address", address);
	if ((r->options & OPTION_NO_PASSWORD) == 0)
		code = passwd_add_hash(r, address, &packet);
	if ((r->options & OPTION_SYSTEM) != 0)
		packet_text(&packet, "system",
		    r->login != NULL ? r->login : name.local);
	return code == EX_OK ? client_do(r->client, &packet) : code;
}

static int
set_one(struct request *r, const char *address, const char *disabled)
{
	packet_start(&packet, "user-set");
	packet_text(&packet, "address", address);
	packet_text(&packet, "disabled", disabled);
	return client_do(r->client, &packet);
}

static int
enable_one(struct request *r, const char *address)
{
	return set_one(r, address, "0");
}

static int
disable_one(struct request *r, const char *address)
{
	return set_one(r, address, "1");
}

static int
del_one(struct request *r, const char *address)
{
	packet_start(&packet, "user-del");
	packet_text(&packet, "address", address);
	return client_do(r->client, &packet);
}

static int
limit_user(struct request *r)
{
	const char *name = r->argv[1], *value = r->argv[2];
	struct config_rate rate;
	enum limit limit;

	if (!limit_named(name, &limit))
		return program_fail(EX_USAGE,
		    "%s: no such limit; there are login-messages, "
		    "login-recipients, login-new-recipients and "
		    "mailbox-messages",
		    name);
	if (strcmp(value, "default") == 0)
		value = "";
	else if (strlen(value) > ENTRY_LIMIT_MAX ||
	    !config_parse_rate(value, &rate))
		return program_fail(EX_DATAERR,
		    "%s: not a number and a time, like 2000/1d, nor 0 (no "
		    "limit) nor default",
		    value);
	packet_start(&packet, "user-limit");
	packet_text(&packet, "address", r->argv[0]);
	packet_text(&packet, "name", name);
	packet_text(&packet, "value", value);
	return client_do(r->client, &packet);
}

static int
domain_one(struct request *r, const char *verb, const char *domain)
{
	packet_start(&packet, verb);
	packet_text(&packet, "domain", domain);
	return client_do(r->client, &packet);
}

static int
domain_add_one(struct request *r, const char *domain)
{
	return domain_one(r, "domain-add", domain);
}

static int
domain_del_one(struct request *r, const char *domain)
{
	return domain_one(r, "domain-del", domain);
}

/* Each of the arguments; the first failure's code. */
static int
each(struct request *r, int (*one)(struct request *, const char *))
{
	int first = EX_OK;

	for (int i = 0; i < r->argc; i++) {
		int code = one(r, r->argv[i]);

		if (first == EX_OK)
			first = code;
	}
	return first;
}

/* One request about the first argument, with all the others. */
static int
change(struct request *r, const char *verb, const char *of, const char *each)
{
	packet_start(&packet, verb);
	packet_text(&packet, of, r->argv[0]);
	for (int i = 1; i < r->argc; i++)
		packet_text(&packet, each, r->argv[i]);
	return client_do(r->client, &packet);
}

static int
alias_add(struct request *r)
{
	return change(r, "alias-add", "alias", "target");
}

static int
alias_del(struct request *r)
{
	return change(r, "alias-del", "alias", "target");
}

static int
grant_senders(struct request *r)
{
	return change(r, "grant-add", "address", "sender");
}

static int
revoke_senders(struct request *r)
{
	return change(r, "grant-del", "address", "sender");
}

/* -- commands -- */

/* Among the options of a command: userdb is not asked. */
enum { NO_USERDB = 1 << 16 };

static const struct command {
	const char *noun, *verb; /* noun NULL: users */
	int least, most;         /* arguments; most 0: any number */
	unsigned options;
	int (*one)(struct request *, const char *argument); /* for each */
	int (*all)(struct request *);                       /* or once */
} commands[] = {
    {NULL, "add", 1, 0,
	OPTION_PASSWORD_STDIN | OPTION_NO_PASSWORD | OPTION_SYSTEM |
	    OPTION_LOGIN,
	add_one, NULL},
    {NULL, "del", 1, 0, 0, del_one, NULL},
    {NULL, "passwd", 1, 0,
	OPTION_PASSWORD_STDIN | OPTION_REVERSIBLE | OPTION_APP | OPTION_REVOKE,
	passwd_one, NULL},
    {NULL, "enable", 1, 0, 0, enable_one, NULL},
    {NULL, "disable", 1, 0, 0, disable_one, NULL},
    {NULL, "grant", 2, 0, 0, NULL, grant_senders},
    {NULL, "revoke", 2, 0, 0, NULL, revoke_senders},
    {NULL, "limit", 3, 3, 0, NULL, limit_user},
    {NULL, "show", 1, 0, OPTION_JSON, NULL, user_show},
    {NULL, "list", 0, -1, OPTION_JSON, NULL, user_list},
    {NULL, "tallies", 1, 0, OPTION_JSON | NO_USERDB, NULL, tallies_show},
    {NULL, "forget", 1, 0, NO_USERDB, tallies_forget_one, NULL},
    {NULL, "import", 0, 1, OPTION_FORMAT, NULL, user_import},
    {NULL, "export", 0, -1, OPTION_FORMAT, NULL, user_export},
    {"domain", "add", 1, 0, 0, domain_add_one, NULL},
    {"domain", "del", 1, 0, 0, domain_del_one, NULL},
    {"domain", "list", 0, -1, OPTION_JSON, NULL, domain_list},
    {"alias", "add", 2, 0, 0, NULL, alias_add},
    {"alias", "del", 1, 0, 0, NULL, alias_del},
    {"alias", "list", 0, -1, OPTION_JSON, NULL, alias_list},
};

static int
misused(void)
{
	fputs(usage, stderr);
	return EX_USAGE;
}

/* The command at the start of these words; *used says how many it took. */
static const struct command *
find_command(int argc, char **argv, int *used)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct command *c = &commands[i];
		int n = c->noun != NULL ? 2 : 1;

		if (argc < n || strcmp(argv[n - 1], c->verb) != 0 ||
		    (c->noun != NULL && strcmp(argv[0], c->noun) != 0))
			continue;
		*used = n;
		return c;
	}
	return NULL;
}

/* An app password is made, not chosen, and shown for one user at a time. */
static bool
app_options_agree(const struct request *r)
{
	if (r->app == NULL)
		return (r->options & OPTION_REVOKE) == 0;
	return r->argc == 1 &&
	    (r->options & (OPTION_PASSWORD_STDIN | OPTION_REVERSIBLE)) == 0;
}

/* Options behind the command, among its arguments. */
static bool
read_options(struct request *r, const struct command *c)
{
	static const struct option known[] = {
	    {"json", no_argument, NULL, OPTION_JSON},
	    {"password-stdin", no_argument, NULL, OPTION_PASSWORD_STDIN},
	    {"no-password", no_argument, NULL, OPTION_NO_PASSWORD},
	    {"system", no_argument, NULL, OPTION_SYSTEM},
	    {"login", required_argument, NULL, OPTION_LOGIN},
	    {"format", required_argument, NULL, OPTION_FORMAT},
	    {"app", required_argument, NULL, OPTION_APP},
	    {"revoke", no_argument, NULL, OPTION_REVOKE},
	    {"reversible", no_argument, NULL, OPTION_REVERSIBLE}, {0}};
	int option;

	optind = 0;
	while (
	    (option = getopt_long(r->argc, r->argv, "", known, NULL)) != -1) {
		if (option == '?' || ((unsigned)option & c->options) == 0)
			return false;
		r->options |= (unsigned)option;
		if (option == OPTION_LOGIN)
			r->login = optarg;
		if (option == OPTION_FORMAT)
			r->format = optarg;
		if (option == OPTION_APP)
			r->app = optarg;
	}
	r->argc -= optind;
	r->argv += optind;
	if (r->format != NULL && strcmp(r->format, "native") != 0 &&
	    strcmp(r->format, "dovecot") != 0)
		return false;
	return (r->login == NULL || (r->options & OPTION_SYSTEM) != 0) &&
	    app_options_agree(r) && r->argc >= c->least &&
	    (c->most == 0 || r->argc <= c->most ||
		(c->most == -1 && r->argc == 0));
}

static int
run(const struct command *c, struct request *r)
{
	static struct client client;
	int code;

	r->input = STDIN_FILENO;
	if (c->all == user_import && r->argc == 1 &&
	    strcmp(r->argv[0], "-") != 0 &&
	    (r->input = open(r->argv[0], O_RDONLY | O_CLOEXEC)) == -1)
		return program_fail(
		    EX_NOINPUT, "%s: %s", r->argv[0], strerror(errno));
	code = (c->options & NO_USERDB) != 0 ? EX_OK
					      : client_open(&client, r->config);
	if (code == EX_OK) {
		r->client = &client;
		code = c->one != NULL ? each(r, c->one) : c->all(r);
	}
	if ((c->options & NO_USERDB) == 0)
		client_close(&client);
	if (fflush(stdout) != 0 || ferror(stdout))
		return program_fail(EX_IOERR, "cannot write");
	return code;
}

int
main(int argc, char **argv)
{
	struct program_options options = {
	    .program = "postrider-user", .usage = usage};
	char error[CONFIG_ERROR_MAX];
	struct config config;
	struct request request = {.config = &config};
	const struct command *command;
	int first = program_options(&options, argc, argv), used, code;

	log_to_stderr("postrider-user");
	command = find_command(argc - first, argv + first, &used);
	if (command == NULL)
		return misused();
	/* getopt begins behind a program's name. */
	request.argc = argc - first - used + 1;
	request.argv = argv + first + used - 1;
	if (!read_options(&request, command))
		return misused();
	if (config_load(&config, options.config_path, error) == -1)
		return program_fail(EX_CONFIG, "%s", error);
	code = run(command, &request);
	config_free(&config);
	return code;
}
