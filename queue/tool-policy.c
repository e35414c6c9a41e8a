/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "common/clock.h"
#include "common/print.h"
#include "queue/tool.h"

/*
 * What the suite knows of a domain's TLS: ledger's lines, which are sentences
 * for people.
 */
enum { ANSWER_MS = 10000 };

static void
print_lines(const struct packet *p, const char *domain)
{
	struct cursor c = packet_cursor(p);
	const char *name, *line;
	bool any = false;

	print_clean(domain);
	putchar(':');
	while (packet_next(&c, &name, &line)) {
		fputs("\n  ", stdout);
		print_clean(line);
		any = true;
	}
	puts(any ? "" : " nothing is known; the next message will tell");
}

static void
print_lines_json(const struct packet *p, const char *domain)
{
	struct cursor c = packet_cursor(p);
	const char *name, *line, *between = "";

	fputs("{\"domain\":", stdout);
	print_json_string(domain);
	fputs(",\"known\":[", stdout);
	while (packet_next(&c, &name, &line)) {
		fputs(between, stdout);
		print_json_string(line);
		between = ",";
	}
	puts("]}");
}

static int
show(struct tool *tool, const char *domain)
{
	static struct packet p;
	enum ipc_result result;

	packet_start(&p, "tls-policy");
	packet_text(&p, "domain", domain);
	result = ipc_call(tool->daemon, &p, clock_monotonic_ms() + ANSWER_MS);
	if (result != IPC_OK)
		return tool_fail(tool, EX_TEMPFAIL, "ledger",
		    result == IPC_TIMEOUT      ? "does not answer"
			: result == IPC_CLOSED ? "closed the connection"
					       : strerror(errno));
	if (!packet_is(&p, "tls-policy"))
		return tool_fail(
		    tool, EX_PROTOCOL, "ledger", "malformed answer");
	if (tool->json)
		print_lines_json(&p, domain);
	else
		print_lines(&p, domain);
	return EX_OK;
}

int
policy_run(struct tool *tool)
{
	int worst = EX_OK, code;

	for (size_t i = 0; i < tool->options.nwords; i++) {
		code = show(tool, tool->options.words[i]);
		if (code != EX_OK)
			worst = code;
	}
	return worst;
}
