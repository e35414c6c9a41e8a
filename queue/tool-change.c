/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "common/protocol.h"
#include "queue/pattern.h"
#include "queue/tool-steer.h"

static int
change_selected(struct tool *tool, struct change *c)
{
	struct ids ids;
	int code = steer_select(tool, false, &ids);

	if (code == EX_OK)
		code = steer(tool, c, &ids);
	free(ids.items);
	return code == EX_OK ? steer_report(tool, c) : code;
}

int
delete_run(struct tool *tool)
{
	struct change c = {.verb = "delete",
	    .answer = "deleted",
	    .certain = true,
	    .direct = direct_delete};

	return change_selected(tool, &c);
}

int
requeue_run(struct tool *tool)
{
	struct change c = {.verb = "requeue", .answer = "requeued"};

	return change_selected(tool, &c);
}

/* -- flush -- */

/* All, or all to a destination, whose rest ends. */
static int
flush_destination(struct tool *tool, const char *name, uint64_t *count)
{
	static struct packet p;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("count", count)};
	int code;

	packet_start(&p, "flush");
	if (name != NULL)
		packet_text(&p, "name", name);
	code = ask(tool, &p);
	if (code == EX_OK && !packet_read(&p, "flushed", set, 1, 0))
		code = ask_malformed(tool);
	return code;
}

static bool
is_one_domain(const struct selection *s)
{
	struct selection rest = *s;

	rest.domain = NULL;
	return s->domain != NULL && !pattern_is_wild(s->domain) &&
	    selection_is_empty(&rest);
}

int
flush_run(struct tool *tool)
{
	const struct tool_options *o = &tool->options;
	struct change c = {.verb = "flush", .answer = "flushed"};
	uint64_t count = 0;
	int code = EX_OK;

	for (size_t i = 0; code == EX_OK && i < o->nwords; i++) {
		code = flush_destination(tool, o->words[i], &count);
		c.count += count;
	}
	if (code != EX_OK)
		return code;
	if (selection_is_empty(&o->selection) || o->selection.all) {
		if (o->nwords == 0) {
			code = flush_destination(tool, NULL, &count);
			c.count += count;
		}
		return code == EX_OK ? steer_report(tool, &c) : code;
	}
	code = change_selected(tool, &c);
	if (code == EX_OK && is_one_domain(&o->selection))
		code = flush_destination(tool, o->selection.domain, &count);
	return code;
}
