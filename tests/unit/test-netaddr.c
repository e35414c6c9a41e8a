/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/netaddr.h"

static const struct {
	const char *text;
	uint16_t fallback;
	const char *plain, *with_port, *literal;
} good[] = {
    {"192.0.2.1", 0, "192.0.2.1", "192.0.2.1:0", "[192.0.2.1]"},
    {"192.0.2.1", 25, "192.0.2.1", "192.0.2.1:25", "[192.0.2.1]"},
    {"192.0.2.1:587", 25, "192.0.2.1", "192.0.2.1:587", "[192.0.2.1]"},
    {"[192.0.2.1]:587", 25, "192.0.2.1", "192.0.2.1:587", "[192.0.2.1]"},
    {"2001:DB8::1", 25, "2001:db8::1", "[2001:db8::1]:25",
	"[IPv6:2001:db8::1]"},
    {"[::1]:65535", 0, "::1", "[::1]:65535", "[IPv6:::1]"},
    {"[::]", 110, "::", "[::]:110", "[IPv6:::]"},
    {"::ffff:192.0.2.1", 25, "192.0.2.1", "192.0.2.1:25", "[192.0.2.1]"},
    {"2001:db8:1111:2222:3333:4444:5555:6666", 65535,
	"2001:db8:1111:2222:3333:4444:5555:6666",
	"[2001:db8:1111:2222:3333:4444:5555:6666]:65535",
	"[IPv6:2001:db8:1111:2222:3333:4444:5555:6666]"},
};

static const char *const bad[] = {"", ":", "[]", "[", "[::1", "[::1]x",
    "[::1]25", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536",
    "192.0.2.1:099999", "192.0.2.1:+1", "192.0.2.1:1x", "192.0.2", "127.1",
    "0x7f.0.0.1", "192.0.2.256", "localhost", ":::", "fe80::1%lo", "192.0.2.1 ",
    " 192.0.2.1",
    "1111111111111111111111111111111111111111111111111111111111111111111"};

static void
test_text_and_back(void **state)
{
	char out[NETADDR_TEXT_MAX];
	struct sockaddr_storage a;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(netaddr_parse(good[i].text, good[i].fallback, &a));
		netaddr_format(&a, out);
		assert_string_equal(out, good[i].plain);
		netaddr_format_port(&a, out);
		assert_string_equal(out, good[i].with_port);
		netaddr_format_literal(&a, out);
		assert_string_equal(out, good[i].literal);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (netaddr_parse(bad[i], 25, &a))
			fail_msg("\"%s\" was taken", bad[i]);
	a.ss_family = AF_UNIX;
	netaddr_format(&a, out);
	assert_string_equal(out, "unknown");
}

static void
test_equal(void **state)
{
	struct sockaddr_storage a, b, c;

	(void)state;
	assert_true(netaddr_parse("192.0.2.1:1", 0, &a));
	assert_true(netaddr_parse("[::ffff:192.0.2.1]:2", 0, &b));
	assert_true(netaddr_parse("2001:db8::1", 0, &c));
	assert_true(netaddr_equal(&a, &b));
	assert_false(netaddr_equal(&a, &c));
	assert_true(netaddr_equal(&c, &c));
	assert_int_equal(netaddr_port(&b), 2);
	netaddr_set_port(&c, 993);
	assert_int_equal(netaddr_port(&c), 993);
}

static void
check_listener(const char *text)
{
	struct sockaddr_storage a, bound;
	socklen_t n = sizeof(bound);
	int fd, again;

	assert_true(netaddr_parse(text, 0, &a));
	fd = netaddr_listen(&a);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &n), 0);
	again = netaddr_listen(&bound);
	assert_int_equal(again, -1);
	close(fd);
}

static void
test_listen(void **state)
{
	(void)state;
	check_listener("127.0.0.1");
	check_listener("::1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text_and_back),
	    cmocka_unit_test(test_equal),
	    cmocka_unit_test(test_listen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
