/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* memmem */
#include "queue/trace-search.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "queue/spool.h"
#include "queue/trace-log.h"

/*
 * The log is read until no further message comes to light: an address leads
 * to ids, a message to its report, whose lines may stand above the one that
 * tells of it.
 */
enum { READINGS_MAX = 4, LINES_MAX = 200000 };

static bool
in_time(const struct trace_search *s, const struct trace_line *line)
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
keep_line(struct tool *tool, struct trace_search *s,
    const struct trace_line *line, const char *text, size_t n, size_t story)
{
	struct trace_found *f;

	if (s->n == LINES_MAX)
		return tool_fail(tool, EX_DATAERR, "log",
		    "too many lines; --since and --until narrow it down");
	if ((s->n & (s->n - 1)) == 0) {
		struct trace_found *more = reallocarray(
		    s->lines, s->n == 0 ? 1 : 2 * s->n, sizeof(*more));

		if (more == NULL)
			return tool_no_memory(tool);
		s->lines = more;
	}
	f = &s->lines[s->n];
	*f = (struct trace_found){
	    .time_ms = line->time_ms >= 0 ? line->time_ms : s->last_ms,
	    .story = story,
	    .order = s->n,
	    .text = strndup(text, n)};
	if (f->text == NULL)
		return tool_no_memory(tool);
	s->n++;
	return EX_OK;
}

/* Where a line about somebody belongs; its message comes to light. */
static int
find_place(struct tool *tool, struct trace_search *s,
    const struct trace_line *line, size_t *story)
{
	const char *id = trace_value(line, "id");
	bool client = trace_names_client(&s->whom, line);

	if (!client && !trace_names_address(&s->whom, line))
		return EX_OK;
	*story = TRACE_SET_ALONE;
	if (!is_id(id) || (client && trace_is_refusal(line)))
		return EX_OK;
	*story = trace_set_add(&s->ids, id, TRACE_SET_NONE);
	return *story == TRACE_SET_NONE ? tool_no_memory(tool) : EX_OK;
}

static bool
may_be_wanted(const char *text, size_t n)
{
	return memmem(text, n, "id=", 3) != NULL ||
	    memmem(text, n, "=<", 2) != NULL ||
	    memmem(text, n, "client=", 7) != NULL;
}

/* A line about one of them, or one that leads to another. */
int
trace_look(struct tool *tool, const char *text, size_t n, void *context)
{
	static struct trace_line line;
	struct trace_search *s = context;
	const char *id, *report;
	size_t story = TRACE_SET_NONE;
	int code;

	if (!may_be_wanted(text, n))
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
	if (story == TRACE_SET_NONE &&
	    (code = find_place(tool, s, &line, &story)) != EX_OK)
		return code;
	if (story == TRACE_SET_NONE)
		return EX_OK;
	if (is_id(id) && is_id(report) &&
	    trace_set_find(&s->ids, id) != TRACE_SET_NONE &&
	    trace_set_add(&s->ids, report, story) == TRACE_SET_NONE)
		return tool_no_memory(tool);
	return s->keep ? keep_line(tool, s, &line, text, n, story) : EX_OK;
}

int
trace_search(struct tool *tool, struct trace_search *s)
{
	size_t before;
	int code = EX_OK;

	for (int i = 0; code == EX_OK && i < READINGS_MAX; i++) {
		before = s->ids.n;
		code = trace_each(tool, trace_look, s);
		if (s->ids.n == before)
			break;
	}
	s->keep = true;
	return code == EX_OK ? trace_each(tool, trace_look, s) : code;
}

static int
by_story(const void *left, const void *right)
{
	const struct trace_found *a = left, *b = right;

	if (a->story != b->story)
		return a->story < b->story ? -1 : 1;
	if (a->session != b->session)
		return a->session < b->session ? -1 : 1;
	if (a->time_ms != b->time_ms)
		return a->time_ms < b->time_ms ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

void
trace_sort(struct trace_search *s)
{
	if (s->n > 1)
		qsort(s->lines, s->n, sizeof(s->lines[0]), by_story);
}

void
trace_search_free(struct trace_search *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->lines[i].text);
	free(s->lines);
	trace_set_free(&s->ids);
	trace_whom_free(&s->whom);
}
