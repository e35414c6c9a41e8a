/* SPDX-License-Identifier: ISC */
#include <string.h>
#include <sysexits.h>

#include "queue/trace-log.h"
#include "queue/trace-search.h"
#include "queue/words.h"

/* Of a message to thousands there is more to tell than a sentence takes. */
enum { ENDINGS_MAX = 16384 };

static bool
is_ending_of(const char *id, const struct trace_line *line)
{
	const char *whose = trace_value(line, "id");

	/* else its report's */
	return trace_is_ending(line) && whose != NULL && strcmp(whose, id) == 0;
}

static void
add_endings(struct tool *tool, const struct trace_search *s, const char *id,
    struct buf *out)
{
	static struct trace_line line;
	char at[WORDS_SIZE];
	size_t more = 0;

	buf_addf(out, "%s is not in the queue; the log says: ", id);
	for (size_t i = 0; i < s->n; i++) {
		const struct trace_found *f = &s->lines[i];

		if (!trace_parse(&line, f->text, strlen(f->text), tool->now) ||
		    !is_ending_of(id, &line))
			continue;
		if (out->len > ENDINGS_MAX) {
			more++;
			continue;
		}
		words_time(at, f->time_ms / 1000, tool->now);
		buf_addf(out, "%s ", at);
		trace_sentence(out, &line);
		buf_adds(out, "; ");
	}
	if (more > 0)
		buf_addf(out, "and %zu more lines, which trace tells; ", more);
	out->len -= 2;
	buf_addc(out, '.');
}

/* The last line but those of connections tells how it ended. */
int
trace_ended(struct tool *tool, const char *id, struct buf *out)
{
	struct trace_search s = {.until_ms = INT64_MAX};
	int code = EX_OK;

	if (trace_set_add(&s.ids, id, TRACE_SET_NONE) == TRACE_SET_NONE)
		code = tool_no_memory(tool);
	s.keep = true;
	if (code == EX_OK)
		code = trace_each(tool, trace_look, &s);
	if (code == EX_OK && s.n == 0)
		code = tool_unknown(tool, id);
	if (code == EX_OK) {
		trace_sort(&s);
		add_endings(tool, &s, id, out);
	}
	trace_search_free(&s);
	return code;
}
