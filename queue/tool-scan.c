/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/fs.h"
#include "queue/tool.h"

/*
 * A hundred thousand envelopes within a second: while one part of them is
 * printed, threads read the next.
 */
enum { PART = 512, THREADS_MAX = 4, SHORT = 8192 };

struct item {
	const struct row *row;
	struct envelope e;
	int result; /* of scan_envelope() */
	int reason; /* errno, when that is -1 */
};

struct part {
	struct tool *tool;
	struct item items[PART];
	size_t n;
	atomic_size_t next; /* to be read */
	pthread_t threads[THREADS_MAX];
	size_t nthreads;
};

static int
parse_long(int fd, bool brief, struct envelope *e)
{
	const char *why;
	unsigned line;
	char *octets;
	size_t n;
	int result;

	if (fs_read_all(fd, ENVELOPE_FILE_MAX, &octets, &n) == -1)
		return -1;
	result = (int)(brief ? envelope_parse_brief(e, octets, n)
			     : envelope_parse(e, octets, n, &why, &line));
	free(octets);
	return result;
}

/* Three system calls for one: nearly all fit into the first read. */
int
scan_envelope(int folder, uint64_t id, bool brief, struct envelope *e)
{
	char name[FS_ID_SIZE], octets[SHORT];
	const char *why;
	unsigned line;
	ssize_t got;
	int fd, result = -1;

	tool_id(id, name);
	envelope_init(e);
	/* A FIFO does not hang us, and has nothing to read. */
	fd = openat(folder, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	got = pread(fd, octets, sizeof(octets), 0);
	if (got == (ssize_t)sizeof(octets))
		result = parse_long(fd, brief, e);
	else if (got >= 0 && brief)
		result = (int)envelope_parse_brief(e, octets, (size_t)got);
	else if (got >= 0)
		result =
		    (int)envelope_parse(e, octets, (size_t)got, &why, &line);
	close(fd);
	return result;
}

static void *
read_some(void *context)
{
	struct part *part = context;
	size_t i;

	while ((i = atomic_fetch_add(&part->next, 1)) < part->n) {
		struct item *item = &part->items[i];

		/* Not before: what is freed here serves the next one. */
		envelope_free(&item->e);
		item->result = scan_envelope(part->tool->folder, item->row->id,
		    part->tool->brief, &item->e);
		item->reason = errno;
	}
	return NULL;
}

/* Threads that cannot be had are done without. */
static void
begin(struct part *part, struct tool *tool, size_t from, size_t nthreads)
{
	part->tool = tool;
	part->n = tool->n - from < PART ? tool->n - from : PART;
	for (size_t i = 0; i < part->n; i++)
		part->items[i].row = &tool->rows[from + i];
	atomic_store(&part->next, 0);
	part->nthreads = 0;
	while (part->nthreads < nthreads && part->n > 1 &&
	    pthread_create(
		&part->threads[part->nthreads], NULL, read_some, part) == 0)
		part->nthreads++;
}

static void
end(struct part *part)
{
	read_some(part);
	for (size_t i = 0; i < part->nthreads; i++)
		pthread_join(part->threads[i], NULL);
}

/* One that has just left the queue is nobody's trouble. */
static bool
is_readable(const struct item *item, size_t *unreadable)
{
	if (item->result == ENVELOPE_WHOLE)
		return true;
	if (item->result != -1 || item->reason != ENOENT)
		(*unreadable)++;
	return false;
}

static int
visit_part(struct part *part, visit *see, void *context, size_t *unreadable)
{
	struct tool *tool = part->tool;
	int code = EX_OK;

	for (size_t i = 0; i < part->n; i++) {
		struct item *item = &part->items[i];
		struct row row;
		struct candidate c = {.e = &item->e};

		if (code == EX_OK && is_readable(item, unreadable)) {
			row = *item->row;
			/* A rule holds it, and queue has not met it since. */
			if (row.state != STATE_ACTIVE &&
			    row.state != STATE_INCOMING &&
			    holds_reason(&tool->rules, &item->e) != NULL)
				row.state = STATE_HELD;
			c.id = row.id;
			c.state = row.state;
			c.age = tool->now - item->e.time;
			if (selection_wants(&tool->options.selection, &c))
				code = see(tool, &row, &item->e, context);
		}
	}
	return code;
}

static size_t
count_threads(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 2 ? 0 : n > THREADS_MAX ? THREADS_MAX : (size_t)n - 1;
}

static int
visit_all(struct tool *tool, struct part parts[2], visit *see, void *context,
    size_t *unreadable)
{
	size_t threads = count_threads(), at = 0;
	int code = EX_OK;

	begin(&parts[0], tool, 0, threads);
	for (int i = 0; parts[i].n > 0; i = !i) {
		end(&parts[i]);
		at += parts[i].n;
		begin(&parts[!i], tool, code == EX_OK ? at : tool->n, threads);
		if (code == EX_OK)
			code = visit_part(&parts[i], see, context, unreadable);
	}
	return code;
}

static void
parts_free(struct part parts[2])
{
	for (int i = 0; i < 2; i++)
		for (size_t k = 0; k < PART; k++)
			envelope_free(&parts[i].items[k].e);
	free(parts);
}

int
scan(struct tool *tool, visit *see, void *context)
{
	struct part *parts = calloc(2, sizeof(*parts));
	size_t unreadable = 0;
	char what[64];
	int code;

	if (parts == NULL)
		return tool_no_memory(tool);
	code = visit_all(tool, parts, see, context, &unreadable);
	parts_free(parts);
	if (unreadable == 0 || code != EX_OK)
		return code;
	snprintf(what, sizeof(what), "%zu envelope%s", unreadable,
	    unreadable == 1 ? "" : "s");
	return tool_fail(tool, EX_IOERR, what, "cannot be read");
}
