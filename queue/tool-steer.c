/* SPDX-License-Identifier: ISC */
#include "queue/tool-steer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "common/protocol.h"
#include "queue/admin.h"

/* -- which -- */

static int
collect(struct tool *tool, const struct row *row, const struct envelope *e,
    void *context)
{
	struct ids *ids = context;

	if (ids->held && row->state != STATE_HELD && e->held == NULL)
		return EX_OK;
	if ((ids->n & (ids->n - 1)) == 0) {
		uint64_t *more = reallocarray(
		    ids->items, ids->n == 0 ? 1 : 2 * ids->n, sizeof(*more));

		if (more == NULL)
			return tool_no_memory(tool);
		ids->items = more;
	}
	ids->items[ids->n++] = row->id;
	return EX_OK;
}

/* Named by id: that its envelope cannot be read is no reason to spare it. */
static int
take_ids(struct tool *tool, struct ids *ids)
{
	const struct selection *s = &tool->options.selection;

	ids->items = reallocarray(NULL, s->n, sizeof(*ids->items));
	if (ids->items == NULL)
		return tool_no_memory(tool);
	memcpy(ids->items, s->ids, s->n * sizeof(*ids->items));
	ids->n = s->n;
	return EX_OK;
}

int
steer_select(struct tool *tool, bool held, struct ids *ids)
{
	int code = index_load(tool);

	*ids = (struct ids){.held = held};
	if (code != EX_OK)
		return code;
	if (selection_is_ids(&tool->options.selection))
		return take_ids(tool, ids);
	ids->worst = index_missing(tool);
	code = scan(tool, collect, ids);
	/* What can be read is changed; the rest was told. */
	if (code != EX_IOERR)
		return code;
	ids->worst = code;
	return EX_OK;
}

/* -- by the daemon -- */

static int
read_answer(struct tool *tool, struct change *c, const struct packet *p)
{
	struct cursor cursor = packet_cursor(p);
	const char *name, *value;

	if (!packet_is(p, c->answer))
		return ask_malformed(tool);
	while (packet_next(&cursor, &name, &value))
		if (strcmp(name, "count") == 0)
			c->count += strtoull(value, NULL, 10);
		else if (strcmp(name, "active") == 0)
			c->active += strtoull(value, NULL, 10);
		else if (strcmp(name, "unknown") == 0)
			c->worst = tool_unknown(tool, value);
	return EX_OK;
}

static int
ask_some(struct tool *tool, struct change *c, const uint64_t *ids, size_t n)
{
	static struct packet p;
	char id[FS_ID_SIZE];
	int code;

	packet_start(&p, c->verb);
	if (c->reason)
		packet_text(&p, "reason", tool->options.reason);
	for (size_t i = 0; i < n; i++) {
		tool_id(ids[i], id);
		packet_text(&p, "id", id);
	}
	code = ask(tool, &p);
	return code == EX_OK ? read_answer(tool, c, &p) : code;
}

/* -- without -- */

static int
change_some(struct tool *tool, struct change *c, const uint64_t *ids, size_t n)
{
	char id[FS_ID_SIZE];
	int code;

	for (size_t i = 0; i < n; i++) {
		tool_id(ids[i], id);
		code = c->direct(tool, id);
		if (code == EX_OK)
			c->count++;
		else
			c->worst = code;
	}
	return EX_OK;
}

int
steer(struct tool *tool, struct change *c, const struct ids *ids)
{
	int code = EX_OK;

	c->worst = ids->worst;
	for (size_t i = 0; code == EX_OK && i < ids->n; i += ADMIN_IDS) {
		size_t n = ids->n - i < ADMIN_IDS ? ids->n - i : ADMIN_IDS;

		code = tool->daemon >= 0
		    ? ask_some(tool, c, ids->items + i, n)
		    : change_some(tool, c, ids->items + i, n);
	}
	if (code == EX_OK && c->certain && c->worst == EX_OK &&
	    c->count < ids->n)
		c->worst = tool_fail(tool, EX_IOERR, "queue",
		    "some could not be changed; the log says why");
	return code;
}

int
steer_report(const struct tool *tool, const struct change *c)
{
	if (tool->json) {
		printf("{\"%s\":%zu,\"active\":%zu}\n", c->answer, c->count,
		    c->active);
		return c->worst;
	}
	printf(
	    "%zu message%s %s", c->count, c->count == 1 ? "" : "s", c->answer);
	if (c->active > 0)
		printf(", %zu of them when %s attempt has ended", c->active,
		    c->active == 1 ? "its" : "their");
	putchar('\n');
	return c->worst;
}
