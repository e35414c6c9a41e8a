/* SPDX-License-Identifier: ISC */
#include "ledger/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/log.h"

enum {
	PART_OCTETS = 1 << 16,
	ROWS_A_TURN = 2000,
	SLACK_OCTETS = 1 << 20, /* outdated lines that are not worth it */
	RETRY_S = 60
};

static const char file_name[] = "journal", fresh_name[] = "journal.new";

static struct {
	int folder;
	struct table *const *tables;
	int fd;     /* -1: none */
	off_t size; /* of it; after it was last written anew */
	off_t size_then;
	int fresh; /* -1: not being written anew */
	off_t fresh_size;
	size_t table, row; /* the next to go into it */
	bool wanted;       /* anew, as soon as possible */
	bool told;         /* that it cannot be written */
	time_t retry;      /* not before */
	struct buf out;
} journal = {.fd = -1, .fresh = -1};

/* FNV-1a, 32 bits: enough to see a torn or damaged line. */
static uint32_t
checksum(const char *octets, size_t n)
{
	uint32_t sum = 0x811c9dc5;

	for (size_t i = 0; i < n; i++)
		sum = (sum ^ (unsigned char)octets[i]) * 0x01000193;
	return sum;
}

/* -- reading -- */

static struct table *
table_named(const char *name)
{
	for (struct table *const *t = journal.tables; *t != NULL; t++)
		if (strcmp((*t)->kind->name, name) == 0)
			return *t;
	return NULL;
}

static void
take_row(struct table *t, struct row *row, time_t now)
{
	struct row *before = table_find(t, row);

	if (before != NULL)
		table_drop(before);
	if (t->kind->is_over(row, now) || !table_add(t, row, now))
		t->kind->free(row);
}

/* A line without its end, which is changed; false when it is damaged. */
static bool
take_line(char *line, size_t n, time_t now)
{
	struct fields f = {.rest = line};
	struct table *table;
	struct row *row;
	char sum[16];

	if (n < 10 || line[8] != ' ' || memchr(line, '\0', n) != NULL)
		return false;
	snprintf(sum, sizeof(sum), "%08" PRIx32, checksum(line + 9, n - 9));
	if (memcmp(sum, line, 8) != 0)
		return false;
	f.rest = line + 9;
	table = table_named(fields_take(&f, 32));
	/* A later release's, maybe: nothing is wrong with it. */
	if (table == NULL)
		return true;
	row = table->kind->read(&f, now);
	if (row == NULL)
		return false;
	if (f.failed || fields_left(&f)) {
		table->kind->free(row);
		return false;
	}
	take_row(table, row, now);
	return true;
}

/* Whole lines of what is in the buffer; how many were damaged. */
static uint64_t
take_lines(struct buf *in, time_t now)
{
	uint64_t damaged = 0;
	size_t used = 0;
	char *end;

	while ((end = memchr(in->data + used, '\n', in->len - used)) != NULL) {
		size_t n = (size_t)(end - (in->data + used));

		*end = '\0';
		damaged += !take_line(in->data + used, n, now);
		used += n + 1;
	}
	if (in->len - used >= JOURNAL_LINE_MAX) {
		used = in->len; /* no line of ours */
		damaged++;
	}
	buf_consume(in, used);
	return damaged;
}

static void
read_all(int fd, time_t now)
{
	struct buf in = BUF_INIT(JOURNAL_LINE_MAX + PART_OCTETS);
	uint64_t damaged = 0;
	ssize_t n = 1;

	while (n > 0 && buf_reserve(&in, PART_OCTETS)) {
		n = read(fd, in.data + in.len, PART_OCTETS);
		if (n == -1 && errno == EINTR) {
			n = 1;
			continue;
		}
		if (n == -1)
			log_errno(LEVEL_WARNING, "cannot read", file_name);
		if (n > 0) {
			in.len += (size_t)n;
			journal.size += n;
			damaged += take_lines(&in, now);
		}
	}
	if (in.len > 0) { /* torn: what is appended begins a line of its own */
		damaged++;
		(void)fs_write_all(fd, "\n", 1);
	}
	buf_free(&in);
	if (damaged > 0)
		log_event(LEVEL_WARNING, "journal damaged",
		    log_number("lines", (int64_t)damaged));
	journal.wanted = damaged > 0 || n == -1;
}

/* -- writing -- */

static void
trouble(const char *what, time_t now)
{
	if (!journal.told)
		log_errno(LEVEL_WARNING, "cannot write", what);
	journal.told = true;
	journal.retry = now + RETRY_S;
	journal.wanted = true;
	if (journal.fresh != -1) {
		close(journal.fresh);
		journal.fresh = -1;
		unlinkat(journal.folder, fresh_name, 0);
	}
}

static void
put_row(const struct row *row)
{
	static struct buf line = BUF_INIT(JOURNAL_LINE_MAX);

	buf_reset(&line);
	buf_adds(&line, row->table->kind->name);
	row->table->kind->write(row, &line);
	if (!buf_ok(&line))
		return; /* longer than any that is read again */
	buf_addf(&journal.out, "%08" PRIx32 " ", checksum(line.data, line.len));
	buf_add(&journal.out, line.data, line.len);
	buf_addc(&journal.out, '\n');
}

static bool
write_out(int fd, off_t *size)
{
	size_t n = journal.out.len;
	bool good;

	if (n == 0)
		return true;
	good =
	    buf_ok(&journal.out) && fs_write_all(fd, journal.out.data, n) == 0;
	if (good)
		*size += (off_t)n;
	return good;
}

static int
open_journal(const char *name, int flags)
{
	return openat(journal.folder, name,
	    flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
}

static void
begin_anew(time_t now)
{
	journal.wanted = false;
	journal.table = journal.row = 0;
	journal.fresh_size = 0;
	journal.fresh = open_journal(fresh_name, O_WRONLY | O_TRUNC | O_APPEND);
	if (journal.fresh == -1)
		trouble(fresh_name, now);
}

/* It takes the old one's place; not synced: that would be a wait. */
static void
end_anew(time_t now)
{
	if (renameat(journal.folder, fresh_name, journal.folder, file_name) ==
	    -1) {
		trouble(file_name, now);
		return;
	}
	if (journal.fd != -1)
		close(journal.fd);
	journal.fd = journal.fresh;
	journal.fresh = -1;
	journal.size = journal.size_then = journal.fresh_size;
	journal.told = false;
}

/* A few rows more into the fresh one. */
static void
go_on_anew(time_t now)
{
	buf_reset(&journal.out);
	for (int n = 0; n < ROWS_A_TURN;) {
		const struct table *t = journal.tables[journal.table];

		if (t == NULL)
			break;
		if (journal.row >= t->n) {
			journal.table++;
			journal.row = 0;
			continue;
		}
		put_row(t->rows[journal.row++]);
		n++;
	}
	if (!write_out(journal.fresh, &journal.fresh_size))
		trouble(fresh_name, now);
	else if (journal.tables[journal.table] == NULL)
		end_anew(now);
}

static void
append_changes(time_t now)
{
	buf_reset(&journal.out);
	while (dirty_rows != NULL && journal.out.len < PART_OCTETS * 8) {
		put_row(dirty_rows);
		row_written(dirty_rows);
	}
	if (journal.fresh != -1 &&
	    !write_out(journal.fresh, &journal.fresh_size))
		trouble(fresh_name, now);
	if (journal.fd != -1 && !write_out(journal.fd, &journal.size)) {
		trouble(file_name, now);
		close(journal.fd); /* its last line may be torn */
		journal.fd = -1;
	}
}

void
journal_flush(time_t now)
{
	append_changes(now);
	if (journal.fresh == -1 &&
	    (journal.wanted ||
		journal.size > 2 * journal.size_then + SLACK_OCTETS) &&
	    now >= journal.retry)
		begin_anew(now);
	if (journal.fresh != -1)
		go_on_anew(now);
}

bool
journal_is_busy(void)
{
	return journal.fresh != -1 || dirty_rows != NULL;
}

void
journal_rewrite(void)
{
	journal.wanted = true;
	journal.retry = 0;
}

static int
open_regular(void)
{
	int fd = open_journal(file_name, O_RDWR | O_APPEND);
	struct stat is;

	if (fd == -1 || (fstat(fd, &is) == 0 && S_ISREG(is.st_mode)))
		return fd;
	close(fd);
	errno = EINVAL;
	return -1;
}

void
journal_begin(int folder, struct table *const *tables, time_t now)
{
	journal.folder = folder;
	journal.tables = tables;
	journal.out = BUF_INIT(JOURNAL_LINE_MAX * ROWS_A_TURN);
	journal.fd = open_regular();
	if (journal.fd == -1) {
		log_errno(LEVEL_WARNING, "cannot open", file_name);
		journal.wanted = true;
		return;
	}
	read_all(journal.fd, now);
	journal.size_then = journal.size;
	/* What was read is written already. */
	while (dirty_rows != NULL)
		row_written(dirty_rows);
}

void
journal_end(time_t now)
{
	while (dirty_rows != NULL)
		append_changes(now);
	if (journal.fresh == -1 && journal.wanted)
		begin_anew(now);
	while (journal.fresh != -1)
		go_on_anew(now);
	buf_free(&journal.out);
	if (journal.fd != -1)
		close(journal.fd);
	journal.fd = -1;
}
