/* SPDX-License-Identifier: ISC */
#include "queue/trace-log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "queue/trace-file.h"
#include "queue/words.h"

enum { FILES_MAX = 256 };

static struct {
	struct trace_file files[FILES_MAX];
	size_t n;
	const char *what; /* that could not be opened, and why */
	int reason;
} sources;

static const char *const usual[] = {
    "/var/log/mail.log", "/var/log/maillog", "/var/log/syslog"};
enum { USUAL = sizeof(usual) / sizeof(usual[0]) };

static bool
add(const char *path)
{
	struct stat status;
	int fd = strcmp(path, "-") == 0
	    ? dup(STDIN_FILENO)
	    : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	size_t length = strlen(path);

	if (fd == -1 || fstat(fd, &status) == -1 || sources.n == FILES_MAX) {
		sources.what = path;
		sources.reason = errno;
		if (fd >= 0)
			close(fd);
		return false;
	}
	sources.files[sources.n++] = (struct trace_file){.fd = fd,
	    .packed = length > 3 && strcmp(path + length - 3, ".gz") == 0,
	    .written = status.st_mtime};
	return true;
}

/* mail.log.1, mail.log.2.gz, mail.log-20261124: not mail.log.backup. */
static bool
is_older_part(const char *name, const char *base, size_t n)
{
	size_t digits;

	if (strncmp(name, base, n) != 0 || (name[n] != '.' && name[n] != '-'))
		return false;
	name += n + 1;
	digits = strspn(name, "0123456789");
	return digits > 0 &&
	    (name[digits] == '\0' || strcmp(name + digits, ".gz") == 0);
}

static void
add_older_parts(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash != NULL ? (size_t)(slash - path) : 0;
	char folder[4096], whole[8192];
	struct dirent *entry;
	DIR *dir;

	if (slash == NULL || n >= sizeof(folder))
		return;
	memcpy(folder, path, n);
	folder[n] = '\0';
	dir = opendir(n == 0 ? "/" : folder);
	while (dir != NULL && (entry = readdir(dir)) != NULL)
		if (is_older_part(
			entry->d_name, slash + 1, strlen(slash + 1))) {
			snprintf(whole, sizeof(whole), "%s/%s", folder,
			    entry->d_name);
			(void)add(whole);
		}
	if (dir != NULL)
		closedir(dir);
}

static bool
add_with_older_parts(const char *path)
{
	bool ok = add(path);

	add_older_parts(path);
	return ok || sources.n > 0;
}

static int
by_time(const void *left, const void *right)
{
	const struct trace_file *a = left, *b = right;

	return a->written < b->written ? -1 : a->written > b->written;
}

void
trace_open(struct tool *tool)
{
	const struct tool_options *o = &tool->options;
	bool found = false;

	for (size_t i = 0; i < o->nlogs; i++)
		(void)add(o->logs[i]);
	if (o->nlogs > 0)
		return;
	if (tool->config->log_file != NULL)
		found = add_with_older_parts(tool->config->log_file);
	else
		for (size_t i = 0; i < USUAL && !found; i++)
			found = add_with_older_parts(usual[i]);
	if (!found && tool->config->log_file == NULL && sources.n < FILES_MAX) {
		int fd = trace_journal(o->since);

		if (fd >= 0)
			sources.files[sources.n++] =
			    (struct trace_file){.fd = fd};
	}
	qsort(sources.files, sources.n, sizeof(sources.files[0]), by_time);
}

int
trace_each(struct tool *tool, trace_read *read, void *context)
{
	int64_t since = 0;
	int code = EX_OK;

	if (tool->options.nlogs > 0 && sources.what != NULL)
		return tool_fail(tool,
		    sources.reason == EACCES ? EX_NOPERM : EX_NOINPUT,
		    sources.what, strerror(sources.reason));
	if (sources.n == 0)
		return tool_fail(tool,
		    sources.reason == EACCES ? EX_NOPERM : EX_NOINPUT,
		    tool->config->log_file != NULL ? tool->config->log_file
						   : "log",
		    sources.what != NULL ? strerror(sources.reason)
					 : "there is none");
	if (tool->options.since != NULL)
		(void)words_read_time(tool->options.since, tool->now, &since);
	for (size_t i = 0; code == EX_OK && i < sources.n; i++)
		/* Nothing in it is younger than the file. */
		if (sources.files[i].written == 0 ||
		    sources.files[i].written >= since)
			code = trace_file_read(
			    tool, &sources.files[i], read, context);
	return code;
}
