/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "common/protocol.h"
#include "queue/admin.h"
#include "queue/spool.h"
#include "queue/tool.h"

bool
index_add(struct tool *tool, const struct row *row)
{
	if (tool->n == tool->room) {
		size_t room = tool->room == 0 ? 256 : 2 * tool->room;
		struct row *more =
		    reallocarray(tool->rows, room, sizeof(*more));

		if (more == NULL)
			return false;
		tool->rows = more;
		tool->room = room;
	}
	tool->rows[tool->n++] = *row;
	return true;
}

static int
by_age(const void *left, const void *right)
{
	const struct row *a = left, *b = right;

	if (a->born != b->born)
		return a->born < b->born ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

/* As queue tells what came in since it started. */
static bool
is_sorted(const struct tool *tool)
{
	for (size_t i = 1; i < tool->n; i++)
		if (by_age(&tool->rows[i - 1], &tool->rows[i]) > 0)
			return false;
	return true;
}

int
index_missing(const struct tool *tool)
{
	const struct selection *s = &tool->options.selection;
	bool *found;
	char id[FS_ID_SIZE];
	int code = EX_OK;

	if (s->n == 0 || tool->n >= s->n)
		return EX_OK;
	found = calloc(s->n, sizeof(*found));
	if (found == NULL)
		return tool_no_memory(tool);
	for (size_t i = 0; i < tool->n; i++)
		found[selection_place(s, tool->rows[i].id)] = true;
	for (size_t i = 0; i < s->n; i++)
		if (!found[i]) {
			tool_id(s->ids[i], id);
			code = tool_unknown(tool, id);
		}
	free(found);
	return code;
}

/* -- the daemon's -- */

static bool
read_id(struct span text, uint64_t *id)
{
	*id = 0;
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c >= '0' && c <= '9')
			*id = *id << 4 | (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*id = *id << 4 | (unsigned)(c - 'a' + 10);
		else
			return false;
	}
	return text.len == FS_ID_SIZE - 1;
}

/* ID STATE ATTEMPTS NEXT BORN */
static bool
read_row(const char *text, struct row *row)
{
	struct cursor c = cursor_over(text, strlen(text));
	struct span id = cursor_until(&c, ' '), state = cursor_until(&c, ' ');
	char word[FS_ID_SIZE];
	uint64_t attempts, next, born;

	attempts = cursor_decimal(&c);
	cursor_expect(&c, " ");
	next = cursor_decimal(&c);
	cursor_expect(&c, " ");
	born = cursor_decimal(&c);
	if (!cursor_done(&c) || !read_id(id, &row->id) ||
	    state.len >= sizeof(word))
		return false;
	memcpy(word, state.data, state.len);
	word[state.len] = '\0';
	if (!state_named(word, &row->state))
		return false;
	row->attempts = (unsigned)attempts;
	row->next = (int64_t)next;
	row->born = (int64_t)born;
	return true;
}

static int
take_rows(struct tool *tool, const struct packet *p)
{
	struct cursor c = packet_cursor(p);
	const char *name, *value;
	struct row row;

	while (packet_next(&c, &name, &value)) {
		if (strcmp(name, "m") != 0 || !read_row(value, &row))
			return ask_malformed(tool);
		if (!index_add(tool, &row))
			return tool_no_memory(tool);
	}
	return EX_OK;
}

/* The request is in the packet: folder, then rows, then the end. */
static int
receive_rows(struct tool *tool, struct packet *p)
{
	int code = ask(tool, p);

	if (code != EX_OK)
		return code;
	if (!packet_read(p, "folder", NULL, 0, 1)) {
		packet_close(p);
		return ask_malformed(tool);
	}
	if (tool->folder >= 0)
		packet_close(p);
	else
		tool->folder = packet_detach(p, 0);
	while ((code = ask_next(tool, p)) == EX_OK && !packet_is(p, "end"))
		if ((code = packet_is(p, "index")
			    ? take_rows(tool, p)
			    : ask_malformed(tool)) != EX_OK)
			break;
	return code;
}

static int
ask_rows(struct tool *tool)
{
	static struct packet p;
	const struct selection *s = &tool->options.selection;
	char id[FS_ID_SIZE];
	int code = EX_OK;

	if (s->n == 0) {
		packet_start(&p, "index");
		return receive_rows(tool, &p);
	}
	for (size_t i = 0; code == EX_OK && i < s->n; i += ADMIN_IDS) {
		packet_start(&p, "index");
		for (size_t k = i; k < s->n && k < i + ADMIN_IDS; k++) {
			tool_id(s->ids[k], id);
			packet_text(&p, "id", id);
		}
		code = receive_rows(tool, &p);
	}
	return code;
}

static int
ask_rules(struct tool *tool)
{
	static struct packet p;
	const char *name, *pattern, *reason;
	uint64_t when;
	enum hold_kind kind;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("kind", PROTOCOL_NAME_MAX, &name),
	    ATTRIBUTE_TEXT("name", HOLD_NAME_MAX, &pattern),
	    ATTRIBUTE_NUMBER("time", &when),
	    ATTRIBUTE_TEXT("reason", PROTOCOL_TEXT_MAX, &reason),
	};
	int code;

	packet_start(&p, "rules");
	for (code = ask(tool, &p); code == EX_OK && !packet_is(&p, "end");
	     code = ask_next(tool, &p)) {
		if (!packet_read(&p, "rule", set, 4, 0) ||
		    !hold_kind_named(name, &kind))
			return ask_malformed(tool);
		if (holds_set(&tool->rules, kind, pattern, reason,
			(int64_t)when) == -1)
			return tool_no_memory(tool);
	}
	return code;
}

int
index_load(struct tool *tool)
{
	int code;

	tool->n = 0;
	if (tool->daemon < 0)
		code = direct_index(tool);
	else if ((code = ask_rules(tool)) == EX_OK)
		code = ask_rows(tool);
	if (tool->n > 1 && !is_sorted(tool))
		qsort(tool->rows, tool->n, sizeof(tool->rows[0]), by_age);
	return code;
}
