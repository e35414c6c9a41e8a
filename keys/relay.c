/* SPDX-License-Identifier: ISC */
#include "keys/relay.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/fs.h"

enum { FILE_MAX = 16384 };

bool
relay_host_name(const char *text, char out[RELAY_HOST_MAX + 1])
{
	size_t n = strlen(text);

	if (n > 2 && text[0] == '[' && text[n - 1] == ']') {
		text++;
		n -= 2;
	}
	if (n == 0 || n > RELAY_HOST_MAX || text[0] == '.' || text[0] == '-')
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (!isalnum(c) && c != '.' && c != '-' && c != ':')
			return false;
		out[i] = (char)tolower(c);
	}
	out[n] = '\0';
	return true;
}

int
relay_open_folder(const char *keys_dir)
{
	int keys = fs_open_dir(AT_FDCWD, keys_dir), folder, saved;

	if (keys == -1)
		return -1;
	folder = fs_open_dir(keys, "relay");
	saved = errno;
	close(keys);
	errno = saved;
	return folder;
}

/* -- reading -- */

static int
read_text(int fd, char text[FILE_MAX + 1])
{
	size_t n = 0;
	ssize_t got;

	while ((got = read(fd, text + n, FILE_MAX - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	if (got == -1)
		return -1;
	if (n == FILE_MAX || strlen(text) != n) {
		errno = EBADMSG;
		return -1;
	}
	return 0;
}

/* The value of a line "name value"; false when it is none or too long. */
static bool
take(const char *line, const char *name, char *out, size_t size)
{
	size_t n = strlen(name);

	return strncmp(line, name, n) == 0 && line[n] == ' ' &&
	    line[n + 1] != '\0' &&
	    snprintf(out, size, "%s", line + n + 1) < (int)size;
}

bool
relay_parse(char *text, struct relay_record *r)
{
	char *line, *rest = text;

	while ((line = strsep(&rest, "\n")) != NULL)
		if (*line != '\0' &&
		    !take(line, "user", r->user, sizeof(r->user)) &&
		    !take(line, "password", r->password, sizeof(r->password)) &&
		    !take(line, "token-file", r->token_file,
			sizeof(r->token_file)))
			return false;
	return r->user[0] != '\0' &&
	    (r->password[0] != '\0') != (r->token_file[0] != '\0');
}

int
relay_read(int folder, const char *host, struct relay_record *r)
{
	char text[FILE_MAX + 1];
	int fd = fs_open_file(folder, host), rc;

	*r = (struct relay_record){.user = ""};
	snprintf(r->host, sizeof(r->host), "%s", host);
	if (fd == -1)
		return -1;
	rc = read_text(fd, text);
	close(fd);
	if (rc == 0 && !relay_parse(text, r)) {
		errno = EBADMSG;
		rc = -1;
	}
	explicit_bzero(text, sizeof(text));
	return rc;
}

/* Its owner replaces it by another file: it is opened by name each time. */
int
relay_read_token(const char *path, char out[KEYS_RELAY_SECRET_MAX + 1])
{
	char text[FILE_MAX + 1];
	struct stat status;
	size_t n;
	int fd, rc;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd == -1)
		return -1;
	if (fstat(fd, &status) == -1 || !S_ISREG(status.st_mode)) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	rc = read_text(fd, text);
	close(fd);
	n = strcspn(text, "\r\n");
	if (rc == 0 && (n == 0 || n > KEYS_RELAY_SECRET_MAX)) {
		errno = EBADMSG;
		rc = -1;
	}
	if (rc == 0) {
		memcpy(out, text, n);
		out[n] = '\0';
	}
	explicit_bzero(text, sizeof(text));
	return rc;
}

int
relay_each(int folder,
    void (*found)(const struct relay_record *, int error, void *context),
    void *context)
{
	int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy != -1 ? fdopendir(copy) : NULL;
	char host[RELAY_HOST_MAX + 1];
	struct relay_record r = {.user = ""};
	struct dirent *entry;

	if (dir == NULL) {
		if (copy != -1)
			close(copy);
		return -1;
	}
	while ((entry = readdir(dir)) != NULL) {
		int error = 0;

		if (!relay_host_name(entry->d_name, host))
			continue;
		if (relay_read(folder, host, &r) == -1)
			error = errno;
		memcpy(r.host, host, sizeof(r.host));
		found(&r, error, context);
	}
	closedir(dir);
	explicit_bzero(&r, sizeof(r));
	return 0;
}

/* -- writing -- */

static bool
is_one_line(const char *text)
{
	return strpbrk(text, "\r\n") == NULL;
}

static bool
format(struct buf *out, const struct relay_record *r)
{
	if (!is_one_line(r->user) || !is_one_line(r->password) ||
	    !is_one_line(r->token_file))
		return false;
	buf_addf(out, "user %s\n", r->user);
	if (r->token_file[0] != '\0')
		return buf_addf(out, "token-file %s\n", r->token_file);
	return buf_addf(out, "password %s\n", r->password);
}

/* A name that begins with a dot is no host's. */
static int
write_beside(int folder, const struct buf *text, const char *name)
{
	int fd = openat(folder, name,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	int rc;

	if (fd == -1)
		return -1;
	rc = fs_write_all(fd, text->data, text->len) == 0 && fsync(fd) == 0
	    ? 0
	    : -1;
	close(fd);
	return rc;
}

int
relay_write(int folder, const struct relay_record *r)
{
	struct buf text = BUF_INIT(FILE_MAX - 1);
	char name[RELAY_HOST_MAX + 8];
	int rc = -1;

	snprintf(name, sizeof(name), ".new-%s", r->host);
	if (!format(&text, r))
		errno = EINVAL;
	else if (write_beside(folder, &text, name) == 0 &&
	    renameat(folder, name, folder, r->host) == 0)
		rc = fsync(folder);
	if (text.data != NULL)
		explicit_bzero(text.data, text.cap);
	buf_free(&text);
	return rc;
}

int
relay_delete(int folder, const char *host)
{
	return unlinkat(folder, host, 0) == 0 ? fsync(folder) : -1;
}
