/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* memmem */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "common/print.h"
#include "queue/pattern.h"
#include "queue/spool.h"
#include "queue/tool-print.h"
#include "queue/trace-log.h"
#include "queue/trace-set.h"
#include "queue/words.h"

/*
 * The log is read until no further message comes to light: an address leads
 * to ids, a message to its report, whose lines may stand above the one that
 * tells of it.
 */
enum { READINGS_MAX = 4, LINES_MAX = 200000 };

struct found {
	char *text;      /* owned */
	int64_t time_ms; /* of the log, or of the line before */
	size_t story, order;
};

struct search {
	struct trace_set ids;
	int64_t since_ms, until_ms;
	struct found *lines;
	size_t n;
	int64_t last_ms;
	bool keep; /* the last reading: lines are kept */
};

/* -- which lines -- */

static bool
is_address_key(const char *key)
{
	return strcmp(key, "from") == 0 || strcmp(key, "to") == 0 ||
	    strcmp(key, "orig_to") == 0;
}

static bool
names_address(const struct tool *tool, const struct trace_line *line)
{
	const struct tool_options *o = &tool->options;

	for (size_t i = 0; i < line->n; i++)
		for (size_t k = 0;
		     k < o->nwords && is_address_key(line->pairs[i].key); k++)
			if (pattern_matches(o->words[k], line->pairs[i].value))
				return true;
	return false;
}

static bool
in_time(const struct search *s, const struct trace_line *line)
{
	return line->time_ms < 0 ||
	    (line->time_ms >= s->since_ms && line->time_ms <= s->until_ms);
}

static bool
is_id(const char *text)
{
	return text != NULL && spool_is_id(text);
}

static int
keep_line(struct tool *tool, struct search *s, const struct trace_line *line,
    const char *text, size_t n, size_t story)
{
	struct found *f;

	if (s->n == LINES_MAX)
		return tool_fail(tool, EX_DATAERR, "log",
		    "too many lines; --since and --until narrow it down");
	if ((s->n & (s->n - 1)) == 0) {
		struct found *more = reallocarray(
		    s->lines, s->n == 0 ? 1 : 2 * s->n, sizeof(*more));

		if (more == NULL)
			return tool_no_memory(tool);
		s->lines = more;
	}
	f = &s->lines[s->n];
	*f = (struct found){
	    .time_ms = line->time_ms >= 0 ? line->time_ms : s->last_ms,
	    .story = story,
	    .order = s->n,
	    .text = strndup(text, n)};
	if (f->text == NULL)
		return tool_no_memory(tool);
	s->n++;
	return EX_OK;
}

/* A line about one of them, or one that leads to another. */
static int
look(struct tool *tool, const char *text, size_t n, void *context)
{
	static struct trace_line line;
	struct search *s = context;
	const char *id, *report;
	size_t story = TRACE_SET_NONE;

	if (memmem(text, n, "id=", 3) == NULL &&
	    memmem(text, n, "=<", 2) == NULL)
		return EX_OK;
	if (!trace_parse(&line, text, n, tool->now) || !in_time(s, &line))
		return EX_OK;
	if (line.time_ms >= 0)
		s->last_ms = line.time_ms;
	id = trace_value(&line, "id");
	report = trace_value(&line, "report");
	if (is_id(id))
		story = trace_set_find(&s->ids, id);
	if (story == TRACE_SET_NONE && is_id(report))
		story = trace_set_find(&s->ids, report);
	if (story == TRACE_SET_NONE && names_address(tool, &line)) {
		story = TRACE_SET_ALONE;
		if (is_id(id) &&
		    (story = trace_set_add(&s->ids, id, TRACE_SET_NONE)) ==
			TRACE_SET_NONE)
			return tool_no_memory(tool);
	}
	if (story == TRACE_SET_NONE)
		return EX_OK;
	if (is_id(id) && is_id(report) &&
	    trace_set_find(&s->ids, id) != TRACE_SET_NONE &&
	    trace_set_add(&s->ids, report, story) == TRACE_SET_NONE)
		return tool_no_memory(tool);
	return s->keep ? keep_line(tool, s, &line, text, n, story) : EX_OK;
}

static int
read_log(struct tool *tool, struct search *s)
{
	size_t before;
	int code = EX_OK;

	for (int i = 0; code == EX_OK && i < READINGS_MAX; i++) {
		before = s->ids.n;
		code = trace_each(tool, look, s);
		if (s->ids.n == before)
			break;
	}
	s->keep = true;
	return code == EX_OK ? trace_each(tool, look, s) : code;
}

/* -- telling -- */

static int
by_story(const void *left, const void *right)
{
	const struct found *a = left, *b = right;

	if (a->story != b->story)
		return a->story < b->story ? -1 : 1;
	if (a->time_ms != b->time_ms)
		return a->time_ms < b->time_ms ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

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

static void
put_json(const struct trace_line *line, int64_t ms, const char *sentence)
{
	if (ms > 0)
		printf(
		    "{\"time\":%" PRId64 ".%03d,", ms / 1000, (int)(ms % 1000));
	else
		fputs("{\"time\":null,", stdout);
	print_json_text("program", line->program);
	printf(",\"pid\":%ld,", line->pid);
	print_json_text("event", line->event);
	for (size_t i = 0; i < line->n; i++) {
		putchar(',');
		print_json_text(line->pairs[i].key, line->pairs[i].value);
	}
	putchar(',');
	print_json_text("text", sentence);
	puts("}");
}

/* A line about a report in the story of the message that it is about. */
static void
put_other_id(
    const struct search *s, const struct found *f, const struct trace_line *l)
{
	const char *id = trace_value(l, "id");
	char own[FS_ID_SIZE];

	if (!is_id(id) || f->story == TRACE_SET_ALONE)
		return;
	trace_set_name(&s->ids, f->story, own);
	if (strcmp(id, own) != 0)
		printf("%s ", id);
}

static int
tell(struct tool *tool, const struct search *s, const struct found *f)
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
		put_json(&line, f->time_ms, text);
	} else {
		put_line_time(f->time_ms);
		put_other_id(s, f, &line);
		print_clean(text);
		putchar('\n');
	}
	buf_free(&sentence);
	return EX_OK;
}

static void
put_head(const struct tool *tool, const struct search *s, size_t story)
{
	char id[FS_ID_SIZE];

	if (tool->json || tool->options.verbose)
		return;
	if (story == TRACE_SET_ALONE) {
		puts("refused, or without an id:");
		return;
	}
	trace_set_name(&s->ids, story, id);
	printf("%s:\n", id);
}

static int
tell_all(struct tool *tool, struct search *s)
{
	int code = EX_OK;
	bool several;

	if (s->n > 1)
		qsort(s->lines, s->n, sizeof(s->lines[0]), by_story);
	several = s->n > 0 && s->lines[0].story != s->lines[s->n - 1].story;
	for (size_t i = 0; code == EX_OK && i < s->n; i++) {
		if (several &&
		    (i == 0 || s->lines[i].story != s->lines[i - 1].story))
			put_head(tool, s, s->lines[i].story);
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
tell_where(struct tool *tool, const struct search *s)
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
begin(struct tool *tool, struct search *s)
{
	const struct tool_options *o = &tool->options;
	char id[FS_ID_SIZE];
	int64_t when;

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

static void
search_free(struct search *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->lines[i].text);
	free(s->lines);
	trace_set_free(&s->ids);
}

int
trace_run(struct tool *tool)
{
	struct search s = {0};
	int code = begin(tool, &s);

	if (code == EX_OK)
		code = read_log(tool, &s);
	if (code == EX_OK)
		code = tell_all(tool, &s);
	if (code == EX_OK)
		code = tell_where(tool, &s);
	if (code == EX_OK && s.n == 0)
		code = tool_fail(tool, EX_NOINPUT, "log", "nothing is found");
	search_free(&s);
	return code;
}

/* The last line but those of connections tells how it ended. */
int
trace_ended(struct tool *tool, const char *id, struct buf *out)
{
	struct search s = {.until_ms = INT64_MAX};
	static struct trace_line line;
	int code = EX_OK;

	if (trace_set_add(&s.ids, id, TRACE_SET_NONE) == TRACE_SET_NONE)
		code = tool_no_memory(tool);
	s.keep = true;
	if (code == EX_OK)
		code = trace_each(tool, look, &s);
	if (code == EX_OK && s.n == 0)
		code = tool_unknown(tool, id);
	if (code == EX_OK) {
		qsort(s.lines, s.n, sizeof(s.lines[0]), by_story);
		buf_addf(out, "%s is not in the queue; the log says: ", id);
	}
	for (size_t i = 0; code == EX_OK && i < s.n; i++) {
		char at[WORDS_SIZE];
		const char *whose;

		if (!trace_parse(&line, s.lines[i].text,
			strlen(s.lines[i].text), tool->now) ||
		    !trace_is_ending(&line))
			continue;
		whose = trace_value(&line, "id");
		if (whose == NULL || strcmp(whose, id) != 0)
			continue; /* its report's */
		words_time(at, s.lines[i].time_ms / 1000, tool->now);
		buf_addf(out, "%s ", at);
		trace_sentence(out, &line);
		buf_adds(out, "; ");
	}
	if (out->len >= 2 && code == EX_OK) {
		out->len -= 2;
		buf_addc(out, '.');
	}
	search_free(&s);
	return code;
}
