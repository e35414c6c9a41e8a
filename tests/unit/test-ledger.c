/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "ledger/logins_rows.h"
#include "ledger/underway.h"

/* A clock of the test's own: every function is told the time. */
enum { START = 1800000000, HOUR = 3600, DAY = 86400 };

static const struct logins_limits limits = {
    .client = 5, .network = 20, .user = 10, .window = HOUR, .memory = 30 * DAY};

static void
fresh(void **state)
{
	(void)state;
	log_threshold(LEVEL_ERROR);
	logins_end();
	logins_begin(&limits);
}

/* -- windows -- */

static void
window_slides(void **state)
{
	struct window w = {0};

	(void)state;
	for (time_t t = START; t < START + 3 * DAY; t += 97) {
		struct window one = {0};

		window_add(&one, HOUR, t);
		assert_int_equal(window_count(&one, HOUR, t + HOUR), 1);
		assert_int_equal(
		    window_count(&one, HOUR, t + HOUR + HOUR / 7 + 8), 0);
	}
	window_add(&w, HOUR, START);
	window_add(&w, HOUR, START + HOUR / 2);
	assert_int_equal(window_count(&w, HOUR, START + HOUR / 2), 2);
	assert_int_equal(window_count(&w, HOUR, START + 5 * HOUR / 4), 1);
	assert_int_equal(window_count(&w, HOUR, START + 2 * HOUR), 0);
}

/* The wait is right: a second before it is too early. */
static void
window_waits(void **state)
{
	(void)state;
	for (unsigned limit = 1; limit <= 6; limit++) {
		struct window w = {0};
		time_t now = START + (time_t)limit;
		uint32_t wait;

		for (int i = 0; i < 6; i++, now += 400)
			window_add(&w, HOUR, now);
		wait = window_wait(&w, HOUR, now, limit);
		assert_true(wait > 0 && wait <= HOUR + HOUR / 7 + 8);
		assert_int_equal(
		    window_wait(&w, HOUR, now + (time_t)wait, limit), 0);
		assert_true(
		    window_wait(&w, HOUR, now + (time_t)wait - 1, limit) > 0);
	}
}

/* A clock that was wrong neither locks anybody out nor forgets. */
static void
window_clock_set_back(void **state)
{
	struct window w = {0};

	(void)state;
	for (int i = 0; i < 5; i++)
		window_add(&w, HOUR, START + 365 * DAY);
	assert_int_equal(window_count(&w, HOUR, START), 5);
	window_add(&w, HOUR, START);
	assert_int_equal(window_count(&w, HOUR, START), 6);
	assert_int_equal(window_count(&w, HOUR, START + 2 * HOUR), 0);
}

static void
window_full(void **state)
{
	struct window w = {0};

	(void)state;
	for (int i = 0; i < 3; i++)
		window_add_many(&w, HOUR, START, WINDOW_COUNT_MAX - 1);
	assert_int_equal(window_count(&w, HOUR, START), WINDOW_COUNT_MAX);
}

static void
window_rescales(void **state)
{
	struct window w = {0};

	(void)state;
	window_add(&w, HOUR, START);
	window_add(&w, HOUR, START + 1000);
	window_rescale(&w, HOUR, DAY, START + 1000);
	assert_int_equal(window_count(&w, DAY, START + 12 * HOUR), 2);
	window_rescale(&w, DAY, 60, START + 12 * HOUR);
	assert_int_equal(window_count(&w, 60, START + 12 * HOUR), 0);
}

/* -- prefixes -- */

static void
prefixes(void **state)
{
	static const struct {
		const char *address, *client, *network;
	} rows[] = {
	    {"192.0.2.7", "192.0.2.7", "192.0.2.0/24"},
	    {"::ffff:192.0.2.7", "192.0.2.7", "192.0.2.0/24"},
	    {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48"},
	    {"::1", "::/64", "::/48"},
	};
	char text[PREFIX_TEXT_MAX];
	struct prefix p, network, again;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_true(prefix_of(rows[i].address, &p));
		prefix_format(&p, text);
		assert_string_equal(text, rows[i].client);
		assert_true(prefix_parse(text, &again));
		assert_int_equal(prefix_compare(&p, &again), 0);
		network = prefix_network(&p);
		prefix_format(&network, text);
		assert_string_equal(text, rows[i].network);
		assert_true(prefix_parse(text, &again));
		assert_int_equal(prefix_compare(&network, &again), 0);
	}
	assert_false(prefix_of("local", &p));
	assert_false(prefix_of("", &p));
	assert_false(prefix_parse("192.0.2.0/25", &p));
	assert_false(prefix_parse("2001:db8::/24", &p));
}

/* -- logins -- */

static void
guess(const char *client, const char *user, int n, time_t now)
{
	for (; n > 0; n--)
		logins_outcome(client, user, LOGINS_WRONG, now);
}

static bool
may(const char *client, const char *user, time_t now)
{
	return logins_attempt(client, user, now) == 0;
}

static void
a_client_is_refused(void **state)
{
	fresh(state);
	guess("192.0.2.1", "ann@a.test", 2, START);
	guess("192.0.2.1", "nobody@a.test", 2, START);
	assert_true(may("192.0.2.1", "bob@a.test", START));
	logins_outcome("192.0.2.1", "x", LOGINS_UNKNOWN, START);
	assert_false(may("192.0.2.1", "bob@a.test", START));
	assert_true(may("192.0.2.2", "bob@a.test", START));
	assert_false(may("192.0.2.1", "bob@a.test", START + HOUR));
	assert_true(may("192.0.2.1", "bob@a.test", START + 2 * HOUR));
}

/* The whole /64 is one client. */
static void
an_ipv6_client(void **state)
{
	char address[64];

	fresh(state);
	for (int i = 0; i < 5; i++) {
		snprintf(address, sizeof(address), "2001:db8::%x:%x", i, i);
		guess(address, "ann@a.test", 1, START);
	}
	assert_false(may("2001:db8::ffff", "bob@a.test", START));
	assert_true(may("2001:db8:0:1::1", "bob@a.test", START));
}

static void
a_network_is_refused(void **state)
{
	char address[64];

	fresh(state);
	for (int i = 0; i < 5; i++) {
		snprintf(address, sizeof(address), "192.0.2.%d", i);
		guess(address, "x", 4, START);
	}
	assert_false(may("192.0.2.200", "bob@a.test", START));
	assert_true(may("192.0.3.200", "bob@a.test", START));
}

/* Whether there is such a user cannot be told by it. */
static void
a_user_is_refused_elsewhere(void **state)
{
	char address[64];

	fresh(state);
	for (int i = 0; i < 5; i++) {
		snprintf(address, sizeof(address), "10.%d.0.1", i);
		guess(address, "Ann@A.test", 2, START);
		logins_outcome(address, "none@a.test", LOGINS_UNKNOWN, START);
		logins_outcome(address, "none@a.test", LOGINS_UNKNOWN, START);
	}
	assert_false(may("10.99.0.1", "ann@a.test", START));
	assert_false(may("10.99.0.1", "none@a.test", START));
	assert_true(may("10.99.0.1", "bob@a.test", START));
	assert_int_equal(logins_attempt("10.99.0.1", "ann@a.test", START),
	    logins_attempt("10.99.0.1", "none@a.test", START));
}

/* Somebody's own login buys no guesses at others, and clears nothing. */
static void
a_login_of_ones_own_buys_nothing(void **state)
{
	fresh(state);
	for (int i = 0; i < 5; i++) {
		guess("192.0.2.1", "ann@a.test", 1, START);
		logins_outcome("192.0.2.1", "eve@a.test", LOGINS_GOOD, START);
	}
	assert_false(may("192.0.2.1", "ann@a.test", START));
	assert_true(may("192.0.2.1", "eve@a.test", START));
}

/* Nor are there endless guesses from a place that is known. */
static void
a_known_place_has_a_limit_of_its_own(void **state)
{
	fresh(state);
	logins_outcome("192.0.2.1", "ann@a.test", LOGINS_GOOD, START);
	guess("192.0.2.1", "ann@a.test", 5, START);
	assert_false(may("192.0.2.1", "ann@a.test", START));
	assert_true(may("192.0.2.1", "bob@a.test", START));
	assert_true(may("192.0.2.2", "ann@a.test", START));
	logins_outcome("192.0.2.1", "ann@a.test", LOGINS_GOOD, START);
	assert_true(may("192.0.2.1", "ann@a.test", START));
}

static void
a_place_is_known_for_a_while(void **state)
{
	time_t later = START + 31 * DAY;

	fresh(state);
	logins_outcome("192.0.2.1", "ann@a.test", LOGINS_GOOD, START);
	guess("192.0.2.1", "x", 5, START + 29 * DAY);
	assert_true(may("192.0.2.1", "ann@a.test", START + 29 * DAY));
	guess("192.0.2.1", "x", 5, later);
	assert_false(may("192.0.2.1", "ann@a.test", later));
}

static void
forgetting(void **state)
{
	struct logins_failures f;

	fresh(state);
	guess("192.0.2.1", "ann@a.test", 10, START);
	assert_false(may("192.0.2.1", "bob@a.test", START));
	assert_false(may("203.0.113.1", "ann@a.test", START));
	logins_failures("ANN@a.test", &f, START);
	assert_int_equal(f.count, 10);
	assert_int_equal(f.nrecent, LOGINS_RECENT_MAX);
	assert_true(f.wait > 0);
	assert_true(logins_forget_client("192.0.2.1"));
	assert_true(may("192.0.2.1", "bob@a.test", START));
	assert_true(logins_forget_user("ann@a.test"));
	assert_true(may("203.0.113.1", "ann@a.test", START));
	assert_false(logins_forget_user("ann@a.test"));
	assert_false(logins_forget_client("192.0.2.1"));
	assert_false(logins_forget_client("nonsense"));
}

static void
clients_without_an_address(void **state)
{
	fresh(state);
	guess("local", "ann@a.test", 9, START);
	assert_true(may("local", "ann@a.test", START));
	guess("local", "ann@a.test", 1, START);
	assert_false(may("192.0.2.1", "ann@a.test", START));
	logins_outcome("local", "ann@a.test", LOGINS_GOOD, START);
	assert_false(may("local", "ann@a.test", START));
}

/* -- attempts under way -- */

static int asker; /* whose address stands for userdb */
static uint64_t serial;
static unsigned went, refused; /* of those that waited */

static enum underway
begins(const char *client, const char *user, time_t now)
{
	uint32_t wait;

	return underway_begin(&asker, ++serial, client, user, now, &wait);
}

static void
decided(void *who, uint64_t which, uint32_t wait)
{
	assert_ptr_equal(who, &asker);
	assert_in_range(which, 1, serial);
	went += wait == 0;
	refused += wait > 0;
}

/* True: some still wait. */
static bool
decide(time_t now)
{
	went = refused = 0;
	return underway_decide(now, decided);
}

static void
ends(uint64_t which, const char *client, const char *user,
    enum logins_result result, time_t now)
{
	logins_outcome(client, user, result, now);
	underway_end(&asker, which);
}

static void
afresh(void **state)
{
	fresh(state);
	underway_gone(&asker);
	serial = 0;
}

/* So many at once, whatever users they name: the limit goes, and no more. */
static void
many_guesses_at_once(void **state)
{
	char user[32];
	unsigned goes = 0;

	afresh(state);
	guess("192.0.2.1", "x", 2, START);
	for (int i = 0; i < 100; i++) {
		snprintf(user, sizeof(user), "user%d", i);
		goes += begins("192.0.2.1", user, START) == UNDERWAY_GOES;
	}
	assert_int_equal(goes, 3);
	assert_int_equal(begins("198.51.100.1", "x", START), UNDERWAY_GOES);
	assert_true(decide(START));
	assert_int_equal(went + refused, 0);
	for (uint64_t i = 1; i <= 3; i++) {
		ends(i, "192.0.2.1", "x", LOGINS_WRONG, START);
		assert_int_equal(decide(START), i < 3);
		assert_int_equal(went, 0);
	}
	assert_int_equal(refused, 97);
}

static void
many_guesses_at_once_from_a_network(void **state)
{
	char client[32];
	unsigned goes = 0, at_user = 0;

	afresh(state);
	for (int i = 0; i < 100; i++) {
		snprintf(client, sizeof(client), "192.0.2.%d", i);
		goes += begins(client, client, START) == UNDERWAY_GOES;
		snprintf(client, sizeof(client), "10.%d.0.1", i);
		at_user += begins(client, i % 2 ? "Ann" : "ann", START) ==
		    UNDERWAY_GOES;
	}
	assert_int_equal(goes, 20);
	assert_int_equal(at_user, 10);
}

/* Behind one address, all of them good: a little later, but all. */
static void
many_people_at_once(void **state)
{
	char user[32];
	unsigned in = 0;

	afresh(state);
	for (int i = 1; i <= 50; i++) {
		snprintf(user, sizeof(user), "user%d", i);
		in += begins("192.0.2.1", user, START) == UNDERWAY_GOES;
	}
	assert_int_equal(in, 5);
	for (uint64_t i = 1; i <= 50; i++) {
		snprintf(user, sizeof(user), "user%d", (int)i);
		ends(i, "192.0.2.1", user, LOGINS_GOOD, START);
		(void)decide(START);
		assert_int_equal(refused, 0);
		in += went;
	}
	assert_int_equal(in, 50);
}

/* A place that is known waits for nobody else, but has its own limit. */
static void
a_known_place_while_others_guess(void **state)
{
	unsigned goes = 0;

	afresh(state);
	logins_outcome("192.0.2.1", "ann@a.test", LOGINS_GOOD, START);
	for (int i = 0; i < 30; i++) {
		(void)begins("192.0.2.1", "bob@a.test", START);
		(void)begins("192.0.2.2", "ann@a.test", START);
	}
	for (int i = 0; i < 30; i++)
		goes +=
		    begins("192.0.2.1", "ann@a.test", START) == UNDERWAY_GOES;
	assert_int_equal(goes, 5);
	underway_gone(&asker);
	for (int i = 0; i < 5; i++)
		(void)begins("192.0.2.1", "ann@a.test", START);
	assert_int_equal(
	    begins("192.0.2.1", "bob@a.test", START), UNDERWAY_GOES);
}

/* Where no outcome ever comes. */
static void
attempts_are_forgotten(void **state)
{
	afresh(state);
	for (int i = 0; i < 5; i++)
		(void)begins("192.0.2.1", "x", START);
	assert_int_equal(begins("192.0.2.1", "x", START), UNDERWAY_WAITS);
	assert_true(decide(START + UNDERWAY_WAIT_S - 1));
	assert_false(decide(START + UNDERWAY_WAIT_S));
	assert_int_equal(refused, 1);
	assert_int_equal(
	    begins("192.0.2.1", "x", START + UNDERWAY_S - 1), UNDERWAY_WAITS);
	assert_false(decide(START + UNDERWAY_S));
	assert_int_equal(went, 1);
	/* Who asked is gone; a clock that was set back. */
	underway_gone(&asker);
	for (int i = 0; i < 5; i++)
		assert_int_equal(
		    begins("192.0.2.1", "x", START), UNDERWAY_GOES);
	assert_int_equal(begins("192.0.2.1", "x", START), UNDERWAY_WAITS);
	assert_false(decide(START - DAY));
	assert_int_equal(went, 1);
}

static void
attempts_are_bounded(void **state)
{
	char client[32];
	unsigned goes = 0;

	afresh(state);
	for (unsigned i = 0; i < UNDERWAY_MAX + 10; i++) {
		snprintf(
		    client, sizeof(client), "%u.%u.0.1", 1 + i / 250, i % 250);
		goes += begins(client, client, START) == UNDERWAY_GOES;
	}
	assert_int_equal(goes, UNDERWAY_MAX);
	assert_int_equal(
	    begins("192.0.2.1", "x", START + UNDERWAY_S - 1), UNDERWAY_REFUSED);
	assert_int_equal(
	    begins("192.0.2.1", "x", START + UNDERWAY_S), UNDERWAY_GOES);
	underway_gone(&asker);
	assert_int_equal(begins("192.0.2.1", "x", START), UNDERWAY_GOES);
	underway_gone(&asker);
}

/* -- no sequence of failures from others locks anybody out -- */

static uint32_t
next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/*
 * Whatever others do, with logins of their own, too: who has logged in from
 * an address lately may do so again.  They share the network, not the
 * address.
 */
static void
random_attack(uint32_t seed)
{
	static const char home[] = "192.0.2.1", home6[] = "2001:db8::1";
	time_t now = START;

	logins_outcome(home, "ann@a.test", LOGINS_GOOD, now);
	logins_outcome(home6, "ann@a.test", LOGINS_GOOD, now);
	for (int i = 0; i < 3000; i++) {
		uint32_t r = next_random(&seed);
		char client[64], user[32];

		if (r % 5 == 0)
			snprintf(client, sizeof(client), "2001:db8:0:%x::1",
			    1 + next_random(&seed) % 500);
		else
			snprintf(client, sizeof(client), "192.0.%u.%u",
			    r % 2 ? 2 : next_random(&seed) % 256,
			    2 + next_random(&seed) % 250);
		snprintf(user, sizeof(user), "%s",
		    r % 3 == 0 ? "ann@a.test" : "eve@a.test");
		if (r % 7 == 0)
			logins_outcome(client, "eve@a.test", LOGINS_GOOD, now);
		else
			logins_outcome(client, user,
			    r % 11 == 0 ? LOGINS_UNKNOWN : LOGINS_WRONG, now);
		now += (time_t)(next_random(&seed) % 600);
		assert_int_equal(logins_attempt(home, "ann@a.test", now), 0);
		assert_int_equal(logins_attempt(home6, "ann@a.test", now), 0);
	}
}

static void
nobody_is_locked_out_by_others(void **state)
{
	fresh(state);
	for (uint32_t seed = 1; seed <= 20; seed++) {
		random_attack(seed * 7919);
		logins_end();
	}
}

/* -- floods -- */

/*
 * More strangers than there is room for push out neither what is counted
 * against who really guesses nor whose place is known.
 */
static void
floods_push_out_the_flood(void **state)
{
	char client[64];

	fresh(state);
	logins_outcome("203.0.113.9", "ann@a.test", LOGINS_GOOD, START);
	guess("198.51.100.1", "ann@a.test", 12, START);
	for (unsigned i = 0; i < 150000; i++) {
		char user[32];

		snprintf(client, sizeof(client), "2001:%x:%x:%x::1", i >> 16,
		    i & 0xffff, i & 0xff);
		snprintf(user, sizeof(user), "u%u@a.test", i);
		logins_outcome(client, user, LOGINS_UNKNOWN, START + 10);
	}
	assert_int_equal(logins_tables[0].n, 1 << 17);
	assert_int_equal(logins_tables[1].n, 1 << 16);
	assert_false(may("198.51.100.1", "bob@a.test", START + 20));
	assert_false(may("192.0.2.77", "ann@a.test", START + 20));
	assert_true(may("203.0.113.9", "ann@a.test", START + 20));
}

/* A user who logs in from everywhere loses old places of his own alone. */
static void
known_places_are_bounded(void **state)
{
	char client[64];

	fresh(state);
	logins_outcome("203.0.113.9", "ann@a.test", LOGINS_GOOD, START);
	for (int i = 0; i < 1000; i++) {
		snprintf(
		    client, sizeof(client), "10.0.%d.%d", i / 250, i % 250);
		logins_outcome(client, "eve@a.test", LOGINS_GOOD, START + i);
	}
	assert_int_equal(logins_tables[2].n, 2);
	guess("203.0.113.9", "x", 5, START + 1000);
	guess(client, "x", 5, START + 1000);
	guess("10.0.0.0", "x", 5, START + 1000);
	assert_true(may("203.0.113.9", "ann@a.test", START + 1000));
	assert_true(may(client, "eve@a.test", START + 1000));
	assert_false(may("10.0.0.0", "eve@a.test", START + 1000));
}

static void
what_is_over_is_swept(void **state)
{
	size_t at = 0;

	fresh(state);
	logins_outcome("192.0.2.1", "ann@a.test", LOGINS_GOOD, START);
	guess("192.0.2.1", "bob@a.test", 3, START);
	for (int i = 0; i < LOGINS_TABLES; i++)
		table_sweep(&logins_tables[i], &at, 100, START + 2 * HOUR);
	assert_int_equal(logins_tables[0].n, 0);
	assert_int_equal(logins_tables[1].n, 1);
	assert_int_equal(logins_tables[2].n, 1);
	for (int i = 0; i < LOGINS_TABLES; i++)
		table_sweep(&logins_tables[i], &at, 100, START + 40 * DAY);
	assert_int_equal(logins_tables[1].n, 0);
	assert_int_equal(logins_tables[2].n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(window_slides),
	    cmocka_unit_test(window_waits),
	    cmocka_unit_test(window_clock_set_back),
	    cmocka_unit_test(window_full),
	    cmocka_unit_test(window_rescales),
	    cmocka_unit_test(prefixes),
	    cmocka_unit_test(a_client_is_refused),
	    cmocka_unit_test(an_ipv6_client),
	    cmocka_unit_test(a_network_is_refused),
	    cmocka_unit_test(a_user_is_refused_elsewhere),
	    cmocka_unit_test(a_login_of_ones_own_buys_nothing),
	    cmocka_unit_test(a_known_place_has_a_limit_of_its_own),
	    cmocka_unit_test(a_place_is_known_for_a_while),
	    cmocka_unit_test(forgetting),
	    cmocka_unit_test(clients_without_an_address),
	    cmocka_unit_test(many_guesses_at_once),
	    cmocka_unit_test(many_guesses_at_once_from_a_network),
	    cmocka_unit_test(many_people_at_once),
	    cmocka_unit_test(a_known_place_while_others_guess),
	    cmocka_unit_test(attempts_are_forgotten),
	    cmocka_unit_test(attempts_are_bounded),
	    cmocka_unit_test(nobody_is_locked_out_by_others),
	    cmocka_unit_test(floods_push_out_the_flood),
	    cmocka_unit_test(known_places_are_bounded),
	    cmocka_unit_test(what_is_over_is_swept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
