/* SPDX-License-Identifier: ISC */
#include "queue/stats-print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/print.h"
#include "queue/tool-print.h"
#include "queue/words.h"

/* -- JSON -- */

static void
put_tally_json(const char *kind, const struct tally *t)
{
	printf("{\"kind\":\"%s\",", kind);
	print_json_text("name", t->name);
	printf(",\"messages\":%zu,\"octets\":%" PRIu64 ",\"oldest\":%" PRId64
	       ",\"ages\":[",
	    t->messages, t->octets, t->oldest);
	for (size_t i = 0; i < STATS_AGES; i++)
		printf("%s%zu", i == 0 ? "" : ",", t->ages[i]);
	putchar(']');
}

static void
put_destination_json(const struct tally *t, const struct why_place *p)
{
	put_tally_json("destination", t);
	putchar(',');
	print_json_text("state", p->known ? p->state : NULL);
	putchar(',');
	print_json_text("host", p->known ? p->name : NULL);
	printf(",\"window\":%" PRIu64 ",\"running\":%" PRIu64
	       ",\"next\":%" PRId64 ",",
	    p->window, p->running, p->next);
	print_json_text("reason",
	    p->text[0] != '\0'    ? p->text
		: t->text != NULL ? t->text
				  : "");
	puts("}");
}

/* -- text: names in so many columns -- */

static void
put_name(const char *name, size_t columns)
{
	char part[256];
	size_t n = 0, width = 0;

	if (name[0] == '\0')
		name = "<>";
	for (; name[n] != '\0' && n + 8 < sizeof(part); n++) {
		width += ((unsigned char)name[n] & 0xc0) != 0x80;
		if (width > columns)
			break;
		part[n] = name[n];
	}
	part[n] = '\0';
	print_clean(part);
	for (; width < columns; width++)
		putchar(' ');
}

static void
put_counts(const struct tool *tool, const struct tally *t)
{
	char size[WORDS_SIZE], age[WORDS_SIZE] = "-";

	words_size(size, t->octets);
	if (t->messages > 0)
		words_age(age, tool->now - t->oldest);
	printf(" %8zu %6s %6s", t->messages, size, age);
}

static void
put_head(const char *what, const char *more)
{
	printf("\n%-24s %8s %6s %6s%s\n", what, "messages", "size", "oldest",
	    more);
}

static void
put_tally(const struct tool *tool, const struct tally *t)
{
	put_name(t->name, 24);
	put_counts(tool, t);
}

/* -- totals -- */

void
stats_print_totals(const struct tool *tool, const struct stats *s)
{
	char size[WORDS_SIZE];

	if (tool->json) {
		put_tally_json("total", s->total);
		printf(",\"recipients\":%zu}\n", s->recipients);
	} else {
		words_size(size, s->total->octets);
		printf("%zu message%s, %s octets, for %zu recipient%s\n",
		    s->total->messages, s->total->messages == 1 ? "" : "s",
		    size, s->recipients, s->recipients == 1 ? "" : "s");
		put_head("state", "");
	}
	for (int i = 0; i < STATES; i++) {
		if (s->states[i]->messages == 0)
			continue;
		if (tool->json) {
			put_tally_json("state", s->states[i]);
			puts("}");
		} else {
			put_tally(tool, s->states[i]);
			putchar('\n');
		}
	}
}

/* -- destinations -- */

static void
put_destination(
    const struct tool *tool, const struct tally *t, const struct why_place *p)
{
	const char *words = p->text[0] != '\0' ? p->text
	    : t->text != NULL                  ? t->text
					       : "";

	put_tally(tool, t);
	printf("  %-8s ", p->known ? p->state : "");
	print_clean(words);
	putchar('\n');
}

/* Like qshape: a bulge on the right is mail that does not get through. */
static void
put_shape_row(const char *name, const struct tally *t)
{
	put_name(name, 24);
	printf(" %8zu", t->messages);
	for (size_t i = 0; i < STATS_AGES; i++)
		printf(" %7zu", t->ages[i]);
	putchar('\n');
}

static void
put_shape(const struct stats *s, struct tally **sorted, size_t n)
{
	printf("\n%-24s %8s", "age", "messages");
	for (size_t i = 0; i < STATS_AGES; i++)
		printf(" %7s", stats_age_names[i]);
	putchar('\n');
	put_shape_row("total", s->total);
	for (size_t i = 0; i < n; i++)
		put_shape_row(sorted[i]->name, sorted[i]);
}

void
stats_print_destinations(const struct tool *tool, const struct stats *s,
    struct tally **sorted, const struct why_place *places, size_t n)
{
	if (!tool->json && n > 0)
		put_head("destination", "  state    last words");
	for (size_t i = 0; i < n; i++)
		if (tool->json)
			put_destination_json(sorted[i], &places[i]);
		else
			put_destination(tool, sorted[i], &places[i]);
	if (!tool->json && n > 0)
		put_shape(s, sorted, n);
}

/* -- where it comes from -- */

static const char *const sources[] = {
    [SOURCE_LOGIN] = "login", [SOURCE_UID] = "uid", [SOURCE_SENDER] = "sender"};

void
stats_print_sources(const struct tool *tool, enum stats_source source,
    struct tally **sorted, size_t n)
{
	if (!tool->json && n > 0)
		put_head(sources[source], "");
	for (size_t i = 0; i < n; i++)
		if (tool->json) {
			put_tally_json(sources[source], sorted[i]);
			puts("}");
		} else {
			put_tally(tool, sorted[i]);
			putchar('\n');
		}
}

void
stats_print_rules(const struct tool *tool)
{
	if (tool->rules.n > 0 && !tool->json)
		puts("\nheld until they are released");
	for (size_t i = 0; i < tool->rules.n; i++)
		print_rule(tool, &tool->rules.rules[i], "hold");
}
