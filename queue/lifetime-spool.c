/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/loop.h"
#include "queue/lifetime.h"
#include "queue/queue.h"

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
