/* SPDX-License-Identifier: ISC */
#include "pop3d/top.h"

#include <string.h>

void
top_init(struct top *t, bool whole, uint64_t lines)
{
	*t = (struct top){.lines = lines, .whole = whole, .line_empty = true};
}

/* A line has ended: false when nothing may follow. */
static bool
end_line(struct top *t)
{
	if (t->in_body)
		t->lines--;
	else
		t->in_body = t->line_empty;
	t->line_empty = true;
	return !t->in_body || t->lines > 0;
}

static bool
is_empty(const char *from, size_t n)
{
	return n == 0 || (n == 1 && *from == '\r');
}

size_t
top_take(struct top *t, const char *octets, size_t n)
{
	size_t done = 0;

	if (t->whole)
		return n;
	if (t->in_body && t->lines == 0)
		return 0;
	while (done < n) {
		const char *from = octets + done;
		const char *end = memchr(from, '\n', n - done);
		size_t length = end != NULL ? (size_t)(end - from) : n - done;

		t->line_empty = t->line_empty && is_empty(from, length);
		if (end == NULL)
			return n;
		done += length + 1;
		if (!end_line(t))
			break;
	}
	return done;
}
