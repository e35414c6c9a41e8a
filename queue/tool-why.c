/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "common/print.h"
#include "common/protocol.h"
#include "queue/describe.h"
#include "queue/tool-place.h"
#include "queue/tool-print.h"
#include "queue/trace-log.h"

enum { GROUPS_MAX = 8, SENTENCE_MAX = 32768 };

/* keyword: of the config; NULL: of none is told. */
static int
put_with(struct tool *tool, const char *kind, const char *name,
    struct buf *sentence, const char *keyword)
{
	const char *text = buf_text(sentence);

	if (text == NULL)
		return tool_no_memory(tool);
	if (tool->json) {
		putchar('{');
		print_json_text(kind, name);
		putchar(',');
		print_json_text("why", text);
		if (keyword != NULL) {
			putchar(',');
			print_json_text("keyword", keyword);
		}
		puts("}");
	} else {
		print_clean(text);
		putchar('\n');
	}
	return EX_OK;
}

static int
put(struct tool *tool, const char *kind, const char *name, struct buf *sentence)
{
	return put_with(tool, kind, name, sentence, NULL);
}

/* -- a message -- */

static int
ask_attempt(struct tool *tool, const char *id, struct why_attempt *a)
{
	static struct packet p;
	const struct attribute set[] = {
	    ATTRIBUTE_NUMBER("seconds", &a->seconds),
	    ATTRIBUTE_NUMBER("routing", &a->routing),
	    ATTRIBUTE_NUMBER("local", &a->local),
	    ATTRIBUTE_NUMBER("remote", &a->remote),
	};
	int code;

	packet_start(&p, "attempt");
	packet_text(&p, "id", id);
	code = ask(tool, &p);
	if (code != EX_OK)
		return code;
	a->known = packet_read(&p, "attempt", set, 4, 0);
	return a->known || packet_is(&p, "idle") ? EX_OK : ask_malformed(tool);
}

static int
explain_message(struct tool *tool, const struct row *row,
    const struct envelope *e, void *context)
{
	struct why_group groups[GROUPS_MAX];
	char id[FS_ID_SIZE];
	struct buf sentence = BUF_INIT(SENTENCE_MAX);
	struct why_message m = {.id = id,
	    .state = row->state,
	    .e = e,
	    .held = holds_reason(&tool->rules, e),
	    .next = row->next,
	    .expires = e->time + (int64_t)tool->config->queue_lifetime,
	    .groups = groups};
	int code = EX_OK;

	(void)context;
	tool_id(row->id, id);
	m.n = why_group(e, groups, GROUPS_MAX);
	if (row->state == STATE_ACTIVE)
		code = ask_attempt(tool, id, &m.attempt);
	for (size_t i = 0; code == EX_OK && i < m.n; i++)
		code = place_ask(tool, groups[i].domain, &groups[i].place);
	why_message(&sentence, &m, tool->now);
	if (code == EX_OK)
		code = put(tool, "id", id, &sentence);
	buf_free(&sentence);
	return code;
}

/* It is not here: what the log knows. */
static int
explain_gone(struct tool *tool, uint64_t id)
{
	char name[FS_ID_SIZE];
	struct buf sentence = BUF_INIT(SENTENCE_MAX);
	int code;

	tool_id(id, name);
	code = trace_ended(tool, name, &sentence);
	if (code == EX_OK)
		code = put(tool, "id", name, &sentence);
	buf_free(&sentence);
	return code;
}

static int
explain_messages(struct tool *tool)
{
	const struct selection *s = &tool->options.selection;
	int code = index_load(tool), worst, gone;
	bool *found;

	if (code != EX_OK)
		return code;
	worst = scan(tool, explain_message, NULL);
	found = calloc(s->n, sizeof(*found));
	if (found == NULL)
		return tool_no_memory(tool);
	for (size_t i = 0; i < tool->n; i++)
		found[selection_place(s, tool->rows[i].id)] = true;
	for (size_t i = 0; i < s->n; i++)
		if (!found[i] &&
		    (gone = explain_gone(tool, s->ids[i])) != EX_OK)
			worst = gone;
	free(found);
	return worst;
}

/* -- a destination -- */

static int
count_waiting(struct tool *tool, const struct row *row,
    const struct envelope *e, void *context)
{
	struct why_waiting *w = context;

	w->messages++;
	w->held += row->state == STATE_HELD;
	if (w->oldest == 0 || e->time < w->oldest)
		w->oldest = e->time;
	if (row->state == STATE_WAITING &&
	    (w->next == 0 || row->next < w->next))
		w->next = row->next;
	for (size_t i = 0; i < e->n; i++) {
		const struct recipient *r = &e->recipients[i];

		if (r->state != RECIPIENT_PENDING || r->text == NULL ||
		    r->when <= w->when ||
		    strcasecmp(select_domain_of(r->address),
			tool->options.selection.domain) != 0)
			continue;
		w->when = r->when;
		snprintf(w->text, sizeof(w->text), "%s", r->text);
	}
	return EX_OK;
}

/* Its messages are found by their recipients; those of a host by domain. */
static int
explain_destination(struct tool *tool, const char *name)
{
	struct tool_options *o = &tool->options;
	struct selection all = o->selection;
	struct why_place place;
	struct why_waiting waiting = {0};
	struct buf sentence = BUF_INIT(SENTENCE_MAX);
	const char *why;
	int code = place_ask(tool, name, &place);

	o->selection = (struct selection){0};
	if (code == EX_OK && !select_domain(&o->selection, name, &why))
		code = tool_fail(tool, EX_USAGE, name, "no destination");
	if (code == EX_OK)
		code = index_load(tool);
	if (code == EX_OK)
		code = scan(tool, count_waiting, &waiting);
	if (code == EX_OK && waiting.messages == 0 && place.known)
		code = stats_of_host(tool, place.name, &waiting);
	if (code == EX_OK) {
		why_destination(&sentence, name, &place, &waiting, tool->now);
		code = put(tool, "destination", name, &sentence);
	}
	buf_free(&sentence);
	selection_free(&o->selection);
	o->selection = all;
	return code;
}

/* -- who sends -- */

static bool
is_client(const char *word)
{
	struct config_net net;

	return config_read_net(word, &net);
}

static int
explain_sender(struct tool *tool, char *word)
{
	struct buf sentence = BUF_INIT(SENTENCE_MAX);
	const char *keyword;
	int code = trace_refused(tool, word, &sentence, &keyword);

	if (code == EX_OK)
		code = put_with(tool, is_client(word) ? "client" : "address",
		    word, &sentence, keyword);
	buf_free(&sentence);
	return code;
}

static int
explain_word(struct tool *tool, char *word)
{
	if (is_client(word) || strchr(word, '@') != NULL)
		return explain_sender(tool, word);
	return explain_destination(tool, word);
}

int
why_run(struct tool *tool)
{
	const struct tool_options *o = &tool->options;
	int worst = EX_OK, code;

	if (o->selection.n > 0)
		worst = explain_messages(tool);
	for (size_t i = 0; i < o->nwords; i++)
		if ((code = explain_word(tool, o->words[i])) != EX_OK)
			worst = code;
	return worst;
}
