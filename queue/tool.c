/* SPDX-License-Identifier: ISC */
#include "queue/tool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/admin.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/print.h"
#include "common/privileges.h"
#include "common/program.h"
#include "queue/tool-options.h"
#include "queue/trace-log.h"

static void
complain(const char *text)
{
	for (; *text != '\0'; text++)
		fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text,
		    stderr);
}

int
tool_fail(const struct tool *tool, int code, const char *what, const char *why)
{
	/* What was printed so far comes first. */
	fflush(stdout);
	fprintf(stderr, "%s: ", tool->program);
	complain(what);
	fputs(": ", stderr);
	complain(why);
	fputc('\n', stderr);
	return code;
}

int
tool_unknown(const struct tool *tool, const char *id)
{
	return tool_fail(tool, EX_NOINPUT, id, "no such message");
}

int
tool_no_memory(const struct tool *tool)
{
	return tool_fail(tool, EX_OSERR, "memory", strerror(ENOMEM));
}

void
tool_id(uint64_t id, char out[FS_ID_SIZE])
{
	for (size_t i = FS_ID_SIZE - 1; i-- > 0; id >>= 4)
		out[i] = "0123456789abcdef"[id & 15];
	out[FS_ID_SIZE - 1] = '\0';
}

int
tool_copy(const struct tool *tool, int fd)
{
	char block[65536];
	ssize_t got;

	while ((got = read(fd, block, sizeof(block))) != 0) {
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return tool_fail(
			    tool, EX_IOERR, "read", strerror(errno));
		if (fwrite(block, 1, (size_t)got, stdout) != (size_t)got)
			return tool_fail(
			    tool, EX_IOERR, "write", strerror(errno));
	}
	return EX_OK;
}

/* -- the commands -- */

enum needs {
	NEEDS_SPOOL, /* the daemon, or its lock */
	NEEDS_SUITE,
	NEEDS_LEDGER,
	MAY_SPOOL /* when it can be had */
};

static const struct command {
	const char *name;
	unsigned takes;
	enum needs needs;
	bool log; /* opened before root becomes somebody else */
	int (*run)(struct tool *);
} commands[] = {
    {"list", TAKES_SELECTION, NEEDS_SPOOL, false, list_run},
    {"show", TAKES_SELECTION | NEEDS_SELECTION, NEEDS_SPOOL, false, show_run},
    {"cat", TAKES_IDS | NEEDS_SELECTION, NEEDS_SPOOL, false, cat_run},
    {"why", TAKES_IDS | TAKES_WORDS | NEEDS_SELECTION, NEEDS_SPOOL, true,
	why_run},
    {"trace", TAKES_IDS | TAKES_WORDS | TAKES_TIMES | NEEDS_SELECTION,
	MAY_SPOOL, true, trace_run},
    {"stats", TAKES_SELECTION | TAKES_TOP, NEEDS_SPOOL, false, stats_run},
    {"hold", TAKES_SELECTION | TAKES_REASON | NEEDS_SELECTION, NEEDS_SPOOL,
	false, hold_run},
    {"release", TAKES_SELECTION | NEEDS_SELECTION, NEEDS_SPOOL, false,
	release_run},
    {"flush", TAKES_SELECTION | TAKES_WORDS, NEEDS_SUITE, false, flush_run},
    {"requeue", TAKES_SELECTION | NEEDS_SELECTION, NEEDS_SUITE, false,
	requeue_run},
    {"delete", TAKES_SELECTION | NEEDS_SELECTION, NEEDS_SPOOL, false,
	delete_run},
    {"tls-policy", TAKES_WORDS | NEEDS_SELECTION, NEEDS_LEDGER, false,
	policy_run},
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static const char usage[] =
    "usage: postrider-queue [-c FILE] COMMAND [--json] ...\n"
    "\n"
    "  list [SELECTION]           messages in the queue, the oldest first\n"
    "  show SELECTION             a message's envelope, what became of it\n"
    "  cat ID...                  a message's content\n"
    "  why ID|DESTINATION...      what it waits for\n"
    "  why ADDRESS|CLIENT...      why nothing is taken from there\n"
    "  trace [-v] [--since TIME] [--until TIME] [--log FILE] "
    "[ID|ADDRESS|CLIENT...]\n"
    "                             its story, from the log; without any, who\n"
    "                             was refused in that time\n"
    "  stats [--top N] [SELECTION]\n"
    "                             how much there is, for and from whom\n"
    "  hold [--reason TEXT] SELECTION|--list\n"
    "                             do not try these; alone --login, --sender\n"
    "                             or --uid hold what comes in later, too\n"
    "  release SELECTION          try them again\n"
    "  flush [SELECTION|DESTINATION...]\n"
    "                             try these now, or all that waits\n"
    "  requeue SELECTION          begin anew with these\n"
    "  delete SELECTION           remove these; nobody is told\n"
    "  tls-policy DOMAIN...       what is known of these domains' TLS\n"
    "\n"
    "  SELECTION: ID... - --sender A --recipient A --domain D --login A\n"
    "    --uid USER --older AGE --younger AGE --state S,... --size +N|-N "
    "--all\n";

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* -- whom to ask -- */

static void
drop_root(const struct tool *tool)
{
	if (privileges_are_root())
		privileges_drop(ACCOUNT_QUEUE, tool->config->spool_dir, false);
}

static int
not_running(struct tool *tool, const struct command *c)
{
	int code = c->needs == NEEDS_SPOOL || c->needs == MAY_SPOOL
	    ? direct_open(tool, c->needs == NEEDS_SPOOL)
	    : tool_fail(
		  tool, EX_UNAVAILABLE, c->name, "the suite is not running");

	return c->needs == MAY_SPOOL ? EX_OK : code;
}

/* As root: the spool's owner from here on, whatever is read (rule of root). */
static int
reach(struct tool *tool, const struct command *c)
{
	char path[4096];
	int reason;

	if (c->log)
		trace_open(tool);
	snprintf(path, sizeof(path), "%s/admin/%s", tool->config->run_dir,
	    c->needs == NEEDS_LEDGER ? "ledger" : "queue");
	tool->daemon = ipc_connect(path);
	reason = errno;
	if (c->run == release_run)
		tool->ledger = admin_connect(tool->config, "ledger");
	drop_root(tool);
	if (tool->daemon >= 0)
		return EX_OK;
	if (reason == ENOENT || reason == ECONNREFUSED || c->needs == MAY_SPOOL)
		return not_running(tool, c);
	return tool_fail(tool, reason == EACCES ? EX_NOPERM : EX_UNAVAILABLE,
	    path, strerror(reason));
}

static int
run(struct tool *tool, const struct command *c, int argc, char **argv)
{
	int code = options_read(tool, c->takes, argc, argv);

	if (code == EX_OK)
		code = reach(tool, c);
	if (code == EX_OK)
		code = c->run(tool);
	if ((fflush(stdout) == EOF || ferror(stdout)) && code == EX_OK)
		code = tool_fail(tool, EX_IOERR, "write", strerror(errno));
	options_free(&tool->options);
	holds_free(&tool->rules);
	free(tool->rows);
	return code;
}

int
main(int argc, char **argv)
{
	struct program_options options = {
	    .program = "postrider-queue", .usage = usage};
	static struct config config;
	struct tool tool = {.program = options.program,
	    .config = &config,
	    .daemon = -1,
	    .ledger = -1,
	    .folder = -1,
	    .now = clock_now()};
	const struct command *command;
	char error[CONFIG_ERROR_MAX];
	int first = program_options(&options, argc, argv);

	log_to_stderr(options.program);
	argc -= first;
	argv += first;
	command = argc > 0 ? find_command(argv[0]) : NULL;
	if (command == NULL) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	if (config_load(&config, options.config_path, error) == -1) {
		fprintf(stderr, "%s: %s\n", options.program, error);
		return EX_CONFIG;
	}
	return run(&tool, command, argc - 1, argv + 1);
}
