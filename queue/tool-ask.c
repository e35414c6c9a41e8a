/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <string.h>
#include <sysexits.h>

#include "common/clock.h"
#include "common/protocol.h"
#include "queue/tool.h"

enum { ANSWER_MS = 60 * 1000 };

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

int
ask_malformed(const struct tool *tool)
{
	return tool_fail(tool, EX_PROTOCOL, "queue", "malformed answer");
}

static int
refused(const struct tool *tool, const struct packet *p)
{
	const char *text;
	const struct attribute id[] = {
	    ATTRIBUTE_TEXT("id", PROTOCOL_ID_MAX, &text)};
	const struct attribute reason[] = {
	    ATTRIBUTE_TEXT("reason", PROTOCOL_TEXT_MAX, &text)};

	if (packet_read(p, "unknown", id, 1, 0))
		return tool_unknown(tool, text);
	if (packet_read(p, "failed", reason, 1, 0))
		return tool_fail(tool, EX_IOERR, "queue", text);
	return EX_OK;
}

int
ask(struct tool *tool, struct packet *p)
{
	enum ipc_result result = ipc_call(tool->daemon, p, soon());

	return result == IPC_OK ? refused(tool, p) : no_answer(tool, result);
}

int
ask_next(struct tool *tool, struct packet *p)
{
	enum ipc_result result = ipc_receive(tool->daemon, p, soon());

	return result == IPC_OK ? EX_OK : no_answer(tool, result);
}
