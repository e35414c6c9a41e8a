/* SPDX-License-Identifier: ISC */
#include "queue/trace-file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "build.h"

#ifdef HAVE_ZLIB
#include <zlib.h>
#endif

enum { BLOCK = 65536 };

/* -- octets -- */

struct source {
	int fd;
#ifdef HAVE_ZLIB
	gzFile packed; /* NULL: plain */
#endif
};

static bool
source_open(struct source *s, const struct trace_file *f)
{
	*s = (struct source){.fd = f->fd};
	if (lseek(f->fd, 0, SEEK_SET) == -1)
		return false;
#ifdef HAVE_ZLIB
	if (f->packed) {
		int copy = dup(f->fd);

		s->packed = copy >= 0 ? gzdopen(copy, "rb") : NULL;
		if (s->packed == NULL && copy >= 0)
			close(copy);
		return s->packed != NULL;
	}
	return true;
#else
	errno = EOPNOTSUPP; /* built without zlib */
	return !f->packed;
#endif
}

static ssize_t
source_read(struct source *s, char *block)
{
	ssize_t got;

#ifdef HAVE_ZLIB
	if (s->packed != NULL)
		return gzread(s->packed, block, BLOCK);
#endif
	while ((got = read(s->fd, block, BLOCK)) == -1 && errno == EINTR)
		continue;
	return got;
}

static void
source_close(struct source *s)
{
#ifdef HAVE_ZLIB
	if (s->packed != NULL)
		gzclose(s->packed);
#else
	(void)s;
#endif
}

/* -- lines -- */

struct lines {
	char line[TRACE_LINE_MAX];
	size_t n;
	bool too_long; /* that is none of ours */
};

static int
end_line(struct tool *tool, struct lines *l, trace_read *read, void *context)
{
	char *line = l->line;
	size_t n = l->n;
	int code = EX_OK;

	/* A power cut leaves NUL octets where it cut off what was written. */
	for (; n > 0 && *line == '\0'; n--)
		line++;
	for (size_t i = 0; i < n; i++)
		if (line[i] == '\0')
			line[i] = '?';
	if (!l->too_long && n > 0)
		code = read(tool, line, n, context);
	l->n = 0;
	l->too_long = false;
	return code;
}

static int
split(struct tool *tool, struct lines *l, const char *block, size_t n,
    trace_read *read, void *context)
{
	int code = EX_OK;

	while (n > 0 && code == EX_OK) {
		const char *end = memchr(block, '\n', n);
		size_t length = end != NULL ? (size_t)(end - block) : n;

		if (length > sizeof(l->line) - l->n)
			l->too_long = true;
		else
			memcpy(l->line + l->n, block, length);
		if (!l->too_long)
			l->n += length;
		if (end == NULL)
			break;
		code = end_line(tool, l, read, context);
		block += length + 1;
		n -= length + 1;
	}
	return code;
}

/* A pipe, into a file without a name that can be read twice. */
static int
keep(struct tool *tool, struct trace_file *f)
{
	FILE *copy = tmpfile();
	char block[BLOCK];
	ssize_t got = 0;
	int fd;

	if (copy == NULL)
		return tool_fail(tool, EX_CANTCREAT, "log", strerror(errno));
	while ((got = read(f->fd, block, sizeof(block))) != 0) {
		if (got == -1 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got == -1 ||
		    fwrite(block, 1, (size_t)got, copy) != (size_t)got)
			break;
	}
	if (got != 0 || fflush(copy) == EOF || (fd = dup(fileno(copy))) == -1) {
		fclose(copy);
		return tool_fail(tool, EX_IOERR, "log", strerror(errno));
	}
	fclose(copy);
	close(f->fd);
	f->fd = fd;
	return EX_OK;
}

static int
read_source(
    struct tool *tool, struct source *s, trace_read *read, void *context)
{
	static char block[BLOCK];
	struct lines *l = calloc(1, sizeof(*l));
	ssize_t got;
	int code = EX_OK;

	if (l == NULL)
		return tool_no_memory(tool);
	while (code == EX_OK && (got = source_read(s, block)) != 0) {
		if (got < 0) {
			(void)tool_fail(
			    tool, EX_OK, "part of the log", "damaged");
			break;
		}
		code = split(tool, l, block, (size_t)got, read, context);
	}
	if (code == EX_OK)
		code = end_line(tool, l, read, context);
	free(l);
	return code;
}

int
trace_file_read(
    struct tool *tool, struct trace_file *f, trace_read *read, void *context)
{
	struct source s;
	int code = EX_OK;

	if (lseek(f->fd, 0, SEEK_CUR) == -1 && errno == ESPIPE)
		code = keep(tool, f);
	if (code != EX_OK)
		return code;
	/* One that cannot be read is no reason to leave out the others. */
	if (!source_open(&s, f))
		return tool_fail(
		    tool, EX_OK, "part of the log", strerror(errno));
	code = read_source(tool, &s, read, context);
	source_close(&s);
	return code;
}
