/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fs.h"
#include "tools/dns-files.h"

enum { STEP_MAX = 64 };

/* The folder that the file is in; *name begins its last part.  -1, errno. */
static int
descend(int folder, const char *path, const char **name)
{
	int here = dup(folder);
	const char *slash;

	for (; here != -1 && (slash = strchr(path, '/')) != NULL;
	     path = slash + 1) {
		char step[STEP_MAX];
		int next = -1;

		snprintf(step, sizeof(step), "%.*s", (int)(slash - path), path);
		if (fs_make_dir(here, step, 0755) == 0)
			next = fs_open_dir(here, step);
		close(here);
		here = next;
	}
	*name = path;
	return here;
}

/* What a rename would replace must be a file, not a link or a device. */
static bool
may_replace(int folder, const char *name)
{
	struct stat is;

	if (fstatat(folder, name, &is, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT;
	errno = S_ISLNK(is.st_mode) ? ELOOP : EEXIST;
	return S_ISREG(is.st_mode);
}

static bool
fill(int fd, const struct buf *octets)
{
	return fchmod(fd, 0644) == 0 &&
	    fs_write_all(fd, octets->data, octets->len) == 0 &&
	    fs_sync(fd) == 0;
}

static bool
replace(int folder, const char *name, const struct buf *octets)
{
	char new[STEP_MAX], id[FS_ID_SIZE];
	bool ok;
	int fd, why;

	fs_random_id(id);
	snprintf(new, sizeof(new), ".%s.new", id);
	fd = openat(folder, new,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return false;
	ok = fill(fd, octets) && renameat(folder, new, folder, name) == 0;
	why = errno;
	close(fd);
	if (!ok)
		unlinkat(folder, new, 0);
	else
		ok = fs_sync(folder) == 0;
	errno = why;
	return ok;
}

const char *
write_below(int folder, const char *path, const struct buf *octets)
{
	const char *name;
	int here = descend(folder, path, &name), why;
	bool ok = here != -1 && may_replace(here, name) &&
	    replace(here, name, octets);

	why = errno;
	if (here != -1)
		close(here);
	if (ok)
		return NULL;
	return why == ELOOP ? "a link stands there"
	    : why == EEXIST ? "something that is no file stands there"
			    : strerror(why);
}
