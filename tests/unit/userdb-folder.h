/* SPDX-License-Identifier: ISC */
#ifndef TESTS_UNIT_USERDB_FOLDER_H
#define TESTS_UNIT_USERDB_FOLDER_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A folder of a test's own, without folders in it. */
static inline void
folder_make(char *path, size_t max)
{
	snprintf(path, max, "/tmp/prunit-XXXXXX");
	if (mkdtemp(path) == NULL)
		abort();
}

static inline void
folder_remove(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
		unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir != NULL)
		closedir(dir);
	rmdir(path);
}

#endif
