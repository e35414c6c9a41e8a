/* SPDX-License-Identifier: ISC */
#include "tools/report-source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/ipc.h"

struct source {
	int fd; /* packets from the process that opens */
	pid_t opener;
	bool complete;
	struct packet packet;
};

/* -- the process that opens: it reads names of files, and nothing in them -- */

static struct packet out;

static void
say(int to, const char *name, bool in_folder, int fd, const char *reason)
{
	packet_start(&out, "file");
	packet_text(&out, "name", name);
	packet_number(&out, "folder", in_folder);
	if (fd >= 0)
		packet_attach(&out, fd);
	else
		packet_text(&out, "reason", reason);
	if (ipc_send(to, &out, -1) != IPC_OK)
		_exit(1);
}

static void
say_entry(int to, int folder, const char *name, const char *entry)
{
	char path[SOURCE_NAME_MAX];
	int fd = fs_open_file(folder, entry);

	if (snprintf(path, sizeof(path), "%s/%s", name, entry) >=
	    (int)sizeof(path))
		snprintf(path, sizeof(path), "%.200s/...", entry);
	if (fd >= 0 || errno != ENOENT) /* it may have been moved meanwhile */
		say(to, path, true, fd, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names of what is no folder, sorted; those with a dot are none. */
static char **
list(DIR *dir, size_t *n)
{
	char **names = NULL, **grown;
	size_t room = 0;
	struct dirent *entry;

	*n = 0;
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' || entry->d_type == DT_DIR)
			continue;
		if (*n == room) {
			room = room == 0 ? 256 : 2 * room;
			grown = reallocarray(names, room, sizeof(*grown));
			if (grown == NULL)
				_exit(1);
			names = grown;
		}
		names[*n] = strdup(entry->d_name);
		if (names[(*n)++] == NULL)
			_exit(1);
	}
	if (*n > 0)
		qsort(names, *n, sizeof(*names), by_name);
	return names;
}

/* fd is closed. */
static void
say_folder(int to, int fd, const char *name)
{
	DIR *dir = fdopendir(fd);
	char **names;
	size_t n;

	if (dir == NULL) {
		say(to, name, true, -1, strerror(errno));
		close(fd);
		return;
	}
	names = list(dir, &n);
	for (size_t i = 0; i < n; i++) {
		say_entry(to, dirfd(dir), name, names[i]);
		free(names[i]);
	}
	free(names);
	closedir(dir);
}

/* False: it has no folder of that name. */
static bool
say_below(int to, int folder, const char *name, const char *below)
{
	char path[SOURCE_NAME_MAX];
	int fd = fs_open_dir(folder, below);

	if (fd == -1 && errno == ENOENT)
		return false;
	if (snprintf(path, sizeof(path), "%s/%s", name, below) >=
	    (int)sizeof(path))
		snprintf(path, sizeof(path), "%s", below);
	if (fd == -1)
		say(to, path, true, -1, strerror(errno));
	else
		say_folder(to, fd, path);
	return true;
}

static void
say_name(int to, const char *name)
{
	int fd = strcmp(name, "-") == 0
	    ? dup(STDIN_FILENO)
	    : open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat is;
	bool found;

	if (fd == -1 || fstat(fd, &is) == -1) {
		say(to, name, false, -1, strerror(errno));
	} else if (S_ISDIR(is.st_mode)) {
		found = say_below(to, fd, name, "new");
		if (!say_below(to, fd, name, "cur") && !found) {
			say_folder(to, fd, name);
			return;
		}
	} else {
		say(to, name, false, fd, "");
	}
	if (fd >= 0)
		close(fd);
}

_Noreturn static void
open_all(int to, char *const *names, int n)
{
	for (int i = 0; i < n; i++)
		say_name(to, names[i]);
	packet_start(&out, "end");
	_exit(ipc_send(to, &out, -1) == IPC_OK ? 0 : 1);
}

/* -- its caller -- */

struct source *
source_begin(char *const *names, int n)
{
	struct source *s = calloc(1, sizeof(*s));
	int ends[2];

	if (s == NULL || ipc_pair(ends) == -1) {
		free(s);
		return NULL;
	}
	fflush(NULL);
	s->opener = fork();
	if (s->opener == 0) {
		close(ends[0]);
		open_all(ends[1], names, n);
	}
	close(ends[1]);
	s->fd = ends[0];
	if (s->opener != -1)
		return s;
	close(ends[0]);
	free(s);
	return NULL;
}

static bool
read_file(struct source *s, struct source_file *f)
{
	const char *name, *reason;
	uint64_t folder;
	size_t nfds = s->packet.nfds;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("name", SOURCE_NAME_MAX - 1, &name),
	    ATTRIBUTE_NUMBER("folder", &folder),
	    ATTRIBUTE_TEXT_OPTIONAL("reason", SOURCE_REASON_MAX - 1, &reason)};

	if (!packet_read(&s->packet, "file", set, 3, nfds) ||
	    (nfds == 1) == (reason != NULL))
		return false;
	memcpy(f->name, name, strlen(name) + 1);
	f->in_folder = folder != 0;
	f->fd = nfds == 1 ? packet_detach(&s->packet, 0) : -1;
	snprintf(
	    f->reason, sizeof(f->reason), "%s", reason != NULL ? reason : "");
	return true;
}

bool
source_next(struct source *s, struct source_file *f)
{
	bool found;

	if (ipc_receive(s->fd, &s->packet, -1) != IPC_OK)
		return false;
	s->complete = packet_is(&s->packet, "end");
	found = !s->complete && read_file(s, f);
	packet_close(&s->packet);
	return found;
}

bool
source_end(struct source *s)
{
	bool complete = s->complete;

	close(s->fd);
	(void)waitpid(s->opener, NULL, 0);
	free(s);
	return complete;
}
