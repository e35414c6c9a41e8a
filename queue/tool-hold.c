/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* syncfs */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fs.h"
#include "common/print.h"
#include "common/protocol.h"
#include "queue/pattern.h"
#include "queue/tool-print.h"
#include "queue/tool-steer.h"

enum { SYNC_EACH_MAX = 16 };

static const char default_reason[] = "by the postmaster";

/* -- rules -- */

/* One condition that says whose mail it is, and nothing else. */
static const char *
rule_of(const struct selection *s, enum hold_kind *kind, char number[24])
{
	struct selection rest = *s;

	rest.login = rest.sender = NULL;
	rest.has_uid = false;
	if (!selection_is_empty(&rest) ||
	    (s->login != NULL) + (s->sender != NULL) + s->has_uid != 1)
		return NULL;
	if (s->has_uid) {
		*kind = HOLD_UID;
		snprintf(number, 24, "%" PRId64, s->uid);
		return number;
	}
	*kind = s->login != NULL ? HOLD_LOGIN : HOLD_SENDER;
	return s->login != NULL ? s->login : s->sender;
}

static int
ask_rule(struct tool *tool, const char *verb, enum hold_kind kind,
    const char *name, bool *found)
{
	static struct packet p;
	uint64_t number;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("found", &number)};
	int code;

	packet_start(&p, verb);
	packet_text(&p, "kind", hold_kind_name(kind));
	packet_text(&p, "name", name);
	if (tool->options.reason != NULL)
		packet_text(&p, "reason", tool->options.reason);
	code = ask(tool, &p);
	if (code == EX_OK && !packet_read(&p, "rule", set, 1, 0))
		code = ask_malformed(tool);
	*found = number != 0;
	return code;
}

static int
set_rule(struct tool *tool, enum hold_kind kind, const char *name, bool *found)
{
	if (tool->daemon >= 0)
		return ask_rule(tool, "rule", kind, name, found);
	if (holds_set(&tool->rules, kind, name, tool->options.reason,
		tool->now) == -1)
		return tool_no_memory(tool);
	*found = false;
	return direct_rules(tool);
}

static int
end_rule(struct tool *tool, enum hold_kind kind, const char *name, bool *found)
{
	if (tool->daemon >= 0)
		return ask_rule(tool, "rule-end", kind, name, found);
	*found = holds_end(&tool->rules, kind, name);
	return *found ? direct_rules(tool) : EX_OK;
}

static int
list_rules(struct tool *tool)
{
	/* No message has this id: the rules alone. */
	int code = select_id(&tool->options.selection, "0")
	    ? index_load(tool)
	    : tool_no_memory(tool);

	for (size_t i = 0; code == EX_OK && i < tool->rules.n; i++)
		print_rule(tool, &tool->rules.rules[i], NULL);
	return code;
}

/* -- the disk -- */

static int
sync_one(int folder, uint64_t id)
{
	char name[FS_ID_SIZE];
	int fd, rc;

	tool_id(id, name);
	fd = fs_open_file(folder, name);
	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	rc = fs_sync(fd);
	close(fd);
	return rc;
}

/* Their envelopes say it; now the disk has it, too. */
static int
sync_held(struct tool *tool, const struct ids *ids)
{
	int rc = 0;

	if (ids->n > SYNC_EACH_MAX)
		rc = syncfs(tool->folder);
	else
		for (size_t i = 0; rc == 0 && i < ids->n; i++)
			rc = sync_one(tool->folder, ids->items[i]);
	return rc == 0 ? EX_OK
		       : tool_fail(tool, EX_IOERR, "held, but cannot sync",
			     strerror(errno));
}

/* -- commands -- */

static int
change(struct tool *tool, struct change *c, bool hold)
{
	struct ids ids;
	int code = steer_select(tool, !hold, &ids);

	if (code == EX_OK)
		code = steer(tool, c, &ids);
	if (code == EX_OK && hold)
		code = sync_held(tool, &ids);
	free(ids.items);
	return code == EX_OK ? steer_report(tool, c) : code;
}

static void
say(const struct tool *tool, const char *what, const char *name)
{
	if (tool->json)
		return;
	fputs(what, stdout);
	print_clean(name[0] == '\0' ? "<>" : name);
	putchar('\n');
}

int
hold_run(struct tool *tool)
{
	struct change c = {.verb = "hold",
	    .answer = "held",
	    .reason = true,
	    .certain = true,
	    .direct = direct_hold};
	struct tool_options *o = &tool->options;
	enum hold_kind kind;
	char number[24];
	const char *name = rule_of(&o->selection, &kind, number);
	bool found;
	int code = EX_OK;

	if (o->list_rules)
		return list_rules(tool);
	if (o->reason == NULL || o->reason[0] == '\0')
		o->reason = default_reason;
	if (name != NULL) {
		if (tool->daemon < 0 && (code = index_load(tool)) != EX_OK)
			return code;
		code = set_rule(tool, kind, name, &found);
	}
	if (code != EX_OK)
		return code;
	if (name != NULL)
		say(tool, "held from now on: ", name);
	return change(tool, &c, true);
}

/*
 * What the login has sent so far counts no more: else the next message is too
 * much again.  Before its rule ends, so that none comes in between.
 */
static int
forgive(struct tool *tool, const char *name)
{
	enum { ANSWER_MS = 5000 };
	static struct packet p;
	char login[HOLD_NAME_MAX + 1];

	if (tool->daemon < 0 || !pattern_plain(name, login, sizeof(login)))
		return EX_OK;
	packet_start(&p, "forget");
	packet_text(&p, "user", login);
	packet_number(&p, "budget", 1);
	if (tool->ledger >= 0 &&
	    ipc_call(tool->ledger, &p, clock_monotonic_ms() + ANSWER_MS) ==
		IPC_OK &&
	    (packet_is(&p, "done") || packet_is(&p, "failed")))
		return EX_OK;
	return tool_fail(tool, EX_TEMPFAIL, "ledger",
	    "does not answer: what the login has sent still counts; say it "
	    "again later");
}

int
release_run(struct tool *tool)
{
	struct change c = {
	    .verb = "release", .answer = "released", .direct = direct_release};
	struct selection *s = &tool->options.selection;
	enum hold_kind kind;
	char number[24];
	const char *name = rule_of(s, &kind, number);
	bool found = false;
	int code = EX_OK, forgiven = EX_OK;

	if (name != NULL && kind == HOLD_LOGIN)
		forgiven = forgive(tool, name);
	if (name != NULL) {
		if (tool->daemon < 0 && (code = index_load(tool)) != EX_OK)
			return code;
		code = end_rule(tool, kind, name, &found);
	}
	if (code != EX_OK)
		return code;
	if (found)
		say(tool, "no longer held: ", name);
	code = change(tool, &c, false);
	return code == EX_OK ? forgiven : code;
}
