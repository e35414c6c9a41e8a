/* SPDX-License-Identifier: ISC */
/* user.h: what ledger counts of clients, and how it is made to forget it. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/admin.h"
#include "common/clock.h"
#include "common/print.h"
#include "common/program.h"
#include "userdb/user.h"

enum { PATIENCE_MS = 5000 };

static struct packet packet;

/* The question is in the packet; so is the answer.  An exit code. */
static int
ask(const struct config *config, const char *of)
{
	int fd = admin_connect(config, "ledger");
	enum ipc_result result;

	if (fd == -1)
		return program_fail(
		    EX_UNAVAILABLE, "%s: ledger does not run", of);
	result = ipc_call(fd, &packet, clock_monotonic_ms() + PATIENCE_MS);
	packet_close(&packet);
	close(fd);
	return result == IPC_OK
	    ? EX_OK
	    : program_fail(EX_UNAVAILABLE, "%s: ledger gives no answer", of);
}

/* An address of mail is a user's, any other a client's. */
static void
ask_about(const char *verb, const char *of)
{
	packet_start(&packet, verb);
	packet_text(&packet, strchr(of, '@') != NULL ? "user" : "client", of);
}

static void
put_lines(const char *of)
{
	struct cursor c = packet_cursor(&packet);
	const char *name, *value;

	printf("%s\n", of);
	while (packet_next(&c, &name, &value))
		printf("  %s\n", value);
}

static void
put_json(const char *of, bool first)
{
	struct cursor c = packet_cursor(&packet);
	const char *name, *value, *between = "";

	printf("%s{\"of\": ", first ? "" : ",\n ");
	print_json_string(of);
	printf(", \"tallies\": [");
	while (packet_next(&c, &name, &value)) {
		fputs(between, stdout);
		print_json_string(value);
		between = ", ";
	}
	printf("]}");
}

int
tallies_show(struct request *r)
{
	bool json = (r->options & OPTION_JSON) != 0, first = true;
	int code = EX_OK;

	if (json)
		printf("[");
	for (int i = 0; i < r->argc; i++) {
		int failed;

		ask_about("tallies", r->argv[i]);
		failed = ask(r->config, r->argv[i]);
		if (failed != EX_OK) {
			code = code == EX_OK ? failed : code;
			continue;
		}
		if (json)
			put_json(r->argv[i], first);
		else
			put_lines(r->argv[i]);
		first = false;
	}
	if (json)
		printf("]\n");
	return code;
}

int
tallies_forget_one(struct request *r, const char *of)
{
	int code;

	ask_about("forget", of);
	code = ask(r->config, of);
	if (code == EX_OK && !packet_is(&packet, "done"))
		return program_fail(
		    EX_NOUSER, "%s: nothing is counted there", of);
	return code;
}
