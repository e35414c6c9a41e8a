/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "common/protocol.h"
#include "queue/admin.h"
#include "queue/stats.h"
#include "queue/stats-print.h"
#include "queue/tool-place.h"

static int
count_one(struct tool *tool, const struct row *row, const struct envelope *e,
    void *context)
{
	return stats_count(context, row->state, e, tool->now)
	    ? EX_OK
	    : tool_no_memory(tool);
}

/* -- domains with one host are one destination -- */

static int
ask_hosts(struct tool *tool, struct tally **domains, size_t n)
{
	static struct packet p;
	struct cursor c;
	const char *name, *host;
	int code;

	packet_start(&p, "hosts");
	for (size_t i = 0; i < n; i++)
		packet_text(&p, "d", domains[i]->name);
	code = ask(tool, &p);
	if (code != EX_OK)
		return code;
	if (!packet_is(&p, "hosts"))
		return ask_malformed(tool);
	c = packet_cursor(&p);
	for (size_t i = 0; i < n; i++) {
		if (!packet_next(&c, &name, &host))
			return ask_malformed(tool);
		if (host[0] != '\0' &&
		    (domains[i]->host = strdup(host)) == NULL)
			return tool_no_memory(tool);
	}
	return EX_OK;
}

/* As many names as surely fit into a packet both ways. */
enum { HOSTS_AT_ONCE = 56 };

static int
learn_hosts(struct tool *tool, struct tally **domains, size_t n)
{
	int code = EX_OK;

	if (tool->daemon < 0)
		return EX_OK;
	for (size_t i = 0; code == EX_OK && i < n; i += HOSTS_AT_ONCE)
		code = ask_hosts(tool, domains + i,
		    n - i < HOSTS_AT_ONCE ? n - i : HOSTS_AT_ONCE);
	return code;
}

static int
group(struct tool *tool, const struct stats *s, struct tallies *destinations)
{
	struct tally **domains = tallies_sorted(&s->domains), *t;
	int code;

	if (domains == NULL)
		return tool_no_memory(tool);
	code = learn_hosts(tool, domains, s->domains.n);
	for (size_t i = 0; code == EX_OK && i < s->domains.n; i++) {
		const struct tally *d = domains[i];

		t = tallies_get(
		    destinations, d->host != NULL ? d->host : d->name);
		if (t == NULL || !tally_merge(t, d))
			code = tool_no_memory(tool);
	}
	free(domains);
	return code;
}

static void
add_waiting(struct why_waiting *w, const struct tally *t)
{
	w->messages += t->messages;
	if (w->oldest == 0 || (t->oldest != 0 && t->oldest < w->oldest))
		w->oldest = t->oldest;
	if (t->text == NULL || t->when <= w->when)
		return;
	w->when = t->when;
	snprintf(w->text, sizeof(w->text), "%s", t->text);
}

int
stats_of_host(struct tool *tool, const char *host, struct why_waiting *waiting)
{
	struct stats s;
	struct tally **domains = NULL;
	struct selection selection = tool->options.selection;
	int code;

	tool->options.selection = (struct selection){0};
	code =
	    stats_begin(&s) ? scan(tool, count_one, &s) : tool_no_memory(tool);
	tool->options.selection = selection;
	if (code == EX_OK && (domains = tallies_sorted(&s.domains)) == NULL)
		code = tool_no_memory(tool);
	if (code == EX_OK)
		code = learn_hosts(tool, domains, s.domains.n);
	for (size_t i = 0; code == EX_OK && i < s.domains.n; i++)
		if (domains[i]->host != NULL &&
		    strcasecmp(domains[i]->host, host) == 0)
			add_waiting(waiting, domains[i]);
	free(domains);
	stats_free(&s);
	return code;
}

/* -- the command -- */

static int
print_destinations(struct tool *tool, const struct stats *s)
{
	struct tallies destinations = {0};
	struct tally **sorted = NULL;
	struct why_place *places;
	size_t n;
	int code = group(tool, s, &destinations);

	n = destinations.n < tool->options.top ? destinations.n
					       : (size_t)tool->options.top;
	places = calloc(n + 1, sizeof(*places));
	if (code == EX_OK) {
		sorted = tallies_sorted(&destinations);
		if (sorted == NULL || places == NULL)
			code = tool_no_memory(tool);
	}
	for (size_t i = 0; code == EX_OK && i < n; i++)
		code = place_ask(tool, sorted[i]->name, &places[i]);
	if (code == EX_OK)
		stats_print_destinations(tool, s, sorted, places, n);
	free(sorted);
	free(places);
	tallies_free(&destinations);
	return code;
}

static int
print_sources(struct tool *tool, const struct stats *s)
{
	for (int i = 0; i < 3; i++) {
		const struct tallies *t = &s->sources[i];
		struct tally **sorted = tallies_sorted(t);
		size_t n =
		    t->n < tool->options.top ? t->n : (size_t)tool->options.top;

		if (sorted == NULL)
			return tool_no_memory(tool);
		stats_print_sources(tool, (enum stats_source)i, sorted, n);
		free(sorted);
	}
	return EX_OK;
}

int
stats_run(struct tool *tool)
{
	struct stats s;
	int code;

	tool->brief = true;
	code = stats_begin(&s) ? index_load(tool) : tool_no_memory(tool);

	if (code == EX_OK)
		code = scan(tool, count_one, &s);
	if (code == EX_OK || code == EX_IOERR) {
		int rest;

		stats_print_totals(tool, &s);
		rest = print_destinations(tool, &s);
		if (rest == EX_OK)
			rest = print_sources(tool, &s);
		if (rest == EX_OK)
			stats_print_rules(tool);
		if (code == EX_OK)
			code = rest;
	}
	stats_free(&s);
	return code;
}
