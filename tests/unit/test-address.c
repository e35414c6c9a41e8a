/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/address.h"
#include "common/buf.h"

#define SIZE(array) (sizeof(array) / sizeof((array)[0]))

static void
paths_are_read(void **state)
{
	static const struct {
		const char *text;
		unsigned flags;
		const char *local, *domain, *rest;
	} cases[] = {
	    {"<a@b>", 0, "a", "b", ""},
	    {"<a@b> SIZE=1", 0, "a", "b", " SIZE=1"},
	    {"<>", ADDRESS_NULL, "", "", ""},
	    {"<Ann@EXAMPLE.org>", 0, "Ann", "example.org", ""},
	    {"<@x.example,@y.example:a@b>", 0, "a", "b", ""},
	    {"<@[192.0.2.1]:a@b>", 0, "a", "b", ""},
	    {"<\"a b\\\"c\"@d>", 0, "a b\"c", "d", ""},
	    {"<\"a>b\"@d>x", 0, "a>b", "d", "x"},
	    {"<\"a@b\"@d>", 0, "a@b", "d", ""},
	    {"<\"\"@d>", 0, "", "d", ""},
	    {"<a@[192.0.2.1]>", 0, "a", "[192.0.2.1]", ""},
	    {"<a@[ipv6:2001:DB8:0::1]>", 0, "a", "[IPv6:2001:db8::1]", ""},
	    {"<Postmaster>", ADDRESS_POSTMASTER, "Postmaster", "", ""},
	    {"<POSTMASTER>", ADDRESS_POSTMASTER, "POSTMASTER", "", ""},
	    {"<root>", ADDRESS_BARE, "root", "", ""},
	    {"<\xc3\xa9@\xc3\xa9.example>", ADDRESS_UTF8, "\xc3\xa9",
		"\xc3\xa9.example", ""},
	    {"<a%b!c@d>", 0, "a%b!c", "d", ""},
	    {"<-rf@d>", 0, "-rf", "d", ""},
	    {"<|/bin/sh@d>", 0, "|/bin/sh", "d", ""},
	    {"<a@my_host>", 0, "a", "my_host", ""},
	};

	(void)state;
	for (size_t i = 0; i < SIZE(cases); i++) {
		struct address a;
		const char *rest = NULL;

		assert_null(address_parse_path(
		    cases[i].text, cases[i].flags, &a, &rest));
		assert_string_equal(a.local, cases[i].local);
		assert_string_equal(a.domain, cases[i].domain);
		assert_string_equal(rest, cases[i].rest);
	}
}

static void
bad_paths_are_refused(void **state)
{
	static const struct {
		const char *text;
		unsigned flags;
	} cases[] = {
	    {"", 0}, {"a@b", 0}, {"<", 0}, {"<a", 0}, {"<a@", 0}, {"<a@b", 0},
	    {"<>", 0}, {"<>", ADDRESS_POSTMASTER},
	    {"<a>", ADDRESS_NULL | ADDRESS_POSTMASTER},
	    {"<postmasters>", ADDRESS_POSTMASTER},
	    {"<postmaster@>", ADDRESS_POSTMASTER}, {"<postmaster>", 0},
	    {"<@b>", 0}, {"<\"\">", ADDRESS_BARE}, {"<a@b@c>", 0},
	    {"<a@b.>", 0}, {"<a@.b>", 0}, {"<a@b..c>", 0}, {"<a.@b>", 0},
	    {"<.a@b>", 0}, {"<a..b@c>", 0}, {"<a b@c>", 0}, {"<a@b c>", 0},
	    {"<a@-b>", 0}, {"<a@b->", 0}, {"<a@b;rm>", 0}, {"<a@b/c>", 0},
	    {"<\"a@b>", 0}, {"<\"a\"b@c>", 0}, {"<\"a\\", 0},
	    {"<\"a\tb\"@c>", 0}, {"<\"a\\\rb\"@c>", 0}, {"<\"a\x1b[m\"@c>", 0},
	    {"<a\x7f@c>", 0}, {"<a@[192.0.2.1>", 0}, {"<a@[192.0.2.256]>", 0},
	    {"<a@[192.0.2.1]x>", 0}, {"<a@[]>", 0}, {"<a@[IPv6:192.0.2.1]>", 0},
	    {"<a@[x400:c=xx]>", 0}, {"<@a@b>", 0}, {"<@a,b:c@d>", 0},
	    {"<@:c@d>", 0}, {"<@a:>", ADDRESS_NULL}, {"<\xc3\xa9@b>", 0},
	    {"<a@\xc3\xa9>", 0}, {"<\xc3@b>", ADDRESS_UTF8},
	    {"<\xed\xa0\x80@b>", ADDRESS_UTF8}, {"<\xc2\x9b@b>", ADDRESS_UTF8},
	    {"<\xe2\x80\xaemoc@b>", ADDRESS_UTF8}, /* U+202E */
	    {"<a@b\xef\xbc\x8e"
	     "c>",
		ADDRESS_UTF8}, /* U+FF0E, a dot */
	};

	(void)state;
	for (size_t i = 0; i < SIZE(cases); i++) {
		struct address a;
		const char *rest = "";

		if (address_parse_path(
			cases[i].text, cases[i].flags, &a, &rest) == NULL)
			fail_msg("accepted: %s", cases[i].text);
	}
}

static char *
repeat(char c, size_t n)
{
	static char text[1024];

	assert_true(n < sizeof(text));
	memset(text, c, n);
	text[n] = '\0';
	return text;
}

static void
lengths_have_bounds(void **state)
{
	char text[2048];
	struct address a;

	(void)state;
	snprintf(text, sizeof(text), "%s@b", repeat('a', 64));
	assert_null(address_parse(text, 0, &a));
	snprintf(text, sizeof(text), "%s@b", repeat('a', 65));
	assert_non_null(address_parse(text, 0, &a));
	snprintf(text, sizeof(text), "\"%s\"@b", repeat('"', 1000));
	assert_non_null(address_parse(text, 0, &a));
	snprintf(text, sizeof(text), "a@%s", repeat('b', 63));
	assert_null(address_parse(text, 0, &a));
	snprintf(text, sizeof(text), "a@%s", repeat('b', 64));
	assert_non_null(address_parse(text, 0, &a));
	snprintf(text, sizeof(text), "a@%s", repeat('.', 1000));
	assert_non_null(address_parse(text, 0, &a));
	snprintf(text, sizeof(text), "a@[%s]", repeat('1', 1000));
	assert_non_null(address_parse(text, 0, &a));
}

static void
formatting_and_parsing_agree(void **state)
{
	static const struct {
		struct address address;
		const char *text;
	} cases[] = {
	    {{"a", "b", false}, "a@b"},
	    {{"", "", false}, ""},
	    {{"", "b", false}, "\"\"@b"},
	    {{"a b", "c", false}, "\"a b\"@c"},
	    {{"a.", "c", false}, "\"a.\"@c"},
	    {{"a..b", "c", false}, "\"a..b\"@c"},
	    {{"\"", "c", false}, "\"\\\"\"@c"},
	    {{"\\", "c", false}, "\"\\\\\"@c"},
	    {{"postmaster", "", false}, "postmaster"},
	    {{"\xc3\xa9", "c", true}, "\xc3\xa9@c"},
	};
	char text[ADDRESS_TEXT_MAX + 1];
	struct address a, worst = {.domain = "c"};

	(void)state;
	for (size_t i = 0; i < SIZE(cases); i++) {
		address_format(&cases[i].address, text);
		assert_string_equal(text, cases[i].text);
		assert_null(address_parse(text,
		    ADDRESS_NULL | ADDRESS_POSTMASTER | ADDRESS_UTF8, &a));
		assert_true(address_equal(&a, &cases[i].address));
		assert_int_equal(a.utf8, cases[i].address.utf8);
	}
	memset(worst.local, '"', ADDRESS_LOCAL_MAX);
	memset(worst.domain, 'c', ADDRESS_DOMAIN_MAX);
	address_format(&worst, text);
	assert_int_equal(strlen(text), ADDRESS_TEXT_MAX);
}

static void
equality_is_of_mailboxes(void **state)
{
	struct address a = {"Ann", "example.org", false};
	struct address b = {"Ann", "EXAMPLE.org", false};
	struct address c = {"ann", "example.org", false};

	(void)state;
	assert_true(address_equal(&a, &b));
	assert_false(address_equal(&a, &c));
}

static bool
collect(const struct address *a, void *context)
{
	char text[ADDRESS_TEXT_MAX + 1];

	address_format(a, text);
	return buf_adds(context, text) && buf_addc(context, '\n');
}

static void
header_lists_are_read(void **state)
{
	static const struct {
		const char *value, *found;
		bool bad;
	} cases[] = {
	    {"a@b", "a@b\n", false},
	    {"", "", false},
	    {"a@b, c@d", "a@b\nc@d\n", false},
	    {"a@b,, ,c@d,", "a@b\nc@d\n", false},
	    {"Ann <a@b>", "a@b\n", false},
	    {"\"Ann, \\\"B\\\" <x@y>\" <a@b>", "a@b\n", false},
	    {"=?utf-8?q?Ann?= <a@b>", "a@b\n", false},
	    {"A. N. Other <a@b>, c@d", "a@b\nc@d\n", false},
	    {"Ann [x] <a@b>", "a@b\n", false},
	    {"Ann\r\n\t<a@b>\r\n", "a@b\n", false},
	    {"a (c (o) m \\) ) . b (x) @ (y) c . d (z)", "a.b@c.d\n", false},
	    {"undisclosed-recipients:;", "", false},
	    {"g: a@b, Ann <c@d>;, e@f", "a@b\nc@d\ne@f\n", false},
	    {"<@x,@y:a@b>", "a@b\n", false},
	    {"\"a b\"@c", "\"a b\"@c\n", false},
	    {"\"a\".b@c", "a.b@c\n", false},
	    {"a@[192.0.2. 1]", "a@[192.0.2.1]\n", false},
	    {"root", "root\n", false},
	    {"root, a@b", "root\na@b\n", false},
	    {"\xc3\xa9@b", "\xc3\xa9@b\n", false},
	    /* faults: what stood before was given */
	    {"a@b, c d", "a@b\n", true},
	    {"a b@c", "", true},
	    {"a..b@c", "", true},
	    {".a@c", "", true},
	    {"a@b.", "", true},
	    {"a@", "", true},
	    {"a@\"\"", "", true},
	    {"@b", "", true},
	    {"a@b@c", "a@b\n", true},
	    {"a@b <c@d>", "a@b\n", true},
	    {"Ann <a@b", "", true},
	    {"Ann <>", "", true},
	    {"Ann <a@b> x", "a@b\n", true},
	    {"g: a@b", "a@b\n", true},
	    {"g: h: a@b;", "", true},
	    {"h <c@d", "", true},
	    {"a@b;", "a@b\n", true},
	    {"(a@b", "", true},
	    {"\"a@b", "", true},
	    {"a)@b", "", true},
	    {"\xff@b", "", true},
	    {"\"a\x01\"@b", "", true},
	    {"<@x a@b>", "", true},
	};

	(void)state;
	for (size_t i = 0; i < SIZE(cases); i++) {
		struct buf b = BUF_INIT(1000);
		const char *wrong = address_header_each(
		    cases[i].value, strlen(cases[i].value), collect, &b);

		if ((wrong != NULL) != cases[i].bad)
			fail_msg("%s: %s", cases[i].value,
			    wrong != NULL ? wrong : "taken");
		assert_string_equal(buf_text(&b), cases[i].found);
		buf_free(&b);
	}
}

static bool
stop_at_once(const struct address *a, void *context)
{
	(void)a;
	++*(int *)context;
	return false;
}

static void
the_reader_of_a_list_may_stop(void **state)
{
	int n = 0;

	(void)state;
	assert_null(address_header_each("a@b, c@d, !", 11, stop_at_once, &n));
	assert_int_equal(n, 1);
}

static void
a_nul_is_never_part_of_an_address(void **state)
{
	static const char list[] = "a@b\0.c, \"d\0\"@e, f@[192.0.2\0.1]";
	struct buf b = BUF_INIT(1000);

	(void)state;
	assert_non_null(
	    address_header_each(list, sizeof(list) - 1, collect, &b));
	buf_reset(&b);
	assert_non_null(address_header_each(list + 8, 7, collect, &b));
	assert_non_null(address_header_each(list + 17, 14, collect, &b));
	assert_int_equal(b.len, 0);
	buf_free(&b);
}

/* A19: four megabytes of whatever nests or repeats, each in linear time. */
static void
hostile_lists_cost_linear_time(void **state)
{
	static const char *const units[] = {"(", "<", "\"", "a", ".", "a.", "@",
	    "(\\", "a:", ",", "a ", "<@a,", "[", "g:;"};
	enum { OCTETS = 4 << 20 };
	char *text = malloc(OCTETS);
	clock_t start = clock();

	(void)state;
	assert_non_null(text);
	for (size_t u = 0; u < SIZE(units); u++) {
		int n = 0;
		size_t length = strlen(units[u]);

		for (size_t i = 0; i < OCTETS; i++)
			text[i] = units[u][i % length];
		(void)address_header_each(text, OCTETS, stop_at_once, &n);
	}
	free(text);
	assert_true((clock() - start) / CLOCKS_PER_SEC < 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(paths_are_read),
	    cmocka_unit_test(bad_paths_are_refused),
	    cmocka_unit_test(lengths_have_bounds),
	    cmocka_unit_test(formatting_and_parsing_agree),
	    cmocka_unit_test(equality_is_of_mailboxes),
	    cmocka_unit_test(header_lists_are_read),
	    cmocka_unit_test(the_reader_of_a_list_may_stop),
	    cmocka_unit_test(a_nul_is_never_part_of_an_address),
	    cmocka_unit_test(hostile_lists_cost_linear_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
