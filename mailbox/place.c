/* SPDX-License-Identifier: ISC */
#include "mailbox/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/maildir.h"
#include "mailbox/folder.h"

enum verdict
place_verdict(int error)
{
	switch (error) {
	case ENOSPC:
		return VERDICT_DISK_FULL;
	case EDQUOT:
		return VERDICT_MAILBOX_FULL;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return VERDICT_INTERNAL;
	default:
		return VERDICT_MAILBOX_BUSY;
	}
}

/* -- was it there before? -- */

struct search {
	const char *name;
	bool found;
};

static bool
compare(const char *name, unsigned char type, void *context)
{
	struct search *search = context;

	(void)type;
	search->found = maildir_same(name, search->name);
	return !search->found;
}

/*
 * In the order in which a message moves: what a reader moves while we look
 * is met further on.  tmp/ has what was deleted before queue knew.
 */
static int
is_there(const struct placement *p)
{
	static const char *const folders[] = {"new", "cur", "tmp"};
	struct search search = {.name = p->name};

	for (size_t i = 0; i < 3 && !search.found; i++)
		if (folder_each(p->maildir, folders[i], compare, &search) == -1)
			return -1;
	return search.found;
}

/*
 * The name is taken: by this very file, or by a copy of it made before a
 * crash.
 */
static bool
is_ours(const struct placement *p, int folder)
{
	struct stat there, here;

	if (fstatat(folder, p->name, &there, AT_SYMLINK_NOFOLLOW) == -1 ||
	    fstat(p->content, &here) == -1 || !S_ISREG(there.st_mode))
		return false;
	return (there.st_dev == here.st_dev && there.st_ino == here.st_ino) ||
	    there.st_size == here.st_size;
}

/* -- a copy -- */

/* pread: others may read through the same open file at this moment. */
static int
copy_content(const struct placement *p, int to)
{
	char block[65536];
	uint64_t done = 0;
	ssize_t n;

	while (done < p->octets) {
		n = pread(p->content, block, sizeof(block), (off_t)done);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO;
		if (n <= 0 || fs_write_all(to, block, (size_t)n) == -1)
			return -1;
		done += (uint64_t)n;
	}
	return fs_sync(to);
}

/* Where there are no unnamed files: by way of a name in tmp/. */
static int
copy_named(const struct placement *p, int folder)
{
	char name[MAILDIR_NAME_MAX + 1];
	int tmp = fs_open_dir(p->maildir, "tmp");
	int fd = -1, rc = -1, saved;

	if (tmp == -1)
		return -1;
	snprintf(
	    name, sizeof(name), "copy.%ld.%.200s", (long)getpid(), p->name);
	if (unlinkat(tmp, name, 0) == 0 || errno == ENOENT)
		fd = openat(tmp, name,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd != -1) {
		rc = copy_content(p, fd);
		if (rc == 0)
			rc = linkat(tmp, name, folder, p->name, 0);
		saved = errno;
		unlinkat(tmp, name, 0);
		close(fd);
		errno = saved;
	}
	saved = errno;
	close(tmp);
	errno = saved;
	return rc;
}

static int
copy_unnamed(const struct placement *p, int folder)
{
	int writer, reader, rc, saved;

	if (fs_unnamed(folder, 0600, &writer, &reader) == -1)
		return errno == EOPNOTSUPP ? copy_named(p, folder) : -1;
	rc = copy_content(p, writer);
	if (rc == 0)
		rc = fs_link(reader, folder, p->name);
	saved = errno;
	close(writer);
	close(reader);
	errno = saved;
	return rc;
}

/* -- one or the other -- */

/* Another file system, not ours to link, too many names: none is a fault. */
static bool
needs_copy(int error)
{
	return error == EXDEV || error == EPERM || error == EMLINK ||
	    error == EOPNOTSUPP;
}

static int
make_durable(const struct placement *p)
{
	if (p->ordered)
		return 0;
	if (fs_sync(p->content) == -1)
		return -1;
	return fs_syncs_names(p->folder) ? 0 : fs_sync(p->folder);
}

static int
give_name(const struct placement *p, int folder)
{
	if (!p->copy) {
		if (fs_link(p->content, folder, p->name) == 0)
			return make_durable(p);
		if (!needs_copy(errno) && errno != EEXIST)
			return -1;
	}
	if ((p->copy || errno != EEXIST) && copy_unnamed(p, folder) == 0)
		return fs_sync(folder);
	/* Who gave it this name may have died before this. */
	return errno == EEXIST && is_ours(p, folder) ? fs_sync(folder) : -1;
}

int
place_find(const struct placement *p)
{
	int there = is_there(p);

	if (there == 1 &&
	    (p->copy ? fs_sync(p->folder) : make_durable(p)) == -1)
		return -1;
	return there;
}

static int
place(const struct placement *p)
{
	int there = p->again ? place_find(p) : 0;

	if (there == 1)
		return 0;
	return there == -1 ? -1 : give_name(p, p->folder);
}

static bool
is_whole(const struct placement *p)
{
	struct stat status;

	return fstat(p->content, &status) == 0 && S_ISREG(status.st_mode) &&
	    (uint64_t)status.st_size == p->octets;
}

enum verdict
place_message(const struct placement *p, const char **why)
{
	*why = NULL;
	if (!is_whole(p)) {
		*why = "the content has another length";
		return VERDICT_INTERNAL;
	}
	if (place(p) == 0)
		return VERDICT_OK;
	*why = strerror(errno);
	return place_verdict(errno);
}
