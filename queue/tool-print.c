/* SPDX-License-Identifier: ISC */
#include "queue/tool-print.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "common/print.h"
#include "queue/describe.h"

void
print_json_text(const char *name, const char *text)
{
	printf("\"%s\":", name);
	if (text == NULL)
		fputs("null", stdout);
	else
		print_json_string(text);
}

void
print_json_number(const char *name, uint64_t value)
{
	printf("\"%s\":%" PRIu64, name, value);
}

void
print_time(int64_t when)
{
	char text[32];
	time_t seconds = (time_t)when;
	struct tm tm;

	if (localtime_r(&seconds, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) == 0)
		snprintf(text, sizeof(text), "%" PRId64, when);
	fputs(text, stdout);
}

void
print_message_head_json(
    const struct tool *tool, const struct row *row, const struct envelope *e)
{
	char id[FS_ID_SIZE];

	tool_id(row->id, id);
	printf("{\"id\":\"%s\",\"time\":%" PRId64 ",\"size\":%" PRIu64 ",", id,
	    e->time, e->content);
	print_json_text("sender", e->sender);
	putchar(',');
	print_json_text("login", e->login != NULL ? e->login : "");
	putchar(',');
	if (e->uid < 0)
		print_json_text("uid", NULL);
	else
		print_json_number("uid", (uint64_t)e->uid);
	printf(",\"state\":\"%s\",\"attempts\":%u,\"next\":%" PRId64 ",",
	    state_name(row->state), row->attempts, row->next);
	print_json_text("reason", describe_outcome(e));
	putchar(',');
	print_json_text("held",
	    row->state == STATE_HELD ? holds_reason(&tool->rules, e) : NULL);
}

void
print_message_json(
    const struct tool *tool, const struct row *row, const struct envelope *e)
{
	print_message_head_json(tool, row, e);
	printf(",\"recipients\":%zu,\"pending\":%zu", describe_originals(e),
	    envelope_count(e, RECIPIENT_PENDING));
}

void
print_rule(
    const struct tool *tool, const struct hold_rule *r, const char *json_kind)
{
	const char *kind = hold_kind_name(r->kind);
	const char *name = r->name[0] == '\0' ? "<>" : r->name;

	if (tool->json) {
		printf(
		    "{\"kind\":\"%s\",", json_kind != NULL ? json_kind : kind);
		if (json_kind != NULL)
			printf("\"of\":\"%s\",", kind);
		print_json_text("name", name);
		printf(",\"time\":%" PRId64 ",", r->since);
		print_json_text("reason", r->reason);
		puts("}");
		return;
	}
	print_time(r->since);
	printf("  %-6s  ", kind);
	print_clean(name);
	fputs("  ", stdout);
	print_clean(r->reason);
	putchar('\n');
}
