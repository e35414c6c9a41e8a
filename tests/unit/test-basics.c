/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/cursor.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/utf8.h"

static void
buf_keeps_its_bound(void **state)
{
	struct buf b = BUF_INIT(10);

	(void)state;
	assert_true(buf_adds(&b, "0123456"));
	assert_false(buf_adds(&b, "0123456"));
	assert_false(buf_ok(&b));
	assert_false(buf_adds(&b, "7"));
	assert_int_equal(b.len, 7);
	buf_reset(&b);
	assert_true(buf_addf(&b, "%d-%s", 42, "abc"));
	assert_string_equal(buf_text(&b), "42-abc");
	buf_consume(&b, 3);
	assert_string_equal(buf_text(&b), "abc");
	assert_false(buf_reserve(&b, SIZE_MAX));
	buf_free(&b);
}

static void
cursor_failure_sticks(void **state)
{
	struct cursor c = cursor_over("\x01\x02\x03", 3);

	(void)state;
	assert_int_equal(cursor_u16(&c), 0x0102);
	assert_int_equal(cursor_u16(&c), 0);
	assert_false(cursor_ok(&c));
	assert_int_equal(cursor_u8(&c), 0);
	assert_int_equal(cursor_left(&c), 0);

	c = cursor_over("18446744073709551615", 20);
	assert_true(cursor_decimal(&c) == UINT64_MAX);
	assert_true(cursor_done(&c));
	c = cursor_over("18446744073709551616", 20);
	(void)cursor_decimal(&c);
	assert_false(cursor_ok(&c));
}

static void
utf8_refuses_what_rfc_3629_refuses(void **state)
{
	static const char *const bad[] = {"\x80", "\xc0\x80", "\xc1\xbf",
	    "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
	    "\xf4\x90\x80\x80", "\xe2\x82", "\xff"};

	(void)state;
	assert_true(utf8_valid("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x93\xaf", 10));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(utf8_valid(bad[i], strlen(bad[i])));
}

static void
packets_carry_attributes_and_descriptors(void **state)
{
	static struct packet p;
	const char *id, *more;
	uint64_t size;
	struct attribute set[] = {ATTRIBUTE_TEXT("id", 4, &id),
	    ATTRIBUTE_NUMBER("size", &size),
	    ATTRIBUTE_TEXT_OPTIONAL("more", 1, &more)};
	int ends[2];

	(void)state;
	assert_int_equal(ipc_pair(ends), 0);
	packet_start(&p, "open");
	packet_text(&p, "id", "abcd");
	packet_number(&p, "size", 7);
	packet_attach(&p, STDIN_FILENO);
	assert_int_equal(ipc_send(ends[0], &p, -1), IPC_OK);
	assert_int_equal(ipc_receive(ends[1], &p, -1), IPC_OK);
	assert_true(packet_read(&p, "open", set, 3, 1));
	assert_string_equal(id, "abcd");
	assert_int_equal(size, 7);
	assert_null(more);
	assert_false(packet_read(&p, "open", set, 3, 0));
	assert_false(packet_read(&p, "open", set, 1, 1));
	assert_false(packet_read(&p, "shut", set, 3, 1));
	set[0].max = 3;
	assert_false(packet_read(&p, "open", set, 3, 1));
	packet_close(&p);

	assert_int_equal(ipc_receive(ends[1], &p, 0), IPC_TIMEOUT);
	assert_int_equal(write(ends[0], "no-nul", 6), 6);
	assert_int_equal(ipc_receive(ends[1], &p, -1), IPC_OK);
	assert_false(packet_read(&p, "no-nul", set, 0, 0));
	close(ends[0]);
	assert_int_equal(ipc_receive(ends[1], &p, -1), IPC_CLOSED);
	close(ends[1]);
}

static void
packets_travel_together(void **state)
{
	static struct packet p, one;
	const char *id;
	const struct attribute set[] = {ATTRIBUTE_TEXT("id", 4, &id)};
	size_t at = 0;

	(void)state;
	packet_start(&p, "commit");
	packet_text(&p, "id", "");
	packet_also(&p, "end");
	packet_also(&p, "open");
	packet_text(&p, "id", "x");
	packet_attach(&p, STDIN_FILENO);
	assert_true(packet_split(&p, &at, &one));
	assert_true(packet_read(&one, "commit", set, 1, 0));
	assert_string_equal(id, "");
	assert_true(packet_split(&p, &at, &one));
	assert_true(packet_read(&one, "end", NULL, 0, 0));
	assert_true(packet_split(&p, &at, &one));
	assert_true(packet_read(&one, "open", set, 1, 1));
	assert_string_equal(id, "x");
	assert_int_equal(p.nfds, 0);
	assert_false(packet_split(&p, &at, &one));

	/* An end without another behind it is none. */
	packet_start(&p, "open");
	packet_also(&p, "");
	p.len--;
	at = 0;
	assert_true(packet_split(&p, &at, &one));
	assert_false(packet_read(&one, "open", NULL, 0, 0));
	assert_false(packet_split(&p, &at, &one));

	packet_start(&p, "recipient");
	while (!packet_is_full(&p))
		packet_also(&p, "recipient");
	assert_false(p.failed);
	for (at = 0; packet_split(&p, &at, &one);)
		assert_true(packet_read(&one, "recipient", NULL, 0, 0));
	packet_also(&p, "recipient");
	assert_true(p.failed);
}

static void
lines_wait_for_each_other(void **state)
{
	char text[200];
	int ends[2];

	(void)state;
	assert_int_equal(ipc_pair(ends), 0);
	log_to_socket(ends[0]);
	log_hold();
	log_event(LEVEL_INFO, "one", log_number("n", 1));
	if (fork() == 0) {
		log_event(LEVEL_INFO, "child", log_number("n", 0));
		_exit(0);
	}
	wait(NULL);
	assert_int_equal(recv(ends[1], text, sizeof(text), 0), 11);
	assert_memory_equal(text, "6child n=0\n", 11);
	log_event(LEVEL_INFO, "two", log_number("n", 2));
	assert_int_equal(recv(ends[1], text, sizeof(text), MSG_DONTWAIT), -1);
	log_event(LEVEL_WARNING, "three", log_number("n", 3));
	assert_int_equal(recv(ends[1], text, sizeof(text), MSG_DONTWAIT), 29);
	assert_memory_equal(text, "6one n=1\n6two n=2\n4three n=3\n", 29);
	log_event(LEVEL_INFO, "four", log_number("n", 4));
	log_flush();
	assert_int_equal(recv(ends[1], text, sizeof(text), MSG_DONTWAIT), 10);
	log_to_stderr("test");
	close(ends[0]);
	close(ends[1]);
}

static void
log_values_cannot_break_a_line(void **state)
{
	static const struct {
		const char *value, *escaped;
	} cases[] = {
	    {"plain", "plain"},
	    {"", "\"\""},
	    {"two words", "\"two words\""},
	    {"a\r\nb", "a\\x0d\\x0ab"},
	    {"q\"b\\", "\"q\\\"b\\\\\""},
	    {"\x1b[31m", "\\x1b[31m"},
	    {"caf\xc3\xa9", "caf\xc3\xa9"},
	    {"\xc2\x9b", "\\xc2\\x9b"},
	    {"\xff", "\\xff"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b = BUF_INIT(100);

		log_escape(&b, cases[i].value, strlen(cases[i].value));
		assert_string_equal(buf_text(&b), cases[i].escaped);
		buf_free(&b);
	}
}

/* A daemon that stands still stops nobody who must never wait. */
static void
a_full_backlog_is_not_waited_for(void **state)
{
	char folder[] = "/tmp/pr-basics-XXXXXX", path[64];
	int listener, fds[8], n = 0;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/s", folder);
	listener = ipc_listen(path, 0600);
	assert_int_equal(listen(listener, 1), 0);
	while (n < 8 && (fds[n] = ipc_connect_now(path)) != -1)
		n++;
	assert_in_range(n, 1, 7);
	assert_int_equal(errno, EAGAIN);
	while (n > 0)
		close(fds[--n]);
	close(listener);
	unlink(path);
	rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(buf_keeps_its_bound),
	    cmocka_unit_test(cursor_failure_sticks),
	    cmocka_unit_test(utf8_refuses_what_rfc_3629_refuses),
	    cmocka_unit_test(packets_carry_attributes_and_descriptors),
	    cmocka_unit_test(packets_travel_together),
	    cmocka_unit_test(a_full_backlog_is_not_waited_for),
	    cmocka_unit_test(lines_wait_for_each_other),
	    cmocka_unit_test(log_values_cannot_break_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
