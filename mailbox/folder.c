/* SPDX-License-Identifier: ISC */
#include "mailbox/folder.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fs.h"

enum { ROUNDS = 3 };

static bool
same_time(const struct stat *a, const struct stat *b)
{
	return a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* 1 to the end, 0 stopped, -1 failed. */
static int
read_once(
    DIR *dir, bool (*each)(const char *, unsigned char, void *), void *context)
{
	struct dirent *entry;

	for (;;) {
		errno = 0;
		entry = readdir(dir);
		if (entry == NULL)
			return errno == 0 ? 1 : -1;
		if (entry->d_name[0] != '.' &&
		    !each(entry->d_name, entry->d_type, context))
			return 0;
	}
}

int
folder_each(int maildir, const char *folder,
    bool (*each)(const char *, unsigned char, void *), void *context)
{
	int fd = fs_open_dir(maildir, folder);
	struct stat before, after;
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	int rc = -1, saved;

	if (dir == NULL) {
		if (fd != -1)
			close(fd);
		return -1;
	}
	for (int round = 0; round < ROUNDS; round++) {
		if (fstat(fd, &before) == -1)
			break;
		rc = read_once(dir, each, context);
		if (rc != 1 || fstat(fd, &after) == -1 ||
		    same_time(&before, &after))
			break;
		rewinddir(dir);
	}
	saved = errno;
	closedir(dir);
	errno = saved;
	return rc == -1 ? -1 : 0;
}
