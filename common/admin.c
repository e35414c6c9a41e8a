/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* O_PATH */
#include "common/admin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/ipc.h"

/* By way of the open folder: a socket's path has little room. */
int
admin_connect(const struct config *config, const char *owner)
{
	struct buf folder = BUF_INIT(4096);
	char path[64];
	int dir = -1, fd, saved;

	buf_addf(&folder, "%s/admin", config->run_dir);
	if (buf_text(&folder) != NULL)
		dir = open(buf_text(&folder), O_PATH | O_DIRECTORY | O_CLOEXEC);
	buf_free(&folder);
	if (dir == -1)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, owner);
	fd = ipc_connect(path);
	saved = errno;
	close(dir);
	errno = saved;
	return fd;
}
