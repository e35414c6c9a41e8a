/* SPDX-License-Identifier: ISC */
#include "queue/lifetime.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/cursor.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/loop.h"
#include "queue/queue.h"

/*
 * Times between a step back and the old time have been twice: those count as
 * the later ones, for mail is to be given up too late rather than too early.
 */
static bool
was_before(const struct lifetime_jump *j, int64_t time)
{
	return time <= (j->by < 0 ? j->at + j->by : j->at);
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
		lifetime_jumped(l, l->alive, gap - LIFETIME_GAP);
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

static const char file_name[] = "clock";

static struct {
	struct lifetime l;
	int64_t offset; /* of the clock to the one that cannot jump, ms */
	bool unwritten; /* and it was logged */
	struct timer timer;
} own;

static int
write_text(const struct buf *text)
{
	int rc,
	    fd = openat(queue.spool.dir, file_name,
		O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK |
		    O_CLOEXEC,
		0600);

	if (fd == -1)
		return -1;
	rc = fs_write_all(fd, text->data, text->len);
	return close(fd) == -1 ? -1 : rc;
}

static void
write_file(void)
{
	struct buf text = BUF_INIT(LIFETIME_FILE_MAX);
	bool failed;

	own.l.alive = clock_now();
	buf_addf(&text, "alive %" PRId64 "\n", own.l.alive);
	for (unsigned i = 0; i < own.l.n; i++)
		buf_addf(&text, "jump %" PRId64 " %" PRId64 "\n",
		    own.l.jumps[i].at, own.l.jumps[i].by);
	errno = ENOMEM;
	failed = !buf_ok(&text) || write_text(&text) == -1;
	if (failed && !own.unwritten)
		log_errno(LEVEL_WARNING, "cannot write", file_name);
	own.unwritten = failed;
	buf_free(&text);
}

static void
read_file(void)
{
	int fd = fs_open_file(queue.spool.dir, file_name);
	char *text;
	size_t n;

	if (fd == -1)
		return;
	if (fs_read_all(fd, LIFETIME_FILE_MAX, &text, &n) == 0) {
		lifetime_read(&own.l, text, n);
		free(text);
	}
	close(fd);
}

static int64_t
clock_offset(void)
{
	return clock_now_ms() - clock_monotonic_ms();
}

/* Has the clock been set meanwhile?  Small steps become one in the end. */
static void
look(struct timer *t)
{
	int64_t by = (clock_offset() - own.offset) / 1000;

	if (by > LIFETIME_STEP || by < -LIFETIME_STEP) {
		lifetime_jumped(&own.l, clock_now() - by, by);
		own.offset += by * 1000;
		log_event(
		    LEVEL_WARNING, "clock jumped", log_number("jump", by));
	}
	write_file();
	loop_timer(t, (int64_t)LIFETIME_PERIOD * 1000);
}

void
lifetime_begin(void)
{
	own.offset = clock_offset();
	read_file();
	lifetime_resume(&own.l, clock_now());
	own.timer.fire = look;
	look(&own.timer);
}

int64_t
lifetime_age(int64_t time)
{
	return lifetime_since(&own.l, time, clock_now());
}
