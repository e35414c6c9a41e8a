/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* renameat2 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fs.h"
#include "queue/check.h"
#include "queue/load.h"
#include "queue/queue.h"

enum { BLOCK = 65536 };

static bool
same_octets(int a, int b)
{
	static char left[BLOCK], right[BLOCK];
	ssize_t n, m;
	off_t at = 0;

	do {
		n = pread(a, left, BLOCK, at);
		m = pread(b, right, BLOCK, at);
		if (n == -1 || n != m || memcmp(left, right, (size_t)n) != 0)
			return false;
		at += n;
	} while (n > 0);
	return true;
}

/* As a copy of a spool in use leaves it: it was renamed meanwhile. */
bool
check_same_content(const char *id)
{
	int a = spool_content(&queue.spool, SPOOL_NEW, id);
	int b = spool_content(&queue.spool, SPOOL_CUR, id);
	bool same = a >= 0 && b >= 0 && same_octets(a, b) &&
	    unlinkat(queue.spool.content[SPOOL_NEW], id, 0) == 0;

	if (a >= 0)
		close(a);
	if (b >= 0)
		close(b);
	return same;
}

/* -- quarantine -- */

static bool
is_free(const char *id)
{
	const int folders[] = {queue.spool.envelope,
	    queue.spool.content[SPOOL_NEW], queue.spool.content[SPOOL_CUR]};
	struct stat status;

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (fstatat(folders[i], id, &status, AT_SYMLINK_NOFOLLOW) ==
			0 ||
		    errno != ENOENT)
			return false;
	return true;
}

/* Where its content lies: "cur.ID" or "new.ID". */
static bool
find_content(const char *id, char name[FS_ID_SIZE + 4], struct stat *status)
{
	static const char *const folders[] = {"cur", "new"};
	struct stat other;
	int n = 0;

	for (int i = 0; i < 2; i++) {
		char path[FS_ID_SIZE + 4];

		snprintf(path, sizeof(path), "%s.%.16s", folders[i], id);
		if (fstatat(queue.spool.quarantine, path, &other,
			AT_SYMLINK_NOFOLLOW) == -1)
			continue;
		memcpy(name, path, sizeof(path));
		*status = other;
		n++;
	}
	return n == 1 && S_ISREG(status->st_mode) &&
	    status->st_uid == geteuid();
}

static bool
is_whole(const char *envelope, const struct stat *content)
{
	int fd = fs_open_file(queue.spool.quarantine, envelope);
	struct envelope e;
	const char *why;
	unsigned line;
	char *octets;
	size_t n;
	bool whole = false;

	if (fd == -1)
		return false;
	if (fs_read_all(fd, ENVELOPE_FILE_MAX, &octets, &n) == 0) {
		whole = envelope_parse(&e, octets, n, &why, &line) ==
			ENVELOPE_WHOLE &&
		    e.content == (uint64_t)content->st_size;
		envelope_free(&e);
		free(octets);
	}
	close(fd);
	return whole;
}

static bool
move(const char *name, int folder, const char *id)
{
	return renameat2(queue.spool.quarantine, name, folder, id,
		   RENAME_NOREPLACE) == 0;
}

/*
 * The envelope first, as at a commit, and the content to cur/: it was
 * acknowledged for all we know, so that nothing may be swept.
 */
bool
check_put_back(const char *id, bool repair, bool *whole)
{
	char envelope[FS_ID_SIZE + 16], content[FS_ID_SIZE + 4],
	    own[FS_ID_SIZE];
	struct stat status = {.st_size = 0};

	snprintf(own, sizeof(own), "%.16s", id);
	snprintf(envelope, sizeof(envelope), "envelope.%s", own);
	if (!find_content(own, content, &status) || !is_free(own))
		return false;
	*whole = is_whole(envelope, &status);
	if (!*whole || !repair)
		return true;
	if (!move(envelope, queue.spool.envelope, own))
		*whole = false;
	else if (!move(content, queue.spool.content[SPOOL_CUR], own)) {
		*whole = false;
		(void)renameat2(queue.spool.envelope, own,
		    queue.spool.quarantine, envelope, RENAME_NOREPLACE);
	}
	return true;
}
