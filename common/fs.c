/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* O_TMPFILE, O_PATH, F_SETLEASE, copy_file_range */
#include "common/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/buf.h"

/* /proc, kept open from before a chroot; -1: reached by name. */
static int proc = -1;

static int
fail_closed(int fd, int reason)
{
	close(fd);
	errno = reason;
	return -1;
}

int
fs_open_dir(int parent, const char *path)
{
	return openat(parent, path,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
}

int
fs_open_file(int parent, const char *path)
{
	struct stat status;
	int fd = openat(parent, path,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd == -1)
		return -1;
	if (fstat(fd, &status) == -1)
		return fail_closed(fd, errno);
	if (S_ISDIR(status.st_mode))
		return fail_closed(fd, EISDIR);
	if (!S_ISREG(status.st_mode))
		return fail_closed(fd, EINVAL);
	return fd;
}

int
fs_make_dir(int parent, const char *path, mode_t mode)
{
	bool made = mkdirat(parent, path, 0700) == 0;
	int fd;

	if (!made && errno != EEXIST)
		return -1;
	/* What stands there already may be a link or a file of somebody's. */
	fd = openat(parent, path,
	    (made ? O_RDONLY : O_PATH) | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return -1;
	if (made && fchmod(fd, mode) == -1)
		return fail_closed(fd, errno);
	close(fd);
	return 0;
}

int
fs_keep_proc(void)
{
	if (proc == -1)
		proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return proc == -1 ? -1 : 0;
}

enum { PROC_PATH_SIZE = 40 };

/* The path of a descriptor, to be used with at_proc(). */
static void
proc_path(int fd, char out[PROC_PATH_SIZE])
{
	snprintf(out, PROC_PATH_SIZE, "%sself/fd/%d",
	    proc == -1 ? "/proc/" : "", fd);
}

static int
at_proc(void)
{
	return proc == -1 ? AT_FDCWD : proc;
}

int
fs_unnamed(int folder, mode_t mode, int *writer, int *reader)
{
	char path[PROC_PATH_SIZE];
	/* To change it afterwards would be another change of the inode. */
	mode_t mask = mode != 0600 ? umask(0777 & ~mode) : 0;

	*reader = -1;
	*writer = openat(folder, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
	if (mode != 0600)
		umask(mask);
	if (*writer == -1) {
		if (errno == EISDIR || errno == ENOTSUP)
			errno = EOPNOTSUPP;
		return -1;
	}
	proc_path(*writer, path);
	*reader = openat(at_proc(), path, O_RDONLY | O_CLOEXEC);
	if (*reader == -1) {
		int saved = errno;

		close(*writer);
		*writer = -1;
		errno = saved;
		return -1;
	}
	return 0;
}

int
fs_link(int fd, int folder, const char *name)
{
	char path[PROC_PATH_SIZE];

	proc_path(fd, path);
	return linkat(at_proc(), path, folder, name, AT_SYMLINK_FOLLOW);
}

int
fs_no_writer(int fd)
{
	/*
	 * Whoever opens the file for writing while we hold the lease makes
	 * the kernel send us a signal, by default the deadly SIGIO.
	 */
	if (fcntl(fd, F_SETSIG, SIGURG) == -1)
		return -1;
	if (fcntl(fd, F_SETLEASE, F_RDLCK) == -1)
		return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
	return fcntl(fd, F_SETLEASE, F_UNLCK) == -1 ? -1 : 1;
}

int
fs_write_all(int fd, const void *octets, size_t n)
{
	const char *p = octets;

	while (n > 0) {
		ssize_t wrote = write(fd, p, n);

		if (wrote == -1 && errno == EINTR)
			continue;
		if (wrote == -1)
			return -1;
		p += wrote;
		n -= (size_t)wrote;
	}
	return 0;
}

int
fs_write_at(int fd, const void *octets, size_t n, off_t where)
{
	const char *p = octets;

	while (n > 0) {
		ssize_t wrote = pwrite(fd, p, n, where);

		if (wrote == -1 && errno == EINTR)
			continue;
		if (wrote == -1)
			return -1;
		p += wrote;
		where += wrote;
		n -= (size_t)wrote;
	}
	return 0;
}

/* A descriptor that several processes inherit shares its offset: pread. */
static ssize_t
read_from(int fd, char *octets, size_t n, size_t where)
{
	ssize_t got;

	do {
		got = pread(fd, octets, n, (off_t)where);
		if (got == -1 && errno == ESPIPE)
			got = read(fd, octets, n);
	} while (got == -1 && errno == EINTR);
	return got;
}

int
fs_read_all(int fd, size_t max, char **octets, size_t *n)
{
	struct buf b = BUF_INIT(max < SIZE_MAX ? max + 1 : max);
	ssize_t got = 0;
	int reason = 0;

	do {
		size_t room = b.max - b.len < 16384 ? b.max - b.len : 16384;

		if (room == 0)
			reason = EFBIG;
		else if (!buf_reserve(&b, room))
			reason = ENOMEM;
		else if ((got = read_from(fd, b.data + b.len, room, b.len)) ==
		    -1)
			reason = errno;
		else
			b.len += (size_t)got;
	} while (reason == 0 && got > 0);
	if (reason == 0 && b.len > max)
		reason = EFBIG;
	if (reason != 0) {
		buf_free(&b);
		errno = reason;
		return -1;
	}
	*octets = b.data;
	*n = b.len;
	return 0;
}

static int
copy_by_hand(int from, int to, uint64_t octets)
{
	char block[65536];

	while (octets > 0) {
		size_t want =
		    octets < sizeof(block) ? (size_t)octets : sizeof(block);
		ssize_t got = read(from, block, want);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == 0)
			errno = EIO;
		if (got <= 0 || fs_write_all(to, block, (size_t)got) == -1)
			return -1;
		octets -= (uint64_t)got;
	}
	return 0;
}

int
fs_copy(int from, int to, uint64_t octets)
{
	while (octets > 0) {
		size_t want = octets < (1 << 30) ? (size_t)octets : 1 << 30;
		ssize_t got = copy_file_range(from, NULL, to, NULL, want, 0);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1 &&
		    (errno == ENOSPC || errno == EDQUOT || errno == EIO ||
			errno == EFBIG))
			return -1;
		if (got <= 0) /* not between these two, or at the end */
			return copy_by_hand(from, to, octets);
		octets -= (uint64_t)got;
	}
	return 0;
}

int
fs_sync(int fd)
{
	int rc;

	do
		rc = fsync(fd);
	while (rc == -1 && errno == EINTR);
	return rc;
}

int
fs_sync_dir(int parent, const char *path)
{
	int fd = fs_open_dir(parent, path);

	if (fd == -1)
		return -1;
	if (fs_sync(fd) == -1)
		return fail_closed(fd, errno);
	close(fd);
	return 0;
}

enum fs_kind { FS_OTHER, FS_EXT, FS_XFS, FS_BTRFS };

static enum fs_kind
kind_of(int fd)
{
	struct statfs status;

	if (fstatfs(fd, &status) == -1)
		return FS_OTHER;
	switch (status.f_type) {
	case 0xef53:
		return FS_EXT;
	case 0x58465342:
		return FS_XFS;
	case 0x9123683e:
		return FS_BTRFS;
	default:
		return FS_OTHER;
	}
}

bool
fs_keeps_order(int fd)
{
	enum fs_kind kind = kind_of(fd);

	return kind == FS_EXT || kind == FS_XFS;
}

bool
fs_syncs_names(int fd)
{
	return kind_of(fd) != FS_OTHER;
}

void
fs_random_id(char out[FS_ID_SIZE])
{
	uint64_t bits;

	/* So few octets never come short; only a signal may come before. */
	while (getrandom(&bits, sizeof(bits), 0) != sizeof(bits))
		if (errno != EINTR)
			abort();
	snprintf(out, FS_ID_SIZE, "%016" PRIx64, bits);
}

int
fs_lock(int fd)
{
	int rc;

	do
		rc = flock(fd, LOCK_EX | LOCK_NB);
	while (rc == -1 && errno == EINTR);
	return rc;
}
