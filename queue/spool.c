/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* renameat2, O_TMPFILE */
#include "queue/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"

static const struct spool_subfolder {
	const char *name;
	size_t where;
} subfolders[] = {
    {"new", offsetof(struct spool, content[SPOOL_NEW])},
    {"cur", offsetof(struct spool, content[SPOOL_CUR])},
    {"envelope", offsetof(struct spool, envelope)},
    {"tmp", offsetof(struct spool, tmp)},
    {"quarantine", offsetof(struct spool, quarantine)},
};
enum { SUBFOLDERS = sizeof(subfolders) / sizeof(subfolders[0]) };

static int *
subfolder(struct spool *s, size_t i)
{
	return (int *)(void *)((char *)s + subfolders[i].where);
}

/* Where we could look but not write, each message would fail for itself. */
static bool
is_ours(int folder)
{
	struct stat status;

	if (fstat(folder, &status) == -1)
		return false;
	errno = EPERM;
	return status.st_uid == geteuid();
}

int
spool_open(struct spool *s, const char *path)
{
	s->failed = "";
	s->dir = fs_open_dir(AT_FDCWD, path);
	for (size_t i = 0; i < SUBFOLDERS; i++)
		*subfolder(s, i) = -1;
	if (s->dir == -1)
		return -1;
	if (fs_lock(s->dir) == -1)
		goto failed;
	for (size_t i = 0; i < SUBFOLDERS; i++) {
		const char *name = subfolders[i].name;

		s->failed = name;
		if (fs_make_dir(s->dir, name, 0700) == -1 ||
		    (*subfolder(s, i) = fs_open_dir(s->dir, name)) == -1 ||
		    !is_ours(*subfolder(s, i)))
			goto failed;
	}
	s->has_group = false;
	return 0;
failed:
	spool_close(s);
	return -1;
}

int
spool_look(struct spool *s, const char *path)
{
	s->failed = "";
	s->dir = fs_open_dir(AT_FDCWD, path);
	for (size_t i = 0; i < SUBFOLDERS; i++)
		*subfolder(s, i) = -1;
	if (s->dir == -1)
		return -1;
	for (size_t i = 0; i < SUBFOLDERS; i++) {
		s->failed = subfolders[i].name;
		*subfolder(s, i) = fs_open_dir(s->dir, s->failed);
		if (*subfolder(s, i) == -1) {
			spool_close(s);
			return -1;
		}
	}
	s->has_group = false;
	return 0;
}

void
spool_for_group(struct spool *s, gid_t group)
{
	struct stat status;

	s->has_group = true;
	s->group = group;
	s->inherits = fstat(s->content[SPOOL_NEW], &status) == 0 &&
	    (status.st_mode & S_ISGID) != 0 && status.st_gid == group;
}

void
spool_close(struct spool *s)
{
	int saved = errno;

	for (size_t i = 0; i < SUBFOLDERS; i++) {
		if (*subfolder(s, i) >= 0)
			close(*subfolder(s, i));
		*subfolder(s, i) = -1;
	}
	close(s->dir);
	s->dir = -1;
	errno = saved;
}

bool
spool_is_id(const char *name)
{
	return strlen(name) == FS_ID_SIZE - 1 &&
	    strspn(name, "0123456789abcdef") == FS_ID_SIZE - 1;
}

static int
receive_named(struct spool *s, struct reception *r, int *writer)
{
	*writer = openat(s->tmp, r->id,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (*writer == -1)
		return -1;
	r->named = true;
	r->reader = fs_open_file(s->tmp, r->id);
	if (r->reader == -1 || (s->has_group && fchmod(*writer, 0660) == -1)) {
		close(*writer);
		return -1;
	}
	return 0;
}

/*
 * The mailbox links the file into Maildirs; a kernel with
 * fs.protected_hardlinks lets it only when it could write there.
 */
static int
give_to_group(struct spool *s, int fd)
{
	return s->has_group ? fchown(fd, (uid_t)-1, s->group) : 0;
}

int
spool_receive(struct spool *s, struct reception *r, int *writer)
{
	int saved;

	*r = (struct reception){.reader = -1};
	/* Taken already, once in an age of the world: the commit refuses. */
	fs_random_id(r->id);
	if (fs_unnamed(s->content[SPOOL_NEW], s->has_group ? 0660 : 0600,
		writer, &r->reader) == -1 &&
	    (errno != EOPNOTSUPP || receive_named(s, r, writer) == -1))
		goto failed;
	if ((s->inherits && !r->named) || give_to_group(s, r->reader) == 0)
		return 0;
	close(*writer);
failed:
	saved = errno;
	spool_forget(s, r);
	errno = saved;
	return -1;
}

void
spool_forget(struct spool *s, struct reception *r)
{
	if (r->named)
		unlinkat(s->tmp, r->id, 0);
	if (r->reader >= 0)
		close(r->reader);
	*r = (struct reception){.reader = -1};
}

int
spool_scratch(struct spool *s)
{
	char name[FS_ID_SIZE];
	int fd = openat(s->tmp, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EISDIR && errno != EOPNOTSUPP))
		return fd;
	fs_random_id(name);
	fd = openat(s->tmp, name,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	/* A name that stays is swept at the next start. */
	if (fd >= 0)
		(void)unlinkat(s->tmp, name, 0);
	return fd;
}

/* -- commit -- */

static int
envelope_file(
    struct spool *s, const struct reception *r, int *writer, int *reader)
{
	if (fs_unnamed(s->envelope, 0600, writer, reader) == 0)
		return 0;
	if (errno != EOPNOTSUPP)
		return -1;
	/* Without unnamed files it has its name from the start: HALF. */
	*writer = openat(s->envelope, r->id,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (*writer == -1)
		return -1;
	*reader = fs_open_file(s->envelope, r->id);
	if (*reader >= 0)
		return 1;
	close(*writer);
	unlinkat(s->envelope, r->id, 0);
	return -1;
}

static int
link_content(struct spool *s, struct reception *r)
{
	if (!r->named)
		return fs_link(r->reader, s->content[SPOOL_NEW], r->id);
	if (renameat2(s->tmp, r->id, s->content[SPOOL_NEW], r->id,
		RENAME_NOREPLACE) == -1 &&
	    (errno != EINVAL ||
		renameat(s->tmp, r->id, s->content[SPOOL_NEW], r->id) == -1))
		return -1;
	r->named = false;
	return 0;
}

int
spool_commit(struct spool *s, struct reception *r, const void *text, size_t n,
    int *envelope)
{
	int writer, named, rc, saved;

	named = envelope_file(s, r, &writer, envelope);
	if (named == -1)
		return -1;
	rc = fs_write_all(writer, text, n);
	if (close(writer) == -1)
		rc = -1;
	if (rc == 0 && !named &&
	    (rc = fs_link(*envelope, s->envelope, r->id)) == 0)
		named = 1;
	if (rc == 0 && link_content(s, r) == 0)
		return 0;
	saved = errno;
	if (named)
		unlinkat(s->envelope, r->id, 0);
	close(*envelope);
	*envelope = -1;
	errno = saved;
	return -1;
}

/* -- later -- */

int
spool_content(struct spool *s, enum spool_folder folder, const char *id)
{
	return fs_open_file(s->content[folder], id);
}

int
spool_envelope(struct spool *s, const char *id)
{
	return fs_open_file(s->envelope, id);
}

uint64_t
spool_envelope_size(struct spool *s, const char *id)
{
	struct stat status;

	if (fstatat(s->envelope, id, &status, AT_SYMLINK_NOFOLLOW) == -1 ||
	    status.st_size < 0)
		return 0;
	return (uint64_t)status.st_size;
}

int64_t
spool_append(
    struct spool *s, const char *id, uint64_t whole, const void *text, size_t n)
{
	struct stat status;
	int64_t length = (int64_t)whole + (int64_t)n;
	ssize_t wrote;
	int saved,
	    fd = openat(s->envelope, id,
		O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd == -1)
		return -1;
	if (fstat(fd, &status) == -1 ||
	    ((uint64_t)status.st_size != whole &&
		ftruncate(fd, (off_t)whole) == -1)) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	while ((wrote = write(fd, text, n)) == -1 && errno == EINTR)
		continue;
	if (wrote != (ssize_t)n) {
		saved = wrote == -1 ? errno : ENOSPC;
		/* When this fails, too, the next one to append does it. */
		if (wrote > 0 && ftruncate(fd, (off_t)whole) == -1)
			saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	close(fd);
	return length;
}

int
spool_defer(struct spool *s, const char *id)
{
	return renameat(s->content[SPOOL_NEW], id, s->content[SPOOL_CUR], id);
}

static int
remove_name(int folder, const char *id)
{
	return unlinkat(folder, id, 0) == -1 && errno != ENOENT ? -1 : 0;
}

int
spool_remove(
    struct spool *s, enum spool_folder folder, const char *id, bool delivered)
{
	/* It is the Maildir's file now: readable for its owner, for good. */
	if (delivered && s->has_group &&
	    fchmodat(s->content[folder], id, 0640, 0) == -1 && errno != ENOENT)
		log_event(LEVEL_WARNING, "cannot protect", log_text("id", id),
		    log_text("reason", strerror(errno)));
	if (remove_name(s->content[folder], id) == -1)
		return -1;
	return remove_name(s->envelope, id);
}

/* -- what cannot be understood -- */

static int
folder_named(struct spool *s, const char *name)
{
	for (size_t i = 0; i < SUBFOLDERS; i++)
		if (strcmp(subfolders[i].name, name) == 0)
			return *subfolder(s, i);
	return -1;
}

/*
 * Links, FIFOs and sockets hold nothing that could be lost, and the sandbox
 * lets nobody make one, not even by a rename.
 */
static bool
remove_empty(int folder, const char *name)
{
	struct stat status;

	if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == -1 ||
	    S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) {
		errno = EACCES;
		return false;
	}
	return unlinkat(folder, name, 0) == 0;
}

static bool
exists(int folder, const char *name)
{
	struct stat status;

	return fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 ||
	    errno != ENOENT;
}

void
spool_set_aside(
    struct spool *s, const char *folder, const char *name, const char *why)
{
	char aside[NAME_MAX + 1], unique[FS_ID_SIZE];
	int n = snprintf(aside, sizeof(aside), "%s.%s", folder, name);

	if (n < 0 || n > NAME_MAX || exists(s->quarantine, aside)) {
		fs_random_id(unique);
		snprintf(
		    aside, sizeof(aside), "%s.%.200s.%s", folder, name, unique);
	}
	if (renameat(folder_named(s, folder), name, s->quarantine, aside) ==
	    0) {
		log_event(LEVEL_ERROR, "quarantined", log_text("id", name),
		    log_text("what", aside), log_text("reason", why));
		return;
	}
	if (remove_empty(folder_named(s, folder), name))
		log_event(LEVEL_ERROR, "removed", log_text("id", name),
		    log_text("what", folder), log_text("reason", why));
	else
		log_event(LEVEL_ERROR, "cannot set aside", log_text("id", name),
		    log_text("what", folder),
		    log_text("reason", strerror(errno)));
}
