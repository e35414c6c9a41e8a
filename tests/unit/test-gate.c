/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/netaddr.h"
#include "smtpd/arrival.h"
#include "smtpd/gate_counts.h"
#include "smtpd/gate_line.h"

static struct sockaddr_storage
address(const char *text)
{
	struct sockaddr_storage a;

	assert_true(netaddr_parse(text, 0, &a));
	return a;
}

static enum counts_answer
enter(const char *text, uint64_t client, uint64_t network)
{
	struct sockaddr_storage a = address(text);

	return counts_enter(&a, client, network);
}

static void
leave(const char *text)
{
	struct sockaddr_storage a = address(text);

	counts_leave(&a);
}

static void
test_clients_and_networks(void **state)
{
	(void)state;
	assert_int_equal(enter("192.0.2.1", 2, 3), COUNTS_FINE);
	assert_int_equal(enter("::ffff:192.0.2.1", 2, 3), COUNTS_FINE);
	assert_int_equal(enter("192.0.2.1", 2, 3), COUNTS_CLIENT);
	assert_int_equal(enter("192.0.2.2", 2, 3), COUNTS_FINE);
	assert_int_equal(enter("192.0.2.3", 2, 3), COUNTS_NETWORK);
	assert_int_equal(enter("192.0.3.1", 2, 3), COUNTS_FINE);
	leave("192.0.2.1");
	assert_int_equal(enter("192.0.2.3", 2, 3), COUNTS_FINE);
	assert_int_equal(enter("192.0.2.1", 2, 3), COUNTS_NETWORK);
	leave("192.0.2.1");
	leave("192.0.2.2");
	leave("192.0.2.3");
	leave("192.0.3.1");
	/* IPv6: the owner of a /64 has all its addresses. */
	assert_int_equal(enter("2001:db8::1", 1, 2), COUNTS_FINE);
	assert_int_equal(enter("2001:db8::2", 1, 2), COUNTS_CLIENT);
	assert_int_equal(enter("2001:db8:0:1::1", 1, 2), COUNTS_FINE);
	assert_int_equal(enter("2001:db8:0:2::1", 1, 2), COUNTS_NETWORK);
	assert_int_equal(enter("2001:db8:1::1", 1, 2), COUNTS_FINE);
	for (int i = 0; i < 10; i++) /* nobody's */
		assert_int_equal(enter("::1", 1, 1), COUNTS_FINE);
	leave("2001:db8::2");
	leave("2001:db8:0:1::1");
	leave("2001:db8:1::1");
	leave("192.0.2.1"); /* who is not there */
}

/* Growing and shrinking loses nobody. */
static void
test_many(void **state)
{
	char text[32];

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 20000; i++) {
			snprintf(text, sizeof(text), "10.%d.%d.%d", round,
			    i / 250, i % 250);
			assert_int_equal(enter(text, 1, 250), COUNTS_FINE);
			assert_int_equal(enter(text, 1, 251), COUNTS_CLIENT);
		}
		for (int i = 0; i < 20000; i++) {
			int at = i * 7919 % 20000;

			snprintf(text, sizeof(text), "10.%d.%d.%d", round,
			    at / 250, at % 250);
			leave(text);
			assert_int_equal(enter(text, 1, 250), COUNTS_FINE);
			leave(text);
		}
	}
}

static enum gate_line
judge(const char *octets, size_t n)
{
	return gate_line_judge((struct span){octets, n});
}

static void
test_first_lines(void **state)
{
	char line[GATE_LINE_MAX + 2];

	(void)state;
	assert_int_equal(judge("", 0), GATE_LINE_MORE);
	assert_int_equal(judge("EHLO x", 6), GATE_LINE_MORE);
	assert_int_equal(judge("EHLO x\r\n", 8), GATE_LINE_WHOLE);
	assert_int_equal(judge("\r\n", 2), GATE_LINE_WHOLE);
	assert_int_equal(judge("\x16\3\1", 3), GATE_LINE_FOREIGN);
	assert_int_equal(judge("get /\n", 6), GATE_LINE_FOREIGN);
	assert_int_equal(judge("GETX /\n", 7), GATE_LINE_WHOLE);
	assert_int_equal(judge("EHLO \0\r\n", 8), GATE_LINE_FOREIGN);
	assert_int_equal(judge("EHLO x\r\n\0", 9), GATE_LINE_WHOLE);
	memset(line, 'x', sizeof(line));
	assert_int_equal(judge(line, GATE_LINE_MAX - 1), GATE_LINE_MORE);
	assert_int_equal(judge(line, GATE_LINE_MAX), GATE_LINE_LONG);
	line[GATE_LINE_MAX - 1] = '\n';
	assert_int_equal(judge(line, GATE_LINE_MAX), GATE_LINE_WHOLE);
}

static void
test_arrival(void **state)
{
	static struct packet p;
	struct arrival a = {.client = address("2001:db8::1"),
	    .proxied = true,
	    .greeted = true,
	    .score = -3,
	    .lists = "wl.example=-3",
	    .waited = 4001};
	struct arrival b;

	(void)state;
	arrival_write(&a, &p);
	assert_false(arrival_read(&p, &b)); /* without its descriptor */
	packet_attach(&p, 0);
	assert_true(arrival_read(&p, &b));
	assert_true(netaddr_equal(&a.client, &b.client));
	assert_true(b.proxied && b.greeted && !b.known);
	assert_int_equal(b.score, -3);
	assert_string_equal(b.lists, a.lists);
	assert_int_equal(b.waited, 4001);
	packet_start(&p, "arrival");
	packet_text(&p, "client", "nowhere");
	packet_text(&p, "score", "0");
	packet_number(&p, "waited", 0);
	packet_attach(&p, 0);
	assert_false(arrival_read(&p, &b));
	packet_start(&p, "arrival");
	packet_text(&p, "score", "--1");
	packet_number(&p, "waited", 0);
	packet_attach(&p, 0);
	assert_false(arrival_read(&p, &b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_clients_and_networks),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_first_lines),
	    cmocka_unit_test(test_arrival),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
