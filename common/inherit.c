/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* close_range */
#include "common/inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/cursor.h"

enum { FIRST = 3, NAME_MAX_LENGTH = 255 };

static char *names[INHERIT_MAX];
static size_t count;

static size_t
number_of(const char *text)
{
	struct cursor c;
	uint64_t value;

	if (text == NULL)
		return 0;
	c = cursor_over(text, strlen(text));
	value = cursor_decimal(&c);
	if (!cursor_done(&c))
		return 0;
	return value > INHERIT_MAX ? INHERIT_MAX : (size_t)value;
}

static void
take_names(const char *text)
{
	for (size_t i = 0; i < count; i++) {
		size_t n = text != NULL ? strcspn(text, ":") : 0;

		names[i] = n > 0 ? strndup(text, n) : strdup("unknown");
		if (names[i] == NULL)
			abort();
		if (text != NULL)
			text = text[n] == ':' ? text + n + 1 : NULL;
	}
}

size_t
inherit_take(void)
{
	const char *pid = getenv("LISTEN_PID");

	if (pid != NULL && strtol(pid, NULL, 10) == (long)getpid()) {
		count = number_of(getenv("LISTEN_FDS"));
		take_names(getenv("LISTEN_FDNAMES"));
	}
	for (size_t i = 0; i < count; i++)
		fcntl(FIRST + (int)i, F_SETFD, FD_CLOEXEC);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return count;
}

const char *
inherit_name(size_t i)
{
	return i < count ? names[i] : NULL;
}

size_t
inherit_find_all(const char *name, int *fds, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < count && n < max; i++)
		if (strcmp(names[i], name) == 0)
			fds[n++] = FIRST + (int)i;
	return n;
}

int
inherit_find(const char *name)
{
	int fd;

	return inherit_find_all(name, &fd, 1) == 1 ? fd : -1;
}

void
inherit_add(struct inheritance *to, const char *name, int fd)
{
	if (to->n == INHERIT_MAX || strlen(name) > NAME_MAX_LENGTH)
		abort();
	to->fds[to->n] = fd;
	to->names[to->n++] = name;
}

/* First out of the way of the places that they go to, then there. */
static int
place(const struct inheritance *what)
{
	int high[INHERIT_MAX];

	for (size_t i = 0; i < what->n; i++) {
		high[i] = fcntl(what->fds[i], F_DUPFD, FIRST + INHERIT_MAX);
		if (high[i] == -1)
			return -1;
	}
	for (size_t i = 0; i < what->n; i++)
		if (dup2(high[i], FIRST + (int)i) == -1)
			return -1;
	return close_range(FIRST + (unsigned)what->n, ~0U, 0);
}

int
inherit_install(const struct inheritance *what)
{
	struct buf list = BUF_INIT(INHERIT_MAX * (NAME_MAX_LENGTH + 1));
	char number[24];
	int rc = 0;

	if (place(what) == -1)
		return -1;
	for (size_t i = 0; i < what->n; i++)
		buf_addf(&list, "%s%s", i > 0 ? ":" : "", what->names[i]);
	if (buf_text(&list) == NULL) {
		errno = ENOMEM;
		return -1;
	}
	snprintf(number, sizeof(number), "%zu", what->n);
	rc |= setenv("LISTEN_FDS", number, 1);
	snprintf(number, sizeof(number), "%ld", (long)getpid());
	rc |= setenv("LISTEN_PID", number, 1);
	rc |= setenv("LISTEN_FDNAMES", buf_text(&list), 1);
	buf_free(&list);
	return rc == 0 ? 0 : -1;
}
