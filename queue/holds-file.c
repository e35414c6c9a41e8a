/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cursor.h"
#include "common/fs.h"
#include "queue/envelope-read.h"
#include "queue/holds.h"

static const char name[] = "holds", fresh[] = "holds.new";

bool
holds_format(const struct holds *h, struct buf *out)
{
	buf_adds(out, "postrider-holds 1\n");
	for (size_t i = 0; i < h->n; i++) {
		const struct hold_rule *r = &h->rules[i];

		buf_addf(
		    out, "%s %" PRId64 " <", hold_kind_name(r->kind), r->since);
		envelope_escape(out, r->name, true);
		buf_adds(out, "> ");
		envelope_escape(out, r->reason, false);
		buf_addc(out, '\n');
	}
	return buf_ok(out);
}

/* KIND TIME <PATTERN> REASON.  False: bad, or no memory. */
static bool
take_line(struct holds *h, struct reading *r)
{
	char word[16], pattern[HOLD_NAME_MAX + 1];
	char reason[ENVELOPE_TEXT_MAX + 1];
	enum hold_kind kind;
	int64_t since;

	if (!read_text(r, ' ', word, sizeof(word) - 1) ||
	    !hold_kind_named(word, &kind) || !read_seconds(r, &since))
		return false;
	cursor_expect(&r->line, " <");
	if (!cursor_ok(&r->line) || !read_text(r, '>', pattern, HOLD_NAME_MAX))
		return false;
	cursor_expect(&r->line, " ");
	if (!cursor_ok(&r->line) || !read_text(r, 0, reason, ENVELOPE_TEXT_MAX))
		return false;
	r->no_memory = holds_set(h, kind, pattern, reason, since) == -1;
	return !r->no_memory;
}

int
holds_parse(struct holds *h, const void *octets, size_t n)
{
	struct cursor file = cursor_over(octets, n);
	int bad = 0;

	cursor_expect(&file, "postrider-holds 1\n");
	if (!cursor_ok(&file))
		return 1;
	while (cursor_left(&file) > 0) {
		struct span line = cursor_until(&file, '\n');
		struct reading r = {.line = cursor_over(line.data, line.len)};

		if (!cursor_ok(&file)) /* cut short */
			return bad + 1;
		if (!take_line(h, &r)) {
			if (r.no_memory)
				return -1;
			bad++;
		}
	}
	return bad;
}

int
holds_read(struct holds *h, int spool)
{
	int fd = fs_open_file(spool, name), bad = -1;
	char *octets;
	size_t n;

	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	if (fs_read_all(fd, HOLDS_FILE_MAX, &octets, &n) == 0) {
		bad = holds_parse(h, octets, n);
		free(octets);
		if (bad == -1)
			errno = ENOMEM;
	}
	close(fd);
	return bad;
}

static int
write_fresh(int spool, const void *text, size_t n)
{
	int rc, saved, fd;

	/* Whatever it is: of one that was killed, or restored by root. */
	(void)unlinkat(spool, fresh, 0);
	fd =
	    openat(spool, fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	rc = fs_write_all(fd, text, n) == 0 ? fs_sync(fd) : -1;
	saved = errno;
	if (close(fd) == -1 && rc == 0)
		return -1;
	errno = saved;
	return rc;
}

static int
set_aside(int spool)
{
	char unique[FS_ID_SIZE], aside[FS_ID_SIZE + 24];

	fs_random_id(unique);
	snprintf(aside, sizeof(aside), "quarantine/holds.%s", unique);
	return renameat(spool, name, spool, aside) == 0 || errno == ENOENT ? 0
									   : -1;
}

int
holds_write(int spool, bool damaged, const void *text, size_t n)
{
	int saved;

	if (write_fresh(spool, text, n) == 0 &&
	    (!damaged || set_aside(spool) == 0) &&
	    renameat(spool, fresh, spool, name) == 0)
		return fs_sync(spool);
	saved = errno;
	unlinkat(spool, fresh, 0);
	errno = saved;
	return -1;
}
