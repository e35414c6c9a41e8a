/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "common/print.h"
#include "queue/spool.h"
#include "queue/tool-print.h"
#include "queue/trace-log.h"
#include "queue/trace-search.h"
#include "queue/words.h"

/* -- telling -- */

static void
put_line_time(int64_t ms)
{
	char text[32];
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;

	if (ms <= 0 || localtime_r(&seconds, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) == 0)
		return; /* the log does not say */
	printf("%s.%03d  ", text, (int)(ms % 1000));
}

/* A line's pairs must not stand for what is told of the line. */
static bool
is_own_key(const char *key)
{
	static const char *const own[] = {
	    "time", "program", "pid", "event", "text", "session"};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (strcmp(own[i], key) == 0)
			return true;
	return false;
}

static void
put_json(const struct trace_line *line, const struct trace_found *f,
    const char *sentence)
{
	int64_t ms = f->time_ms;

	if (ms > 0)
		printf(
		    "{\"time\":%" PRId64 ".%03d,", ms / 1000, (int)(ms % 1000));
	else
		fputs("{\"time\":null,", stdout);
	print_json_text("program", line->program);
	printf(",\"pid\":%ld,", line->pid);
	print_json_text("event", line->event);
	for (size_t i = 0; i < line->n; i++) {
		if (is_own_key(line->pairs[i].key))
			continue;
		putchar(',');
		print_json_text(line->pairs[i].key, line->pairs[i].value);
	}
	if (f->session != 0)
		printf(",\"session\":%zu", f->session);
	putchar(',');
	print_json_text("text", sentence);
	puts("}");
}

/* A line about a report in the story of the message that it is about. */
static void
put_other_id(const struct trace_search *s, const struct trace_found *f,
    const struct trace_line *l)
{
	const char *id = trace_value(l, "id");
	char own[FS_ID_SIZE];

	if (id == NULL || !spool_is_id(id) || f->story == TRACE_SET_ALONE)
		return;
	trace_set_name(&s->ids, f->story, own);
	if (strcmp(id, own) != 0)
		printf("%s ", id);
}

static int
tell(struct tool *tool, const struct trace_search *s,
    const struct trace_found *f)
{
	static struct trace_line line;
	struct buf sentence = BUF_INIT(65536);
	const char *text;

	if (tool->options.verbose && !tool->json) {
		print_clean(f->text);
		putchar('\n');
		return EX_OK;
	}
	if (!trace_parse(&line, f->text, strlen(f->text), tool->now))
		return EX_OK;
	trace_sentence(&sentence, &line);
	text = buf_text(&sentence);
	if (text == NULL)
		return tool_no_memory(tool);
	if (tool->json) {
		put_json(&line, f, text);
	} else {
		put_line_time(f->time_ms);
		put_other_id(s, f, &line);
		print_clean(text);
		putchar('\n');
	}
	buf_free(&sentence);
	return EX_OK;
}

/* Whose session, and the newest reason why it brought nothing. */
static void
put_client(const struct tool *tool, const struct trace_search *s, size_t i)
{
	static struct trace_line line;
	char reason[1024] = "", client[64] = "?";

	for (size_t k = i;
	     k < s->n && s->lines[k].session == s->lines[i].session; k++) {
		const char *text = s->lines[k].text, *why;

		if (!trace_parse(&line, text, strlen(text), tool->now))
			continue;
		snprintf(
		    client, sizeof(client), "%s", trace_value(&line, "client"));
		why = trace_value(&line, "reason");
		if (why != NULL && trace_is_refusal(&line))
			snprintf(reason, sizeof(reason), ": %s", why);
	}
	print_clean(client);
	print_clean(reason);
	puts(reason[0] != '\0' ? "" : ":");
}

static bool
begins_group(const struct trace_search *s, size_t i)
{
	const struct trace_found *f = &s->lines[i];

	return i == 0 || f->story != f[-1].story || f->session != f[-1].session;
}

static void
put_head(const struct tool *tool, const struct trace_search *s, size_t i)
{
	const struct trace_found *f = &s->lines[i];
	char id[FS_ID_SIZE];

	if (tool->json || tool->options.verbose)
		return;
	if (f->session != 0) {
		put_client(tool, s, i);
	} else if (f->story == TRACE_SET_ALONE) {
		puts("refused, or without an id:");
	} else {
		trace_set_name(&s->ids, f->story, id);
		printf("%s:\n", id);
	}
}

static bool
has_several_groups(const struct trace_search *s)
{
	for (size_t i = 1; i < s->n; i++)
		if (begins_group(s, i))
			return true;
	return false;
}

static int
tell_all(struct tool *tool, struct trace_search *s)
{
	int code = trace_sessions(tool, s);
	bool several;

	trace_sort(s);
	several = has_several_groups(s);
	for (size_t i = 0; code == EX_OK && i < s->n; i++) {
		if (begins_group(s, i) && (several || s->lines[i].session != 0))
			put_head(tool, s, i);
		code = tell(tool, s, &s->lines[i]);
	}
	return code;
}

/* -- where they are now -- */

static int
say_where(struct tool *tool, const struct row *row, const struct envelope *e,
    void *context)
{
	char id[FS_ID_SIZE], age[WORDS_SIZE];

	(void)context;
	tool_id(row->id, id);
	words_duration(age, row->next - tool->now);
	printf("%s is in the queue: %s", id, state_name(row->state));
	if (row->state == STATE_WAITING && row->next > tool->now)
		printf(", next try in %s", age);
	printf(
	    ", for %zu recipient(s)\n", envelope_count(e, RECIPIENT_PENDING));
	return EX_OK;
}

static int
tell_where(struct tool *tool, const struct trace_search *s)
{
	struct selection *chosen = &tool->options.selection;
	char id[FS_ID_SIZE];
	int code;

	if (tool->json || (tool->daemon < 0 && !tool->direct))
		return EX_OK;
	selection_free(chosen);
	for (size_t i = 0; i < s->ids.n; i++) {
		trace_set_name(&s->ids, i, id);
		if (!select_id(chosen, id))
			return tool_no_memory(tool);
	}
	selection_sort(chosen);
	if (chosen->n == 0)
		return EX_OK;
	code = index_load(tool);
	return code == EX_OK ? scan(tool, say_where, NULL) : code;
}

/* -- the command -- */

static int
begin(struct tool *tool, struct trace_search *s)
{
	const struct tool_options *o = &tool->options;
	char id[FS_ID_SIZE];
	int64_t when;

	if (!trace_whom_read(&s->whom, o->words, o->nwords))
		return tool_no_memory(tool);
	s->whom.not_let_in = o->nwords == 0 && o->selection.n == 0;
	s->until_ms = INT64_MAX;
	if (o->since != NULL && words_read_time(o->since, tool->now, &when))
		s->since_ms = when * 1000;
	if (o->until != NULL && words_read_time(o->until, tool->now, &when))
		s->until_ms = when * 1000 + 999;
	for (size_t i = 0; i < o->selection.n; i++) {
		tool_id(o->selection.ids[i], id);
		if (trace_set_add(&s->ids, id, TRACE_SET_NONE) ==
		    TRACE_SET_NONE)
			return tool_no_memory(tool);
	}
	return EX_OK;
}

int
trace_run(struct tool *tool)
{
	struct trace_search s = {0};
	int code = begin(tool, &s);

	if (code == EX_OK)
		code = trace_search(tool, &s);
	if (code == EX_OK)
		code = tell_all(tool, &s);
	if (code == EX_OK)
		code = tell_where(tool, &s);
	if (code == EX_OK && s.n == 0)
		code = tool_fail(tool, EX_NOINPUT, "log", "nothing is found");
	trace_search_free(&s);
	return code;
}
