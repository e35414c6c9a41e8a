/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* memfd_create, F_ADD_SEALS */
#include "supervisor/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/fs.h"

enum { PIECE = 16384, SNAPSHOT_MAX = 2 << 20 };

static int
fail(const char *path, int fd, char *error)
{
	snprintf(error, CONFIG_ERROR_MAX, "%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static int
copy_text(int from, int to)
{
	char piece[PIECE];
	size_t total = 0;
	ssize_t n;

	while ((n = read(from, piece, sizeof(piece))) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 || fs_write_all(to, piece, (size_t)n) == -1)
			return -1;
		total += (size_t)n;
		if (total > SNAPSHOT_MAX) {
			errno = EFBIG;
			return -1;
		}
	}
	return 0;
}

static int
add_hostname(int fd, const char *hostname)
{
	char line[512];
	int n = snprintf(line, sizeof(line), "\nhostname %s\n", hostname);

	return fs_write_all(fd, line, (size_t)n);
}

int
snapshot_take(const char *path, struct config *config, char *error)
{
	int fd, file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (file == -1)
		return fail(path, -1, error);
	fd = memfd_create("postrider.conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1 || copy_text(file, fd) == -1) {
		int saved = errno;

		close(file);
		errno = saved;
		return fail(path, fd, error);
	}
	close(file);
	if (config_load_fd(config, fd, path, error) == -1) {
		close(fd);
		return -1;
	}
	if ((config->hostname_guessed &&
		add_hostname(fd, config->hostname) == -1) ||
	    fcntl(fd, F_ADD_SEALS,
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) ==
		-1) {
		config_free(config);
		return fail(path, fd, error);
	}
	return fd;
}
