/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "common/netaddr.h"
#include "queue/trace-search.h"

/*
 * The log has no name for a session.  One is what a worker, of which each has
 * one client at a time, says of a client, and what others say of that client
 * at about that time.
 */
enum { APART_MS = 300000, OPEN_MAX = 64 };

struct said {
	char client[NETADDR_TEXT_MAX];
	long worker; /* 0: somebody else said it */
	bool ends;
	int64_t time_ms;
	struct trace_found *line;
};

/* One that is told apart; its lines have this number for now. */
struct session {
	int64_t first_ms, last_ms;
	long worker; /* 0: none has spoken yet */
	bool ended;
	size_t number;
};

static int
by_client(const void *left, const void *right)
{
	const struct said *a = left, *b = right;
	int order = strcmp(a->client, b->client);

	if (order != 0)
		return order;
	if (a->time_ms != b->time_ms)
		return a->time_ms < b->time_ms ? -1 : 1;
	return a->line->order < b->line->order ? -1 : 1;
}

static bool
is_worker(const char *program)
{
	return strcmp(program, "smtpd") == 0 || strcmp(program, "pop3d") == 0;
}

/* False: it is about nobody's session. */
static bool
read_line(const struct tool *tool, struct trace_found *f, struct said *said)
{
	static struct trace_line line;
	const char *client;

	if (f->story != TRACE_SET_ALONE ||
	    !trace_parse(&line, f->text, strlen(f->text), tool->now) ||
	    (client = trace_value(&line, "client")) == NULL ||
	    snprintf(said->client, sizeof(said->client), "%s", client) >=
		(int)sizeof(said->client))
		return false;
	said->worker = is_worker(line.program) ? line.pid : 0;
	said->ends = strncmp(line.event, "session ", 8) == 0 ||
	    strcmp(line.event, "handshake failed") == 0;
	said->time_ms = f->time_ms;
	said->line = f;
	return true;
}

static bool
fits(const struct session *s, const struct said *said)
{
	return !s->ended && said->time_ms - s->last_ms <= APART_MS &&
	    (said->worker == 0 || s->worker == 0 || s->worker == said->worker);
}

/* Into the newest of its client's sessions that it fits. */
static void
place(struct session *sessions, size_t from, size_t *n, const struct said *said)
{
	size_t i = *n;

	if (i > from + OPEN_MAX)
		from = i - OPEN_MAX;
	while (i > from && !fits(&sessions[i - 1], said))
		i--;
	if (i == from) {
		i = ++*n;
		sessions[i - 1] = (struct session){.first_ms = said->time_ms};
	}
	sessions[i - 1].last_ms = said->time_ms;
	if (said->worker != 0)
		sessions[i - 1].worker = said->worker;
	sessions[i - 1].ended = said->ends;
	said->line->session = i;
}

static int
by_time(const void *left, const void *right)
{
	const struct session *a = left, *b = right;

	if (a->first_ms != b->first_ms)
		return a->first_ms < b->first_ms ? -1 : 1;
	return a->number < b->number ? -1 : 1;
}

/* The numbers become those by time; ranks: room for n + 1. */
static void
number_by_time(
    struct trace_search *s, struct session *sessions, size_t n, size_t *ranks)
{
	for (size_t i = 0; i < n; i++)
		sessions[i].number = i + 1;
	qsort(sessions, n, sizeof(*sessions), by_time);
	ranks[0] = 0;
	for (size_t i = 0; i < n; i++)
		ranks[sessions[i].number] = i + 1;
	for (size_t i = 0; i < s->n; i++)
		s->lines[i].session = ranks[s->lines[i].session];
}

int
trace_sessions(struct tool *tool, struct trace_search *s)
{
	struct said *said = calloc(s->n + 1, sizeof(*said));
	struct session *sessions = calloc(s->n + 1, sizeof(*sessions));
	size_t *ranks = calloc(s->n + 1, sizeof(*ranks));
	size_t lines = 0, n = 0, from = 0;
	int code = EX_OK;

	if (said == NULL || sessions == NULL || ranks == NULL) {
		code = tool_no_memory(tool);
		goto out;
	}
	for (size_t i = 0; i < s->n; i++)
		lines += read_line(tool, &s->lines[i], &said[lines]);
	qsort(said, lines, sizeof(*said), by_client);
	for (size_t i = 0; i < lines; i++) {
		if (i > 0 && strcmp(said[i].client, said[i - 1].client) != 0)
			from = n;
		place(sessions, from, &n, &said[i]);
	}
	number_by_time(s, sessions, n, ranks);
out:
	free(said);
	free(sessions);
	free(ranks);
	return code;
}
