/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* scandirat */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "common/print.h"
#include "keys/tool-dkim.h"

/* -- all domains -- */

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
is_domain(const struct dirent *entry)
{
	char name[DNS_NAME_MAX + 1];

	return selectors_domain(entry->d_name, name) &&
	    strcmp(name, entry->d_name) == 0;
}

int
dkim_each_domain(struct dkim_place *p,
    int (*found)(struct dkim_place *, void *context), void *context)
{
	struct dirent **entries;
	int n = scandirat(p->folder, ".", &entries, is_domain, by_name);
	int first = EX_OK, code;

	if (n == -1)
		return tool_no_folder(p->config, "dkim");
	for (int i = 0; i < n; i++) {
		code = dkim_open_domain(p, entries[i]->d_name, false);
		if (code == EX_OK)
			code = found(p, context);
		if (first == EX_OK)
			first = code;
		free(entries[i]);
	}
	free(entries);
	return first;
}

/* -- list -- */

struct listing {
	bool json, any;
};

static void
format_day(int64_t when, char *out, size_t size)
{
	time_t seconds = (time_t)when;
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL ||
	    strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		out[0] = '\0';
}

static void
print_pair(const char *name, const char *value)
{
	printf("\"%s\": ", name);
	print_json_string(value);
}

static void
print_json(struct dkim_place *p, const struct selector *s, bool first)
{
	char day[32], record[SELECTOR_RECORD_MAX + 1];
	char name[DNS_NAME_MAX + SELECTOR_NAME_MAX + 16];

	format_day(s->since, day, sizeof(day));
	if (selectors_read_record(p->domain, s->name, record) == -1)
		record[0] = '\0';
	snprintf(name, sizeof(name), "%s._domainkey.%s", s->name, p->name);
	printf("%s{", first ? "" : ",\n");
	print_pair("domain", p->name);
	printf(", ");
	print_pair("selector", s->name);
	printf(", ");
	print_pair("type", selector_kind_name(s->kind));
	printf(", ");
	print_pair("state", selector_state_name(s->state));
	printf(", ");
	print_pair("since", day);
	printf(", ");
	print_pair("name", name);
	printf(", ");
	print_pair("record", record);
	printf("}");
}

static void
print_text(const struct dkim_place *p, const struct selector *s)
{
	char day[32];

	format_day(s->since, day, sizeof(day));
	printf("%s %s %s %s %s\n", p->name, s->name,
	    selector_kind_name(s->kind), selector_state_name(s->state), day);
}

static int
print_domain(struct dkim_place *p, void *context)
{
	struct listing *l = context;

	for (size_t i = 0; i < p->selectors.n; i++) {
		if (l->json)
			print_json(p, &p->selectors.items[i], !l->any);
		else
			print_text(p, &p->selectors.items[i]);
		l->any = true;
	}
	return EX_OK;
}

int
dkim_list(struct request *r)
{
	struct listing l = {.json = r->json};
	struct dkim_place p;
	int code = dkim_open(&p, r->config);

	if (code == EX_OK) {
		fputs(r->json ? "[" : "", stdout);
		code = dkim_each_domain(&p, print_domain, &l);
		fputs(r->json ? "]\n" : "", stdout);
	}
	dkim_close(&p);
	return code;
}
