/* SPDX-License-Identifier: ISC */
/* postrider-report read: reports that came in. */
#define _GNU_SOURCE /* asprintf, tdestroy */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/print.h"
#include "common/privileges.h"
#include "common/sandbox.h"
#include "tools/report-find.h"
#include "tools/report-show.h"
#include "tools/report-source.h"
#include "tools/report.h"

enum {
	FILE_MAX = 64 << 20,
	PIECE = 1 << 16,
	DOMAINS_MAX = 10000, /* that are added up each for itself */
	SEEN_MAX = 1000000   /* reports that are known again */
};

struct domain {
	struct totals totals;
	char name[];
};

struct reading {
	bool json;
	const char *file; /* at hand */
	uint64_t others;  /* messages about something else */
	uint64_t duplicates;
	uint64_t failed;
	struct totals totals;
	void *domains, *seen; /* tsearch(3) */
	size_t ndomains, nseen;
	bool any; /* of a list in the JSON */
};

/* -- the same again (RFC 9990, "Handling of Duplicates") -- */

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* By who reports about whom, and the id. */
static bool
is_seen(struct reading *r, const struct feedback *f)
{
	char *key;

	if (f->id == 0 ||
	    asprintf(&key, "%s\n%s\n%s", feedback_text_of(f, f->organization),
		feedback_text_of(f, f->domain),
		feedback_text_of(f, f->id)) == -1)
		return false;
	if (tfind(key, &r->seen, compare_texts) != NULL) {
		free(key);
		return true;
	}
	if (r->nseen >= SEEN_MAX ||
	    tsearch(key, &r->seen, compare_texts) == NULL)
		free(key);
	else
		r->nseen++;
	return false;
}

/* -- sums -- */

static int
compare_domains(const void *a, const void *b)
{
	return strcmp(
	    ((const struct domain *)a)->name, ((const struct domain *)b)->name);
}

static void
add_to_domain(struct reading *r, const struct feedback *f)
{
	const char *name = feedback_text_of(f, f->domain);
	size_t n = strlen(name) + 1;
	struct domain *d = calloc(1, sizeof(*d) + n), **found;

	if (d == NULL)
		return;
	memcpy(d->name, name, n);
	found = tfind(d, &r->domains, compare_domains);
	if (found == NULL && r->ndomains < DOMAINS_MAX) {
		found = tsearch(d, &r->domains, compare_domains);
		r->ndomains += found != NULL;
	}
	if (found != NULL)
		totals_add(&(*found)->totals, f);
	if (found == NULL || *found != d)
		free(d);
}

static void
take_report(const struct feedback *f, void *context)
{
	struct reading *r = context;

	if (is_seen(r, f)) {
		r->duplicates++;
		return;
	}
	totals_add(&r->totals, f);
	add_to_domain(r, f);
	if (!r->json) {
		show_report(f);
		return;
	}
	fputs(r->any ? ",\n" : "\n", stdout);
	r->any = true;
	show_report_json(f, r->file);
}

/* -- files -- */

static const char *
read_whole(int fd, struct buf *out)
{
	ssize_t n = 1;

	while (n != 0) {
		if (!buf_reserve(out, PIECE))
			return "it is too big";
		n = read(fd, out->data + out->len, PIECE);
		if (n > 0) {
			out->len += (size_t)n;
		} else if (n == -1 && errno == EAGAIN) {
			struct pollfd more = {.fd = fd, .events = POLLIN};

			(void)poll(&more, 1, -1);
		} else if (n == -1 && errno != EINTR) {
			return strerror(errno);
		}
	}
	return NULL;
}

static void
complain(struct reading *r, const char *reason)
{
	r->failed++;
	fputs("postrider-report: ", stderr);
	for (const char *p = r->file; *p != '\0'; p++)
		fputc((unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p, stderr);
	fputs(": ", stderr);
	for (const char *p = reason; *p != '\0'; p++)
		fputc((unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p, stderr);
	fputc('\n', stderr);
}

static void
read_one(struct reading *r, struct source_file *file, struct buf *octets)
{
	struct find find = {.report = take_report, .context = r};
	const char *wrong = file->fd >= 0 ? NULL : file->reason;

	r->file = file->name;
	buf_reset(octets);
	if (wrong == NULL)
		wrong = read_whole(file->fd, octets);
	if (file->fd >= 0)
		close(file->fd);
	if (wrong == NULL) {
		find_reports(&find, octets->data != NULL ? octets->data : "",
		    octets->len);
		wrong = find.reason;
		if (*wrong == '\0' && find.reports == 0 && !file->in_folder)
			wrong = "there is no report in it";
		if (*wrong == '\0')
			r->others += find.reports == 0;
	}
	if (*wrong != '\0')
		complain(r, wrong);
}

/* -- the end -- */

static struct reading *shown; /* twalk(3) takes no argument */

static void
show_domain(const void *node, VISIT visit, int depth)
{
	const struct domain *d = *(struct domain *const *)node;

	(void)depth;
	if (visit != postorder && visit != leaf)
		return;
	if (!shown->json) {
		show_totals(d->name, &d->totals);
		return;
	}
	fputs(shown->any ? ",\n{\"domain\": " : "\n{\"domain\": ", stdout);
	print_json_string(d->name);
	fputs(", ", stdout);
	show_totals_json(&d->totals);
	fputs("}", stdout);
	shown->any = true;
}

static void
show_end(struct reading *r)
{
	shown = r;
	if (r->json) {
		r->any = false;
		fputs("],\n\"domains\": [", stdout);
		twalk(r->domains, show_domain);
		fputs("],\n\"total\": {", stdout);
		show_totals_json(&r->totals);
		printf(", \"duplicates\": %" PRIu64 ", \"other_messages\": "
		       "%" PRIu64 ", \"bad_files\": %" PRIu64 "}}\n",
		    r->duplicates, r->others, r->failed);
		return;
	}
	twalk(r->domains, show_domain);
	if (r->ndomains != 1)
		show_totals("total", &r->totals);
	if (r->duplicates > 0)
		printf(
		    "%" PRIu64 " came again and counted once\n", r->duplicates);
	if (r->others > 0)
		printf("%" PRIu64 " files without a report\n", r->others);
}

/*
 * What follows reads what strangers wrote: it has no rights, can open
 * nothing, and as root it is nobody of importance.
 */
static void
shut_in(void)
{
	if (privileges_are_root())
		privileges_drop(ACCOUNT_LEDGER, "/", false);
	sandbox_enter(&(struct sandbox){.memory = (size_t)1 << 30});
}

static int
read_all(struct reading *r, struct source *source)
{
	static struct source_file file;
	struct buf octets = BUF_INIT(FILE_MAX + PIECE);

	if (r->json)
		fputs("{\"reports\": [", stdout);
	while (source_next(source, &file))
		read_one(r, &file, &octets);
	show_end(r);
	buf_free(&octets);
	tdestroy(r->domains, free);
	tdestroy(r->seen, free);
	if (!source_end(source))
		return report_fail(
		    EX_OSERR, "files", "not all could be opened");
	return r->failed > 0 ? EX_DATAERR : EX_OK;
}

int
report_read(const struct report_tool *tool, int argc, char **argv)
{
	static const struct option known[] = {
	    {"json", no_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};
	struct reading r = {.json = false};
	struct source *source;
	int option;

	(void)tool;
	optind = 0;
	while ((option = getopt_long(argc, argv, "", known, NULL)) == 'j')
		r.json = true;
	if (option != -1 || optind == argc) {
		fputs(report_usage, stderr);
		return EX_USAGE;
	}
	source = source_begin(argv + optind, argc - optind);
	if (source == NULL)
		return report_fail(EX_OSERR, "files", strerror(errno));
	shut_in();
	return read_all(&r, source);
}
