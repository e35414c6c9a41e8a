/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* memmem */
#include "common/trust.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/config.h"
#include "common/fs.h"

/* Where systems keep them, all in one file. */
static const char *const system_files[] = {"/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem"};

enum { FILES_MAX = 1024 };

static const char pem_begin[] = "-----BEGIN CERTIFICATE-----";

/* What holds no certificate adds nothing. */
static int
add_file(int fd, struct buf *pem)
{
	char *octets;
	size_t n;
	int rc = 0;

	if (fs_read_all(fd, TRUST_MAX, &octets, &n) == -1)
		return -1;
	if (memmem(octets, n, pem_begin, sizeof(pem_begin) - 1) != NULL &&
	    !(buf_add(pem, octets, n) && buf_addc(pem, '\n'))) {
		errno = EFBIG;
		rc = -1;
	}
	free(octets);
	return rc;
}

/* A file may have several names: its own, and that of a hash. */
static bool
seen_before(ino_t *seen, size_t *n, const struct stat *file)
{
	for (size_t i = 0; i < *n; i++)
		if (seen[i] == file->st_ino)
			return true;
	if (*n < FILES_MAX)
		seen[(*n)++] = file->st_ino;
	return false;
}

static int
add_folder(int folder, struct buf *pem)
{
	static ino_t seen[FILES_MAX];
	size_t n = 0;
	int copy = fcntl(folder, F_DUPFD_CLOEXEC, 0), fd, rc = 0;
	DIR *dir = copy != -1 ? fdopendir(copy) : NULL;
	struct dirent *entry;
	struct stat is;

	if (dir == NULL)
		return -1;
	while (rc == 0 && (entry = readdir(dir)) != NULL) {
		fd = openat(folder, entry->d_name,
		    O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (fd == -1)
			continue;
		if (fstat(fd, &is) == 0 && S_ISREG(is.st_mode) &&
		    !seen_before(seen, &n, &is))
			rc = add_file(fd, pem);
		close(fd);
	}
	closedir(dir);
	return rc;
}

static int
add_path(const char *path, struct buf *pem)
{
	size_t before = pem->len;
	struct stat is;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int rc, saved;

	if (fd == -1)
		return -1;
	rc = fstat(fd, &is) == -1 ? -1
	    : S_ISDIR(is.st_mode) ? add_folder(fd, pem)
				  : add_file(fd, pem);
	saved = errno;
	close(fd);
	errno = saved;
	if (rc == 0 && pem->len == before) {
		errno = ENOMSG;
		rc = -1;
	}
	return rc;
}

int
trust_load(const struct config *config, struct buf *pem, char *error)
{
	if (config->tls_trust != NULL) {
		if (add_path(config->tls_trust, pem) == 0)
			return 0;
		snprintf(error, CONFIG_ERROR_MAX, "\"tls-trust\" %.300s: %s",
		    config->tls_trust,
		    errno == ENOMSG ? "no certificate in it" : strerror(errno));
		return -1;
	}
	for (size_t i = 0; i < sizeof(system_files) / sizeof(*system_files);
	     i++)
		if (add_path(system_files[i], pem) == 0)
			return 0;
	snprintf(error, CONFIG_ERROR_MAX,
	    "the system has no certificates of authorities "
	    "(Debian: apt install ca-certificates)");
	return -1;
}
