/* SPDX-License-Identifier: ISC */
#include "queue/tool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/privileges.h"
#include "common/program.h"
#include "common/protocol.h"

enum { ANSWER_MS = 30 * 1000 };

int
tool_fail(const struct tool *tool, int code, const char *what, const char *why)
{
	fprintf(stderr, "%s: %s: %s\n", tool->program, what, why);
	return code;
}

int
tool_unknown(const struct tool *tool, const char *id)
{
	return tool_fail(tool, EX_NOINPUT, id, "no such message");
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

/* -- the daemon -- */

static int64_t
soon(void)
{
	return clock_monotonic_ms() + ANSWER_MS;
}

static int
no_answer(const struct tool *tool, enum ipc_result result)
{
	return tool_fail(tool, EX_TEMPFAIL, "queue",
	    result == IPC_TIMEOUT      ? "does not answer"
		: result == IPC_CLOSED ? "closed the connection"
				       : strerror(errno));
}

static int
protocol_error(const struct tool *tool)
{
	return tool_fail(tool, EX_PROTOCOL, "queue", "malformed answer");
}

/* verb, and id unless NULL; the answer comes into the same packet. */
static int
call(struct tool *tool, struct packet *p, const char *verb, const char *id)
{
	enum ipc_result result;

	packet_start(p, verb);
	if (id != NULL)
		packet_text(p, "id", id);
	result = ipc_call(tool->daemon, p, soon());
	if (result != IPC_OK)
		return no_answer(tool, result);
	if (packet_is(p, "unknown"))
		return tool_unknown(tool, id != NULL ? id : "");
	return EX_OK;
}

/* Packets up to "end". */
static int
print_answers(struct tool *tool, struct packet *p, tool_print *print)
{
	enum ipc_result result;

	while (!packet_is(p, "end")) {
		if (!print(tool, p))
			return protocol_error(tool);
		result = ipc_receive(tool->daemon, p, soon());
		if (result != IPC_OK)
			return no_answer(tool, result);
	}
	return EX_OK;
}

static int
ask_count(struct tool *tool, const char *verb, const char *id,
    const char *answer, uint64_t *count)
{
	static struct packet p;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("count", count)};
	int code = call(tool, &p, verb, id);

	if (code == EX_OK && !packet_read(&p, answer, set, 1, 0))
		code = protocol_error(tool);
	return code;
}

/* -- commands -- */

static int
do_list(struct tool *tool, const char *id)
{
	static struct packet p;
	int code;

	(void)id;
	print_list_begin(tool);
	if (tool->daemon < 0)
		code = direct_list(tool);
	else if ((code = call(tool, &p, "list", NULL)) == EX_OK)
		code = print_answers(tool, &p, print_listed);
	if (code == EX_OK)
		print_list_end(tool);
	return code;
}

static int
do_show(struct tool *tool, const char *id)
{
	static struct packet p;
	int code;

	if (tool->daemon < 0)
		code = direct_show(tool, id);
	else if ((code = call(tool, &p, "show", id)) == EX_OK)
		code = print_answers(tool, &p, print_shown);
	if (code == EX_OK)
		print_show_end(tool);
	return code;
}

static int
do_cat(struct tool *tool, const char *id)
{
	static struct packet p;
	int code;

	if (tool->daemon < 0)
		return direct_cat(tool, id);
	code = call(tool, &p, "cat", id);
	if (code != EX_OK)
		return code;
	if (!packet_read(&p, "content", NULL, 0, 1))
		code = protocol_error(tool);
	else
		code = tool_copy(tool, p.fds[0]);
	packet_close(&p);
	return code;
}

static int
do_flush(struct tool *tool, const char *id)
{
	uint64_t count = 0;
	int code;

	if (tool->daemon < 0)
		return tool_fail(tool, EX_UNAVAILABLE, "flush",
		    "the suite is not running, nothing can be delivered");
	code = ask_count(tool, "flush", id, "flushed", &count);
	if (code == EX_OK && tool->json)
		printf("{\"flushed\":%llu}\n", (unsigned long long)count);
	else if (code == EX_OK)
		printf("%llu message%s will be tried now\n",
		    (unsigned long long)count, count == 1 ? "" : "s");
	return code;
}

static int
do_delete(struct tool *tool, const char *id)
{
	uint64_t count = 1;
	int code = tool->daemon < 0
	    ? direct_delete(tool, id)
	    : ask_count(tool, "delete", id, "deleted", &count);

	if (code == EX_OK && count != 1)
		return tool_fail(tool, EX_IOERR, id, "could not be deleted");
	if (code == EX_OK && tool->json)
		printf("{\"deleted\":\"%s\"}\n", id);
	else if (code == EX_OK)
		printf("%s deleted\n", id);
	return code;
}

static const struct command {
	const char *name;
	enum { NO_ID, MAY_ID, NEEDS_ID } ids;
	int (*run)(struct tool *, const char *id);
	bool ledger; /* whom to ask, and only while it runs */
} commands[] = {
    {"list", NO_ID, do_list, false},
    {"show", NEEDS_ID, do_show, false},
    {"cat", NEEDS_ID, do_cat, false},
    {"flush", MAY_ID, do_flush, false},
    {"delete", NEEDS_ID, do_delete, false},
    {"tls-policy", NEEDS_ID, policy_show, true},
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static const char usage[] =
    "usage: postrider-queue [-c FILE] COMMAND\n"
    "\n"
    "  list [--json]              messages in the spool, the oldest first\n"
    "  show [--json] ID...        a message's envelope and what became of it\n"
    "  cat ID...                  a message's content\n"
    "  flush [--json] [ID...]     try again now: all that waits, or these\n"
    "  delete [--json] ID...      remove messages; nobody is told\n"
    "  tls-policy [--json] DOMAIN...\n"
    "                             what is known of these domains' TLS\n";

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* --json may stand anywhere behind the command. */
static int
take_json(struct tool *tool, int argc, char **argv)
{
	int n = 0;

	for (int i = 0; i < argc; i++)
		if (strcmp(argv[i], "--json") == 0)
			tool->json = true;
		else
			argv[n++] = argv[i];
	return n;
}

/* As root: the spool's owner from here on, whatever is read (rule of root). */
static int
reach(struct tool *tool, const struct config *config, bool ledger)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/admin/%s", config->run_dir,
	    ledger ? "ledger" : "queue");
	tool->daemon = ipc_connect(path);
	if (tool->daemon >= 0) {
		if (privileges_are_root())
			privileges_drop(
			    ACCOUNT_QUEUE, config->spool_dir, false);
		return EX_OK;
	}
	if (errno != ENOENT && errno != ECONNREFUSED)
		return tool_fail(tool,
		    errno == EACCES ? EX_NOPERM : EX_UNAVAILABLE, path,
		    strerror(errno));
	if (ledger)
		return tool_fail(tool, EX_UNAVAILABLE, "tls-policy",
		    "the suite is not running");
	return direct_open(tool, config);
}

static int
run(struct tool *tool, const struct command *command, int argc, char **argv)
{
	int worst = EX_OK, code;

	if (argc == 0)
		return command->run(tool, NULL);
	for (int i = 0; i < argc; i++)
		if ((code = command->run(tool, argv[i])) != EX_OK)
			worst = code;
	return worst;
}

int
main(int argc, char **argv)
{
	struct program_options options = {
	    .program = "postrider-queue", .usage = usage};
	struct tool tool = {.program = options.program, .daemon = -1};
	const struct command *command;
	static struct config config;
	char error[CONFIG_ERROR_MAX];
	int first, code;

	first = program_options(&options, argc, argv);
	log_to_stderr(options.program);
	argc -= first;
	argv += first;
	command = argc > 0 ? find_command(argv[0]) : NULL;
	if (command != NULL)
		argc = take_json(&tool, argc - 1, ++argv);
	if (command == NULL || (command->ids == NO_ID && argc > 0) ||
	    (command->ids == NEEDS_ID && argc == 0)) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	if (config_load(&config, options.config_path, error) == -1) {
		fprintf(stderr, "%s: %s\n", options.program, error);
		return EX_CONFIG;
	}
	code = reach(&tool, &config, command->ledger);
	if (code == EX_OK)
		code = run(&tool, command, argc, argv);
	if (fflush(stdout) == EOF && code == EX_OK)
		code = tool_fail(&tool, EX_IOERR, "write", strerror(errno));
	return code;
}
