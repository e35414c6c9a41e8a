/* SPDX-License-Identifier: ISC */
/* The pure parts of deliver: replies, extensions, order of hosts, self. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/netaddr.h"
#include "common/self.h"
#include "deliver/caps.h"
#include "deliver/reply.h"
#include "deliver/route.h"

static struct reply reply;

/* Lines end with LF; returns what the last one gave. */
static enum reply_step
read_lines(const char *text)
{
	enum reply_step step = REPLY_MORE;

	reply_init(&reply);
	while (*text != '\0' && step == REPLY_MORE) {
		size_t n = strcspn(text, "\n");

		step = reply_line(&reply, (struct span){text, n});
		text += n + (text[n] == '\n');
	}
	assert_int_equal(*text, '\0');
	return step;
}

static void
replies_are_read(void **state)
{
	static const struct {
		const char *lines, *shown, *dsn;
	} rows[] = {
	    {"250 2.1.0 ok\n", "250 2.1.0 ok", "2.1.0"},
	    {"250 ok\n", "250 ok", "2.0.0"},
	    {"250\n", "250", "2.0.0"},
	    {"250 \n", "250", "2.0.0"},
	    {"354 go\n", "354 go", "3.0.0"},
	    {"421 bye\n", "421 bye", "4.3.2"},
	    {"550-5.1.1 no\n550-5.1.1 such\n550 5.1.1 user\n",
		"550 5.1.1 no such user", "5.1.1"},
	    {"550 5.1.1\n", "550 5.1.1", "5.1.1"},
	    {"550 5.7.509 no\n", "550 5.7.509 no", "5.7.509"},
	    {"550 5.7.5099 no\n", "550 5.7.5099 no", "5.0.0"},
	    {"550 5.1 no\n", "550 5.1 no", "5.0.0"},
	    {"550 5.1.1no\n", "550 5.1.1no", "5.0.0"},
	    {"550 4.1.1 no\n", "550 4.1.1 no", "5.0.0"},
	    {"550 .1.1 no\n", "550 .1.1 no", "5.0.0"},
	    {"501 what\n", "501 what", "5.5.4"},
	    {"556 no\n", "556 no", "5.1.10"},
	    {"250-a\n550 5.0.0 b\n", "550 5.0.0 a b", "5.0.0"},
	    {"noise\n250 ok\n", "250 noise ok", "2.0.0"},
	    {"250\tok\n", "250 ok", "2.0.0"},
	    {"250 \x1b[31m\x7f\xff\xc3\xa9\n", "250 ?[31m??\xc3\xa9", "2.0.0"},
	};
	char shown[200], dsn[REPLY_DSN_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(read_lines(rows[i].lines), REPLY_END);
		reply_show(&reply, shown, sizeof(shown));
		reply_status(&reply, dsn);
		/* no text leaves the space before it */
		if (strlen(shown) > 0 && reply.len == 0)
			assert_true(shown[strlen(shown) - 1] != ' ');
		assert_string_equal(shown, rows[i].shown);
		assert_string_equal(dsn, rows[i].dsn);
	}
}

static void
what_is_no_reply(void **state)
{
	static const char *const rows[] = {"", "\n", "25\n", "2500 x\n",
	    "25x y\n", "150 x\n", "650 x\n", "000 x\n", "250-more\n",
	    "HTTP/1.1 200 OK\n", " 250 ok\n", "250x\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(read_lines(rows[i]), REPLY_MORE);
	}
}

static void
replies_are_bounded(void **state)
{
	char line[REPLY_LINE_MAX];
	char shown[64];
	unsigned n = 0;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "250-", 4);
	reply_init(&reply);
	while (
	    reply_line(&reply, (struct span){line, sizeof(line)}) == REPLY_MORE)
		n++;
	assert_int_equal(n, REPLY_LINES_MAX);
	assert_int_equal(reply.len, REPLY_TEXT_MAX);
	reply_show(&reply, shown, sizeof(shown));
	assert_int_equal(strlen(shown), sizeof(shown) - 1);
	/* cut at the end of a character */
	assert_int_equal(
	    read_lines("250 \xe2\x82\xac\xe2\x82\xac\n"), REPLY_END);
	for (size_t size = 1; size < 12; size++) {
		reply_show(&reply, shown, size);
		assert_true(strlen(shown) < size);
		assert_true(strlen(shown) <= 4 || (strlen(shown) - 4) % 3 == 0);
	}
}

static void
too_many_recipients(void **state)
{
	static const struct {
		const char *line;
		bool too_many;
	} rows[] = {{"452 4.5.3 too many\n", true}, {"452 too many\n", true},
	    {"552 too many\n", true}, {"552 5.5.3 too many\n", true},
	    {"452 4.2.2 mailbox full\n", false},
	    {"452 4.3.1 no space\n", false}, {"451 4.5.3 x\n", false},
	    {"550 5.5.3 x\n", false}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		read_lines(rows[i].line);
		assert_int_equal(reply_is_too_many(&reply), rows[i].too_many);
	}
}

static void
extensions(void **state)
{
	struct caps caps;

	(void)state;
	read_lines("250-PIPELINING is my name\n250-size 1000 x\n"
		   "250-8BitMime\n250-LIMITS MAILMAX=7 X rcptmax=50 Y=\n"
		   "250-SMTPUTF8X\n250-\n250 XFOO\n");
	caps_read(&caps, &reply);
	assert_false(caps.pipelining);
	assert_true(caps.eight_bit);
	assert_false(caps.utf8);
	assert_true(caps.size);
	assert_true(caps.size_limit == 1000);
	assert_true(caps.transactions_limit == 7);
	assert_true(caps.recipients_limit == 50);
	read_lines("250-x\n250-SIZE\n250-LIMITS RCPTMAX=-1 MAILMAX=1x\n"
		   "250 PIPELINING\n");
	caps_read(&caps, &reply);
	assert_true(caps.size && caps.size_limit == 0);
	assert_true(caps.pipelining);
	assert_true(caps.recipients_limit == 0);
	assert_true(caps.transactions_limit == 0);
	read_lines("250-x\n250 SIZE 99999999999999999999999\n");
	caps_read(&caps, &reply);
	assert_true(caps.size && caps.size_limit == 0);
	read_lines("250 x\n");
	caps_read(&caps, &reply);
	assert_false(caps.pipelining || caps.size);
}

/* -- order -- */

static uint32_t
first_of(uint32_t n)
{
	(void)n;
	return 0;
}

static uint32_t
last_of(uint32_t n)
{
	return n - 1;
}

static void
equal_preferences_are_shuffled(void **state)
{
	struct dns_mx mx[] = {
	    {5, "a"}, {10, "b"}, {10, "c"}, {10, "d"}, {20, "e"}, {20, "f"}};

	(void)state;
	route_shuffle(mx, 6, last_of);
	assert_string_equal(mx[1].host, "b");
	route_shuffle(mx, 6, first_of);
	assert_string_equal(mx[0].host, "a");
	assert_string_equal(mx[1].host, "c");
	assert_string_equal(mx[2].host, "d");
	assert_string_equal(mx[3].host, "b");
	assert_string_equal(mx[4].host, "f");
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(mx[i].preference,
		    i == 0      ? 5
			: i < 4 ? 10
				: 20);
	assert_int_equal(route_group(mx, 6), 1);
	assert_int_equal(route_group(mx + 1, 5), 3);
	assert_int_equal(route_group(mx, 0), 0);
}

static void
our_name_ends_the_list(void **state)
{
	const struct dns_mx mx[] = {
	    {5, "a.org"}, {10, "b.org"}, {10, "Us.org"}, {20, "c.org"}};

	(void)state;
	assert_int_equal(route_before(mx, 4, "us.ORG"), 1);
	assert_int_equal(route_before(mx, 4, "a.org"), 0);
	assert_int_equal(route_before(mx, 4, "c.org"), 3);
	assert_int_equal(route_before(mx, 4, "x.us.org"), 4);
	assert_int_equal(route_before(mx, 0, "us.org"), 0);
}

static struct sockaddr_storage
address(const char *text)
{
	struct sockaddr_storage a;

	assert_true(netaddr_parse(text, 0, &a));
	return a;
}

static void
families_alternate(void **state)
{
	static const char *const texts[] = {
	    "::1", "::2", "::3", "10.0.0.1", "10.0.0.2"};
	static const size_t order[] = {0, 3, 1, 4, 2};
	struct sockaddr_storage a[5], expected;

	(void)state;
	for (size_t i = 0; i < 5; i++)
		a[i] = address(texts[i]);
	route_alternate(a, 5);
	for (size_t i = 0; i < 5; i++) {
		expected = address(texts[order[i]]);
		assert_true(netaddr_equal(&a[i], &expected));
	}
	route_alternate(a, 0);
	route_alternate(a, 1);
}

/* -- self -- */

static void
nobody(void **state)
{
	static const struct {
		const char *text;
		bool nobody, loopback;
	} rows[] = {{"0.0.0.0", true, false}, {"0.1.2.3", true, false},
	    {"::", true, false}, {"::ffff:0.0.0.0", true, false},
	    {"224.0.0.1", true, false}, {"240.0.0.1", true, false},
	    {"255.255.255.255", true, false}, {"ff02::1", true, false},
	    {"fe80::1", true, false}, {"::1.2.3.4", true, false},
	    {"127.0.0.1", false, true}, {"127.255.0.9", false, true},
	    {"::1", false, true}, {"::ffff:127.0.0.1", false, true},
	    {"192.0.2.1", false, false}, {"10.0.0.1", false, false},
	    {"2001:db8::1", false, false}, {"fd00::1", false, false}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sockaddr_storage a = address(rows[i].text);

		assert_int_equal(self_is_nobody(&a), rows[i].nobody);
		assert_int_equal(self_is_loopback(&a), rows[i].loopback);
	}
}

static void
listeners(void **state)
{
	struct config_listener items[] = {{.kind = LISTENER_SMTP},
	    {.kind = LISTENER_SMTP}, {.kind = LISTENER_SUBMISSION}};
	const struct config_listeners list = {3, items};
	static const struct {
		const char *text;
		bool local, ours;
	} rows[] = {
	    {"192.0.2.9:25", true, true},   /* by the wildcard */
	    {"192.0.2.9:25", false, false}, /* a stranger's */
	    {"192.0.2.9:26", true, false}, {"[::1]:2525", true, true},
	    {"[::2]:2525", true, false}, /* listens at one address only */
	    {"192.0.2.9:2525", true, false},
	    {"[2001:db8::1]:25", true, false}, /* that wildcard is IPv4's */
	    {"192.0.2.9:587", true, false},    /* no MX leads there */
	};

	(void)state;
	assert_true(netaddr_parse("0.0.0.0:25", 0, &items[0].address));
	assert_true(netaddr_parse("[::1]:2525", 0, &items[1].address));
	assert_true(netaddr_parse("0.0.0.0:587", 0, &items[2].address));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sockaddr_storage a = address(rows[i].text);

		assert_int_equal(
		    self_is_listener(&list, &a, rows[i].local), rows[i].ours);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(replies_are_read),
	    cmocka_unit_test(what_is_no_reply),
	    cmocka_unit_test(replies_are_bounded),
	    cmocka_unit_test(too_many_recipients),
	    cmocka_unit_test(extensions),
	    cmocka_unit_test(equal_preferences_are_shuffled),
	    cmocka_unit_test(our_name_ends_the_list),
	    cmocka_unit_test(families_alternate),
	    cmocka_unit_test(nobody),
	    cmocka_unit_test(listeners),
	};

	return cmocka_run_group_tests_name("deliver", tests, NULL, NULL);
}
