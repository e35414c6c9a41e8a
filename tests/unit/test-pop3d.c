/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pop3d/number.h"
#include "pop3d/top.h"

static void
numbers_and_their_faults(void **state)
{
	static const struct {
		const char *args;
		enum number_fault fault;
		uint64_t number;
		const char *rest;
	} cases[] = {
	    {"1", NUMBER_OK, 1, ""},
	    {"10", NUMBER_OK, 10, ""},
	    {"007 5", NUMBER_OK, 7, "5"},
	    {" 2  3", NUMBER_OK, 2, "3"},
	    {"", NUMBER_MISSING, 0, NULL},
	    {"  ", NUMBER_MISSING, 0, NULL},
	    {"x", NUMBER_JUNK, 0, NULL},
	    {"1x", NUMBER_JUNK, 0, NULL},
	    {"-1", NUMBER_JUNK, 0, NULL},
	    {"+1", NUMBER_JUNK, 0, NULL},
	    {"1.0", NUMBER_JUNK, 0, NULL},
	    {"99999999999999999999999", NUMBER_JUNK, 0, NULL},
	    {"18446744073709551616", NUMBER_JUNK, 0, NULL},
	    {"18446744073709551615", NUMBER_BEYOND, UINT64_MAX, NULL},
	    {"11", NUMBER_BEYOND, 11, NULL},
	    {"0", NUMBER_ZERO, 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span args = {cases[i].args, strlen(cases[i].args)};
		uint64_t number = 0;

		assert_int_equal(
		    number_take(&args, 1, 10, &number), cases[i].fault);
		if (cases[i].fault != NUMBER_OK)
			continue;
		assert_true(number == cases[i].number);
		assert_int_equal(args.len, strlen(cases[i].rest));
		assert_memory_equal(args.data, cases[i].rest, args.len);
	}
}

/* However the message is cut, as much of it comes. */
static size_t
taken(const char *text, uint64_t lines, size_t step)
{
	struct top t;
	size_t n = strlen(text), done = 0;

	top_init(&t, false, lines);
	while (done < n) {
		size_t want = n - done < step ? n - done : step;
		size_t got = top_take(&t, text + done, want);

		done += got;
		if (got < want)
			break;
	}
	return done;
}

static void
top_ends_where_it_should(void **state)
{
	static const struct {
		const char *text;
		uint64_t lines;
		size_t taken;
	} cases[] = {
	    {"A: 1\nB: 2\n\none\ntwo\n", 0, 11},
	    {"A: 1\nB: 2\n\none\ntwo\n", 1, 15},
	    {"A: 1\nB: 2\n\none\ntwo\n", 2, 19},
	    {"A: 1\nB: 2\n\none\ntwo\n", 99, 19},
	    {"A: 1\nB: 2\n\none\ntwo\n", UINT64_MAX, 19},
	    {"A: 1\nB: 2\n", 5, 10},
	    {"A: 1", 0, 4},
	    {"\nbody\n", 0, 1},
	    {"\nbody\nmore", 1, 6},
	    {"A: 1\r\n\r\none\r\ntwo\r\n", 1, 13},
	    {"A: 1\n\n\n\nx\n", 1, 7},
	    {"A:\n \n\nx\n", 0, 6},
	    {"", 3, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t step = 1; step < 25; step++)
			assert_int_equal(
			    taken(cases[i].text, cases[i].lines, step),
			    cases[i].taken);
}

static void
the_whole_is_the_whole(void **state)
{
	struct top t;

	(void)state;
	top_init(&t, true, 0);
	assert_int_equal(top_take(&t, "A: 1\n\nbody\n", 11), 11);
	assert_int_equal(top_take(&t, "more", 4), 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_and_their_faults),
	    cmocka_unit_test(top_ends_where_it_should),
	    cmocka_unit_test(the_whole_is_the_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
