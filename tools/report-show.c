/* SPDX-License-Identifier: ISC */
#include "tools/report-show.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/print.h"

static bool
is(const struct feedback *f, feedback_text at, const char *word)
{
	return strcmp(feedback_text_of(f, at), word) == 0;
}

void
totals_add(struct totals *t, const struct feedback *f)
{
	t->reports++;
	for (size_t i = 0; i < f->nrecords; i++) {
		const struct feedback_record *r = &f->records[i];

		t->messages += r->count;
		if (is(f, r->dkim, "pass") || is(f, r->spf, "pass"))
			t->aligned += r->count;
		if (is(f, r->disposition, "quarantine"))
			t->quarantined += r->count;
		if (is(f, r->disposition, "reject"))
			t->rejected += r->count;
	}
}

/* -- for people -- */

/* A whole day needs no time beside it. */
static void
show_time(int64_t when)
{
	time_t seconds = (time_t)when;
	char text[32];
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL ||
	    strftime(text, sizeof(text),
		when % 86400 == 0 ? "%Y-%m-%d" : "%Y-%m-%d %H:%M", &tm) == 0)
		snprintf(text, sizeof(text), "?");
	fputs(text, stdout);
}

/* What was cannot be told but by its absence is a dash. */
static void
show_text(const struct feedback *f, feedback_text at)
{
	const char *text = feedback_text_of(f, at);

	print_clean(*text != '\0' ? text : "-");
}

static void
show_padded(const struct feedback *f, feedback_text at, size_t width)
{
	size_t n = strlen(feedback_text_of(f, at));

	show_text(f, at);
	for (n = n > 0 ? n : 1; n < width; n++)
		putchar(' ');
	fputs("  ", stdout);
}

static void
show_policy(const struct feedback *f)
{
	const struct {
		const char *name;
		feedback_text value;
		const char *usual;
	} others[] = {{"subdomains", f->sp, feedback_text_of(f, f->p)},
	    {"no such subdomain", f->np, feedback_text_of(f, f->sp)},
	    {"DKIM alignment", f->adkim, "r"}, {"SPF alignment", f->aspf, "r"},
	    {"testing", f->testing, "n"}};

	fputs("  policy ", stdout);
	show_text(f, f->p);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		if (others[i].value == 0 ||
		    is(f, others[i].value, others[i].usual))
			continue;
		printf(", %s ", others[i].name);
		show_text(f, others[i].value);
	}
	putchar('\n');
}

/* "DKIM a.test/s1 pass; SPF b.test fail; local_policy (why)" */
static void
show_results(const struct feedback *f, const struct feedback_record *r)
{
	static const char *const names[] = {[FEEDBACK_DKIM] = "DKIM ",
	    [FEEDBACK_SPF] = "SPF ",
	    [FEEDBACK_REASON] = ""};
	const char *between = "";

	for (size_t i = r->first; i < r->first + r->nresults; i++) {
		const struct feedback_result *one = &f->results[i];
		bool reason = one->kind == FEEDBACK_REASON;

		printf("%s%s", between, names[one->kind]);
		show_text(f, one->domain);
		if (one->selector != 0) {
			fputs(reason ? " (" : "/", stdout);
			show_text(f, one->selector);
			fputs(reason ? ")" : "", stdout);
		}
		if (!reason) {
			putchar(' ');
			show_text(f, one->result);
		}
		between = "; ";
	}
	putchar('\n');
}

static size_t
widest(const struct feedback *f, size_t offset, size_t least)
{
	for (size_t i = 0; i < f->nrecords; i++) {
		const char *record = (const char *)&f->records[i];
		size_t n = strlen(feedback_text_of(f,
		    *(const feedback_text *)(const void *)(record + offset)));

		if (n > least)
			least = n < 45 ? n : 45;
	}
	return least;
}

static void
show_records(const struct feedback *f)
{
	size_t source = widest(f, offsetof(struct feedback_record, client), 6);
	size_t from = widest(f, offsetof(struct feedback_record, from), 4);

	printf("  %8s  %-*s  %-11s %-5s %-5s %-*s  %s\n", "COUNT", (int)source,
	    "SOURCE", "DISPOSITION", "DKIM", "SPF", (int)from, "FROM",
	    "AUTHENTICATED");
	for (size_t i = 0; i < f->nrecords; i++) {
		const struct feedback_record *r = &f->records[i];

		printf("  %8" PRIu64 "  ", r->count);
		show_padded(f, r->client, source);
		show_padded(f, r->disposition, 10);
		show_padded(f, r->dkim, 4);
		show_padded(f, r->spf, 4);
		show_padded(f, r->from, from);
		show_results(f, r);
	}
}

void
show_report(const struct feedback *f)
{
	show_text(f, f->domain);
	fputs(", reported by ", stdout);
	show_text(f, f->organization);
	fputs(": ", stdout);
	show_time(f->begin);
	/* The last second of a day is the day's end, by the next one's begin.
	 */
	if (f->end > f->begin + 86400 || f->begin % 86400 != 0) {
		fputs(" to ", stdout);
		show_time(f->end % 86400 == 86399 ? f->end - 86399 : f->end);
	}
	fputs(" UTC, report ", stdout);
	show_text(f, f->id);
	putchar('\n');
	show_policy(f);
	show_records(f);
	putchar('\n');
}

void
show_totals(const char *about, const struct totals *t)
{
	print_clean(about);
	printf(": %" PRIu64 " report%s, %" PRIu64 " message%s: %" PRIu64
	       " passed, %" PRIu64 " failed; %" PRIu64 " quarantined, %" PRIu64
	       " rejected\n",
	    t->reports, t->reports == 1 ? "" : "s", t->messages,
	    t->messages == 1 ? "" : "s", t->aligned, t->messages - t->aligned,
	    t->quarantined, t->rejected);
}

/* -- as JSON -- */

static void
put_member(const struct feedback *f, const char *before, const char *name,
    feedback_text value)
{
	printf("%s\"%s\": ", before, name);
	print_json_string(feedback_text_of(f, value));
}

static void
put_results(const struct feedback *f, const struct feedback_record *r,
    enum feedback_kind kind, const char *name)
{
	const char *between = "";

	printf(", \"%s\": [", name);
	for (size_t i = r->first; i < r->first + r->nresults; i++) {
		const struct feedback_result *one = &f->results[i];

		if (one->kind != kind)
			continue;
		fputs(between, stdout);
		between = ", ";
		put_member(f, "{", kind == FEEDBACK_REASON ? "type" : "domain",
		    one->domain);
		if (kind == FEEDBACK_DKIM)
			put_member(f, ", ", "selector", one->selector);
		if (kind == FEEDBACK_REASON)
			put_member(f, ", ", "comment", one->selector);
		else
			put_member(f, ", ", "result", one->result);
		putchar('}');
	}
	putchar(']');
}

static void
put_record(const struct feedback *f, const struct feedback_record *r)
{
	put_member(f, "{", "source", r->client);
	printf(", \"count\": %" PRIu64, r->count);
	put_member(f, ", ", "disposition", r->disposition);
	put_member(f, ", ", "dkim_aligned", r->dkim);
	put_member(f, ", ", "spf_aligned", r->spf);
	put_member(f, ", ", "header_from", r->from);
	put_member(f, ", ", "envelope_from", r->envelope);
	put_results(f, r, FEEDBACK_DKIM, "dkim");
	put_results(f, r, FEEDBACK_SPF, "spf");
	put_results(f, r, FEEDBACK_REASON, "reasons");
	putchar('}');
}

void
show_report_json(const struct feedback *f, const char *file)
{
	fputs("{\"file\": ", stdout);
	print_json_string(file);
	put_member(f, ", ", "organization", f->organization);
	put_member(f, ", ", "email", f->email);
	put_member(f, ", ", "id", f->id);
	printf(", \"begin\": %" PRId64 ", \"end\": %" PRId64, f->begin, f->end);
	put_member(f, ", ", "domain", f->domain);
	put_member(f, ", \"policy\": {", "p", f->p);
	put_member(f, ", ", "sp", f->sp);
	put_member(f, ", ", "np", f->np);
	put_member(f, ", ", "adkim", f->adkim);
	put_member(f, ", ", "aspf", f->aspf);
	put_member(f, ", ", "testing", f->testing);
	fputs("}, \"records\": [", stdout);
	for (size_t i = 0; i < f->nrecords; i++) {
		fputs(i > 0 ? ", " : "", stdout);
		put_record(f, &f->records[i]);
	}
	fputs("]}", stdout);
}

void
show_totals_json(const struct totals *t)
{
	printf("\"reports\": %" PRIu64 ", \"messages\": %" PRIu64
	       ", \"passed\": %" PRIu64 ", \"failed\": %" PRIu64
	       ", \"quarantined\": %" PRIu64 ", \"rejected\": %" PRIu64,
	    t->reports, t->messages, t->aligned, t->messages - t->aligned,
	    t->quarantined, t->rejected);
}
