/* SPDX-License-Identifier: ISC */
#include "queue/lifetime.h"

#include <stdbool.h>
#include <string.h>

#include "common/cursor.h"

/*
 * After a step back the clock shows times that it has shown before, and when
 * exactly it was set nobody saw: what may have come in after it counts as
 * such, for mail is to be given up too late rather than too early.
 */
static bool
was_before(const struct lifetime_jump *j, int64_t time)
{
	return time <= (j->by < 0 ? j->at + j->by - LIFETIME_GAP : j->at);
}

int64_t
lifetime_since(const struct lifetime *l, int64_t time, int64_t now)
{
	int64_t age = now - time;

	for (unsigned i = 0; i < l->n; i++)
		if (was_before(&l->jumps[i], time))
			age -= l->jumps[i].by;
	return age > 0 ? age : 0;
}

/* The oldest goes: mail from before it has been given up since. */
void
lifetime_jumped(struct lifetime *l, int64_t at, int64_t by)
{
	if (l->n == LIFETIME_JUMPS_MAX)
		memmove(l->jumps, l->jumps + 1, --l->n * sizeof(l->jumps[0]));
	l->jumps[l->n++] = (struct lifetime_jump){at, by};
}

void
lifetime_resume(struct lifetime *l, int64_t now)
{
	int64_t gap = now - l->alive;

	if (l->alive == 0)
		return;
	if (gap < -LIFETIME_STEP)
		lifetime_jumped(l, l->alive, gap);
	else if (gap > LIFETIME_GAP)
		/* It may have been alive for one more period. */
		lifetime_jumped(
		    l, l->alive + LIFETIME_PERIOD, gap - LIFETIME_GAP);
}

/* -- the file -- */

static int64_t
take_number(struct cursor *c)
{
	bool minus = cursor_left(c) > 0 && *c->pos == '-';
	uint64_t number;

	cursor_skip(c, minus);
	number = cursor_decimal(c);
	if (number > INT64_MAX / 4096)
		c->failed = true;
	return minus ? -(int64_t)number : (int64_t)number;
}

static void
read_line(struct lifetime *l, struct span line)
{
	struct cursor c = cursor_over(line.data, line.len);
	struct span verb = cursor_until(&c, ' ');
	int64_t at = take_number(&c), by = 0;

	if (verb.len == 4 && memcmp(verb.data, "jump", 4) == 0) {
		cursor_expect(&c, " ");
		by = take_number(&c);
		if (cursor_done(&c))
			lifetime_jumped(l, at, by);
	} else if (verb.len == 5 && memcmp(verb.data, "alive", 5) == 0 &&
	    cursor_done(&c)) {
		l->alive = at;
	}
}

void
lifetime_read(struct lifetime *l, const char *text, unsigned long n)
{
	struct cursor c = cursor_over(text, n);

	*l = (struct lifetime){.n = 0};
	while (cursor_left(&c) > 0) {
		struct span line = cursor_until(&c, '\n');

		if (cursor_ok(&c))
			read_line(l, line);
	}
}
