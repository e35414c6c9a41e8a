/* SPDX-License-Identifier: ISC */
#include "mailbox/sizes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cursor.h"
#include "common/fs.h"

static const char file_name[] = "postrider-sizes";
static const char magic[] = "postrider-sizes 1 ";

/* "OCTETS BASE\n" each; as many as there can be names. */
enum { SIZES_MAX = 256 << 20, HEAD_MAX = sizeof(magic) + 16 };

static uint64_t
digest(const char *octets, size_t n)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < n; i++)
		hash =
		    (hash ^ (unsigned char)octets[i]) * UINT64_C(0x100000001b3);
	return hash;
}

/* -- opening -- */

/* By the names that the kernel gives first: a guess that costs little. */
static bool
has_unsized(int maildir, const char *folder)
{
	enum { LOOKED_AT = 100 };
	struct maildir_parts parts;
	struct dirent *entry;
	int fd = fs_open_dir(maildir, folder);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	bool found = false;

	if (dir == NULL) {
		if (fd != -1)
			close(fd);
		return false;
	}
	for (int i = 0; i < LOOKED_AT && !found; i++) {
		entry = readdir(dir);
		if (entry == NULL)
			break;
		found = maildir_parse(entry->d_name, &parts) && !parts.has_wire;
	}
	closedir(dir);
	return found;
}

int
sizes_open(int maildir)
{
	const int how = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	struct stat status;
	int fd = openat(maildir, file_name, how);

	if (fd == -1 && errno == ENOENT &&
	    (has_unsized(maildir, "cur") || has_unsized(maildir, "new")))
		fd = openat(maildir, file_name, how | O_CREAT | O_EXCL, 0600);
	if (fd == -1)
		return -1;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
	    status.st_nlink == 1)
		return fd;
	close(fd);
	return -1;
}

/* -- reading -- */

/* The lines, after a head that vouches for them. */
static char *
vouched_for(char *text, size_t n)
{
	char digits[17];
	uint64_t sum;

	if (n < HEAD_MAX || memcmp(text, magic, sizeof(magic) - 1) != 0 ||
	    text[HEAD_MAX - 1] != '\n')
		return NULL;
	memcpy(digits, text + sizeof(magic) - 1, 16);
	digits[16] = '\0';
	sum = strtoull(digits, NULL, 16);
	text += HEAD_MAX;
	return digest(text, n - HEAD_MAX) == sum ? text : NULL;
}

/*
 * Lines and messages stand in the same order, so one walk over both will
 * do.
 */
static void
merge(struct snapshot *s, char *line, const char *end)
{
	size_t i = 0;

	while (line < end && i < s->n) {
		char *stop = memchr(line, '\n', (size_t)(end - line));
		struct cursor c;
		uint64_t octets;

		if (stop == NULL)
			return;
		*stop = '\0';
		c = cursor_over(line, (size_t)(stop - line));
		octets = cursor_decimal(&c);
		cursor_expect(&c, " ");
		if (!cursor_ok(&c))
			return;
		while (
		    i < s->n && snapshot_compare(s, i, (const char *)c.pos) < 0)
			i++;
		if (i < s->n && !s->messages[i].has_octets &&
		    snapshot_compare(s, i, (const char *)c.pos) == 0) {
			s->messages[i].octets = octets;
			s->messages[i].has_octets = 1;
			s->messages[i].counted = 1;
		}
		s->remembered++;
		line = stop + 1;
	}
}

void
sizes_load(int fd, struct snapshot *s)
{
	char *text = NULL, *lines;
	size_t n;

	if (fd == -1 || fs_read_all(fd, SIZES_MAX, &text, &n) == -1)
		return;
	lines = vouched_for(text, n);
	if (lines != NULL)
		merge(s, lines, text + n);
	free(text);
}

/* -- writing -- */

static void
add_lines(const struct snapshot *s, struct buf *out)
{
	for (size_t i = 0; i < s->n; i++) {
		const char *name = snapshot_name(s, i);
		size_t base = strcspn(name, ":");

		if (!s->messages[i].counted || memchr(name, '\n', base) != NULL)
			continue;
		buf_addf(out, "%" PRIu64 " %.*s\n", s->messages[i].octets,
		    (int)base, name);
	}
}

static bool
is_worth_writing(const struct snapshot *s)
{
	size_t counted = 0;

	if (s->measured > 0)
		return true;
	for (size_t i = 0; i < s->n; i++)
		counted += s->messages[i].counted;
	return s->remembered > 2 * counted + 100;
}

void
sizes_save(int fd, const struct snapshot *s)
{
	struct buf lines = BUF_INIT(SIZES_MAX), head = BUF_INIT(HEAD_MAX + 1);

	if (fd == -1 || !is_worth_writing(s))
		return;
	add_lines(s, &lines);
	buf_addf(
	    &head, "%s%016" PRIx64 "\n", magic, digest(lines.data, lines.len));
	/* What fails here, or is cut short by a crash, is counted again. */
	if (buf_ok(&lines) && buf_ok(&head) && ftruncate(fd, 0) == 0 &&
	    fs_write_at(fd, lines.data, lines.len, (off_t)head.len) == 0)
		(void)fs_write_at(fd, head.data, head.len, 0);
	buf_free(&lines);
	buf_free(&head);
}
