/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "queue/loosen.h"
#include "queue/trace-log.h"
#include "queue/trace-whom.h"
#include "queue/words.h"

/* What the log says of mail from somebody, up to its newest line. */
struct refusals {
	struct trace_whom whom;
	size_t count;
	int64_t first_ms, last_ms, taken_ms; /* 0: none */
	char *newest;                        /* line of a refusal; owned */
};

static bool
is_about(const struct refusals *r, const struct trace_line *line)
{
	return r->whom.clients.n > 0 ? trace_names_client(&r->whom, line)
				     : trace_names_address(&r->whom, line);
}

static int
look(struct tool *tool, const char *text, size_t n, void *context)
{
	static struct trace_line line;
	struct refusals *r = context;
	char *copy;

	if (!trace_parse(&line, text, n, tool->now) || !is_about(r, &line))
		return EX_OK;
	if (strcmp(line.event, "accepted") == 0 &&
	    strcmp(line.program, "smtpd") == 0)
		r->taken_ms = line.time_ms;
	if (!trace_is_refusal(&line) || trace_value(&line, "reason") == NULL)
		return EX_OK;
	copy = strndup(text, n);
	if (copy == NULL)
		return tool_no_memory(tool);
	free(r->newest);
	r->newest = copy;
	r->last_ms = line.time_ms;
	if (r->count++ == 0)
		r->first_ms = line.time_ms;
	return EX_OK;
}

static void
add_time(struct tool *tool, struct buf *out, int64_t ms)
{
	char text[WORDS_SIZE];

	if (ms <= 0)
		return; /* the log does not say */
	words_time(text, ms / 1000, tool->now);
	buf_addf(out, " (%s)", text);
}

static const struct loosening *
add_newest(struct tool *tool, const struct refusals *r, struct buf *out)
{
	static struct trace_line line;
	const struct loosening *l = NULL;
	const char *filter;

	if (!trace_parse(&line, r->newest, strlen(r->newest), tool->now))
		return NULL;
	buf_adds(out, "the last time");
	add_time(tool, out, r->last_ms);
	buf_adds(out, ": ");
	trace_sentence(out, &line);
	if (r->count > 1) {
		buf_addf(out, "; %zu times in all since the first", r->count);
		add_time(tool, out, r->first_ms);
	}
	l = loosen_find(trace_value(&line, "reason"));
	if (l != NULL)
		buf_addf(out, "; %s", l->how);
	filter = trace_value(&line, "filter");
	if (filter != NULL)
		buf_addf(out, "; the content filter %s said so", filter);
	return l;
}

static const struct loosening *
add_story(struct tool *tool, const struct refusals *r, const char *word,
    struct buf *out)
{
	const struct loosening *l = NULL;

	if (r->newest == NULL) {
		buf_addf(out, "%s: the log tells of no refusal", word);
	} else {
		buf_addf(out,
		    r->whom.clients.n > 0
			? "%s was not let in, "
			: "mail from or for %s was not taken, ",
		    word);
		l = add_newest(tool, r, out);
	}
	if (r->taken_ms != 0) {
		buf_adds(out, "; a message was taken last");
		add_time(tool, out, r->taken_ms);
	}
	buf_addc(out, '.');
	return l;
}

int
trace_refused(
    struct tool *tool, char *word, struct buf *out, const char **keyword)
{
	struct refusals r = {.count = 0};
	const struct loosening *l = NULL;
	int code =
	    trace_whom_read(&r.whom, &word, 1) ? EX_OK : tool_no_memory(tool);

	*keyword = NULL;
	if (code == EX_OK)
		code = trace_each(tool, look, &r);
	if (code == EX_OK && r.newest == NULL && r.taken_ms == 0)
		code = tool_fail(tool, EX_NOINPUT, word,
		    "the log says nothing about mail from there");
	if (code == EX_OK)
		l = add_story(tool, &r, word, out);
	if (l != NULL)
		*keyword = l->keyword;
	trace_whom_free(&r.whom);
	free(r.newest);
	return code;
}
