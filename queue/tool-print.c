/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/listing.h"
#include "common/print.h"
#include "queue/tool.h"

/* -- text for people -- */

static void
put_time(uint64_t seconds)
{
	char text[32];
	time_t when = (time_t)seconds;
	struct tm tm;

	if (localtime_r(&when, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) == 0)
		snprintf(
		    text, sizeof(text), "%llu", (unsigned long long)seconds);
	fputs(text, stdout);
}

/* -- JSON, RFC 8259 -- */

static void
put_string(const char *name, const char *text)
{
	printf("\"%s\":", name);
	print_json_string(text);
}

static void
put_number(const char *name, uint64_t value)
{
	printf("\"%s\":%llu", name, (unsigned long long)value);
}

static void
put_message_fields(const struct listing_message *m)
{
	put_string("id", m->id);
	putchar(',');
	put_number("time", m->time);
	putchar(',');
	put_number("size", m->size);
	putchar(',');
	put_string("sender", m->sender);
	putchar(',');
	put_string("login", m->login);
	putchar(',');
	if (m->uid == UINT32_MAX)
		fputs("\"uid\":null", stdout);
	else
		put_number("uid", m->uid);
	putchar(',');
	put_string("state", m->state);
	putchar(',');
	put_number("attempts", m->attempts);
	putchar(',');
	put_number("next", m->next);
	putchar(',');
	put_string("reason", m->reason);
	putchar(',');
}

/* -- list -- */

static unsigned long long listed;

void
print_list_begin(const struct tool *tool)
{
	listed = 0;
	if (!tool->json)
		printf("%-16s  %10s  %-19s  %s\n", "id", "octets", "accepted",
		    "sender, recipients, why it waits");
}

void
print_list_end(const struct tool *tool)
{
	if (!tool->json)
		printf("%llu message%s\n", listed, listed == 1 ? "" : "s");
}

static void
list_text(const struct listing_message *m)
{
	printf("%-16s  %10llu  ", m->id, (unsigned long long)m->size);
	put_time(m->time);
	fputs("  <", stdout);
	print_clean(m->sender);
	printf("> to %llu", (unsigned long long)m->recipients);
	if (m->pending != m->recipients)
		printf(" (%llu waiting)", (unsigned long long)m->pending);
	printf(", %s", m->state);
	if (m->next != 0) {
		fputs(" until ", stdout);
		put_time(m->next);
	}
	if (m->reason[0] != '\0') {
		fputs(": ", stdout);
		print_clean(m->reason);
	}
	putchar('\n');
}

bool
print_listed(struct tool *tool, const struct packet *p)
{
	struct listing_message m;

	if (!listing_read_message(p, &m))
		return false;
	listed++;
	if (!tool->json) {
		list_text(&m);
		return true;
	}
	putchar('{');
	put_message_fields(&m);
	put_number("recipients", m.recipients);
	putchar(',');
	put_number("pending", m.pending);
	puts("}");
	return true;
}

/* -- show -- */

static bool first_recipient;

static void
show_message(const struct tool *tool, const struct listing_message *m)
{
	first_recipient = true;
	if (tool->json) {
		putchar('{');
		put_message_fields(m);
		fputs("\"recipients\":[", stdout);
		return;
	}
	printf("id        %s\naccepted  ", m->id);
	put_time(m->time);
	printf("\nsize      %llu\nsender    <", (unsigned long long)m->size);
	print_clean(m->sender);
	fputs(">\n", stdout);
	if (m->login[0] != '\0') {
		fputs("login     ", stdout);
		print_clean(m->login);
		putchar('\n');
	}
	if (m->uid != UINT32_MAX)
		printf("uid       %llu\n", (unsigned long long)m->uid);
	printf("state     %s after %llu attempt%s\n", m->state,
	    (unsigned long long)m->attempts, m->attempts == 1 ? "" : "s");
	if (m->next != 0) {
		fputs("next      ", stdout);
		put_time(m->next);
		putchar('\n');
	}
}

static void
show_recipient_text(const struct listing_recipient *r)
{
	fputs("recipient <", stdout);
	print_clean(r->address);
	printf("> %s", r->status);
	if (r->parent != r->index)
		printf(", from alias %llu", (unsigned long long)r->parent);
	if (r->when != 0) {
		fputs(", ", stdout);
		put_time(r->when);
	}
	if (r->relay[0] != '\0') {
		fputs(", ", stdout);
		print_clean(r->relay);
	}
	if (r->dsn[0] != '\0' || r->text[0] != '\0') {
		fputs("\n          ", stdout);
		print_clean(r->dsn);
		putchar(' ');
		print_clean(r->text);
	}
	putchar('\n');
}

static void
show_recipient_json(const struct listing_recipient *r)
{
	fputs(first_recipient ? "{" : ",{", stdout);
	put_number("index", r->index);
	putchar(',');
	put_string("address", r->address);
	putchar(',');
	put_number("parent", r->parent);
	putchar(',');
	put_string("status", r->status);
	putchar(',');
	put_string("dsn", r->dsn);
	putchar(',');
	put_number("when", r->when);
	putchar(',');
	put_string("relay", r->relay);
	putchar(',');
	put_string("text", r->text);
	putchar('}');
}

bool
print_shown(struct tool *tool, const struct packet *p)
{
	struct listing_message m;
	struct listing_recipient r;

	if (packet_is(p, "message")) {
		if (!listing_read_message(p, &m))
			return false;
		show_message(tool, &m);
		return true;
	}
	if (!listing_read_recipient(p, &r))
		return false;
	if (tool->json)
		show_recipient_json(&r);
	else
		show_recipient_text(&r);
	first_recipient = false;
	return true;
}

void
print_show_end(const struct tool *tool)
{
	if (tool->json)
		puts("]}");
}
