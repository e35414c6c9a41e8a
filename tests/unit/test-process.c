/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/inherit.h"
#include "common/loop.h"
#include "common/netaddr.h"
#include "common/prefork.h"
#include "common/stream.h"

/* -- loop -- */

static int order[8];
static size_t fired;

struct numbered {
	struct timer timer;
	int number;
};

static void
note(struct timer *t)
{
	order[fired++] = container_of(t, struct numbered, timer)->number;
	if (fired == 3)
		loop_stop(7);
}

static void
timers_fire_in_order(void **state)
{
	struct numbered t[5] = {{.number = 0}, {.number = 1}, {.number = 2},
	    {.number = 3}, {.number = 4}};
	static const int after[5] = {40, 10, 30, 20, 5};

	(void)state;
	loop_init();
	fired = 0;
	for (int i = 0; i < 5; i++) {
		t[i].timer.fire = note;
		assert_int_equal(loop_timer(&t[i].timer, after[i]), 0);
	}
	loop_timer_stop(&t[4].timer);
	loop_timer_stop(&t[4].timer);
	loop_timer(&t[1].timer, 25);
	assert_int_equal(loop_run(), 7);
	assert_int_equal(order[0], 3);
	assert_int_equal(order[1], 1);
	assert_int_equal(order[2], 2);
	loop_timer_stop(&t[0].timer);
	loop_after_fork();
}

struct pair {
	struct watch watch;
	struct pair *other;
};

static void
remove_both(struct watch *w, uint32_t events)
{
	struct pair *p = container_of(w, struct pair, watch);

	(void)events;
	fired++;
	loop_unwatch(&p->watch);
	loop_unwatch(&p->other->watch);
	loop_stop(0);
}

static void
a_removed_watch_is_not_called(void **state)
{
	struct pair pairs[2];
	int ends[2][2];

	(void)state;
	loop_init();
	fired = 0;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pipe(ends[i]), 0);
		assert_int_equal(write(ends[i][1], "x", 1), 1);
		pairs[i] = (struct pair){.watch = {.fd = ends[i][0],
					     .events = EPOLLIN,
					     .ready = remove_both},
		    .other = &pairs[1 - i]};
		assert_int_equal(loop_watch(&pairs[i].watch), 0);
	}
	loop_run();
	assert_int_equal(fired, 1);
	loop_after_fork();
	for (int i = 0; i < 4; i++)
		close(ends[i / 2][i % 2]);
}

/* -- stream -- */

static void
send_text(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void
assert_line(struct stream *s, const char *expected, bool expected_bare)
{
	struct span line;
	bool bare;

	assert_int_equal(stream_line(s, 16, &line, &bare), STREAM_OK);
	assert_int_equal(line.len, strlen(expected));
	assert_memory_equal(line.data, expected, line.len);
	assert_int_equal(bare, expected_bare);
}

static void
lines_keep_their_bounds(void **state)
{
	struct stream s;
	struct span line;
	bool bare;
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	stream_init(&s, ends[0], ends[0]);
	stream_limit(&s, 50);
	send_text(ends[1], "one\r\ntwo\n\r\n12345678901234\r\n");
	assert_line(&s, "one", false);
	assert_line(&s, "two", true);
	assert_line(&s, "", false);
	assert_line(&s, "12345678901234", false);
	assert_false(stream_has_input(&s));
	send_text(ends[1], "123456789012345\r\nnext\r\npart");
	assert_true(stream_has_input(&s));
	assert_int_equal(stream_line(&s, 16, &line, &bare), STREAM_TOO_LONG);
	assert_line(&s, "next", false);
	assert_int_equal(stream_line(&s, 16, &line, &bare), STREAM_TIMEOUT);
	stream_limit(&s, 1000);
	send_text(ends[1], "ial\r\n0123456789abcdefghij");
	assert_line(&s, "partial", false);
	close(ends[1]);
	assert_int_equal(stream_line(&s, 16, &line, &bare), STREAM_EOF);
	stream_close(&s);
}

static void
a_drip_does_not_extend_the_deadline(void **state)
{
	struct stream s;
	struct span line;
	bool bare;
	int ends[2];
	int64_t began = clock_monotonic_ms();
	pid_t pid;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 100; i++) {
			if (send(ends[1], "x", 1, MSG_NOSIGNAL) != 1)
				break;
			usleep(10000);
		}
		_exit(0);
	}
	close(ends[1]);
	stream_init(&s, ends[0], ends[0]);
	stream_limit(&s, 100);
	assert_int_equal(stream_line(&s, 512, &line, &bare), STREAM_TIMEOUT);
	assert_in_range(clock_monotonic_ms() - began, 90, 700);
	stream_close(&s);
	waitpid(pid, NULL, 0);
}

/* /dev/zero has always more, and never an end of line. */
static void
a_flood_does_not_extend_the_deadline(void **state)
{
	struct stream s;
	struct span line;
	bool bare;
	int fd;

	(void)state;
	fd = open("/dev/zero", O_RDWR);
	assert_true(fd >= 0);
	stream_init(&s, fd, fd);
	stream_limit(&s, 100);
	alarm(10);
	assert_int_equal(stream_line(&s, 512, &line, &bare), STREAM_TIMEOUT);
	alarm(0);
	assert_true(s.input.cap <= 2 * STREAM_INPUT);
	stream_close(&s);
}

/* -- inherit -- */

static void
descriptors_arrive_by_name(void **state)
{
	int ends[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		struct inheritance what = {0};

		/* 3 and 4 both move: neither may overwrite the other. */
		inherit_add(&what, "out", ends[1]);
		inherit_add(&what, "in", ends[0]);
		inherit_add(&what, "out", ends[1]);
		if (inherit_install(&what) == -1)
			_exit(1);
		execl("/bin/sh", "sh", "-c",
		    "test $LISTEN_FDNAMES = out:in:out && test $LISTEN_FDS = 3 "
		    "&& test $LISTEN_PID = $$ && test ! -e /proc/$$/fd/6 "
		    "&& echo hello >&5",
		    (char *)NULL);
		_exit(1);
	}
	close(ends[1]);
	char text[8] = "";
	assert_int_equal(read(ends[0], text, sizeof(text) - 1), 6);
	assert_string_equal(text, "hello\n");
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	close(ends[0]);
}

/* -- prefork -- */

static int listener;

static int
serve(struct worker *self, void *context)
{
	size_t which;
	int fd;

	(void)context;
	while ((fd = worker_accept(self, &listener, 1, &which)) >= 0) {
		char word = 0;

		dprintf(fd, "%ld\n", (long)getpid());
		if (read(fd, &word, 1) == 1 && word == 'c')
			abort();
		close(fd);
	}
	return 0;
}

static long
visit(const struct sockaddr_storage *where, const char *word)
{
	char text[32] = "";
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(
	    connect(fd, (const struct sockaddr *)where, netaddr_size(where)),
	    0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	if (word != NULL)
		send_text(fd, word);
	shutdown(fd, SHUT_WR);
	while (read(fd, text + 16, 1) > 0)
		continue;
	close(fd);
	return strtol(text, NULL, 10);
}

static void
a_pool_serves_and_drains(void **state)
{
	const struct prefork rules = {
	    .service = "test", .spare = 2, .maximum = 4, .serve = serve};
	struct sockaddr_storage where;
	socklen_t size = sizeof(where);
	long seen[8];
	size_t kinds = 0;
	int status;
	pid_t pid;

	(void)state;
	assert_true(netaddr_parse("127.0.0.1", 0, &where));
	listener = netaddr_listen(&where);
	assert_true(listener >= 0);
	assert_int_equal(
	    getsockname(listener, (struct sockaddr *)&where, &size), 0);
	pid = fork();
	if (pid == 0) {
		loop_init();
		exit(prefork_run(&rules));
	}
	for (int i = 0; i < 200; i++) {
		long worker = visit(&where, NULL);
		size_t k = 0;

		while (k < kinds && seen[k] != worker)
			k++;
		if (k == kinds) {
			assert_in_range(kinds, 0, 3);
			seen[kinds++] = worker;
		}
	}
	/* A crash takes one worker; the others go on. */
	visit(&where, "c");
	visit(&where, NULL);
	kill(pid, SIGTERM);
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	close(listener);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(timers_fire_in_order),
	    cmocka_unit_test(a_removed_watch_is_not_called),
	    cmocka_unit_test(lines_keep_their_bounds),
	    cmocka_unit_test(a_drip_does_not_extend_the_deadline),
	    cmocka_unit_test(a_flood_does_not_extend_the_deadline),
	    cmocka_unit_test(descriptors_arrive_by_name),
	    cmocka_unit_test(a_pool_serves_and_drains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
