/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "common/sts.h"

static struct sts_policy policy;

static const char *
read_text(const char *text)
{
	return sts_policy_read(&policy, text, strlen(text));
}

/* RFC 8461 section 3.2, its example. */
static void
example(void **state)
{
	(void)state;
	assert_null(read_text("version: STSv1\nmode: enforce\n"
			      "mx: mail.example.com\nmx: *.example.net\n"
			      "mx: backupmx.example.com\nmax_age: 604800\n"));
	assert_string_equal(policy.mode, "enforce");
	assert_int_equal(policy.max_age, 604800);
	assert_int_equal(policy.nmx, 3);
	assert_string_equal(policy.mx[0], "mail.example.com");
	assert_string_equal(policy.mx[1], "*.example.net");
	assert_string_equal(policy.mx[2], "backupmx.example.com");
}

static void
good(void **state)
{
	static const char *const rows[] = {
	    "version: STSv1\r\nmode: testing\r\nmx: a.test\r\nmax_age: 0",
	    "version:STSv1\nmode:none\nmax_age:1\n",
	    "version: STSv1\t\nmode: \t none \nmax_age: 1 \n\r\n\n",
	    "mode: none\nmax_age: 1\nversion: STSv1\n",
	    "version: STSv1\nmode: none\nmax_age: 1\nfuture.field-1: a b "
	    "\xc3\xbc",
	    /* of what occurs twice the first counts */
	    "version: STSv1\nmode: none\nmode: what\nmax_age: 1\nmax_age: x",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_null(read_text(rows[i]));
}

static void
bad(void **state)
{
	static const char *const rows[][2] = {
	    {"", "no version"},
	    {"version: STSv1", "no mode"},
	    {"version: STSv1\nmode: none", "no max_age"},
	    {"version: STSv1\nmode: enforce\nmax_age: 1", "no mx"},
	    {"version: STSv2\nmode: none\nmax_age: 1", "another version"},
	    {"version: stsv1\nmode: none\nmax_age: 1", "another version"},
	    {"version: STSv1\nmode: None\nmax_age: 1", "unknown mode"},
	    {"version: STSv1\nmode: none\nmax_age: -1", "bad max_age"},
	    {"version: STSv1\nmode: none\nmax_age: 1d", "bad max_age"},
	    {"version: STSv1\nmode: none\nmax_age: 12345678901", "bad max_age"},
	    {"version: STSv1\nmx: a.*.test\n", "bad mx"},
	    {"version: STSv1\nmx: *\n", "bad mx"},
	    {"version: STSv1\nmx: *.\n", "bad mx"},
	    {"version: STSv1\nmx: a.test b.test\n", "bad mx"},
	    {"version: STSv1\nmx: a.test.\n", "bad mx"},
	    {"version: STSv1\nmx:\n", "a field without a value"},
	    {"version: STSv1\nnonsense\n", "a line without a field"},
	    {"<html>\n", "a line without a field"},
	    {"<a href: x>\n", "bad field name"},
	    {": x\n", "bad field name"},
	    {"x: \x01\n", "bad field"},
	    {"x: \xff\n", "bad field"},
	    {" version: STSv1\n", "bad field name"},
	    {"version: STSv1\rmode: none\rmax_age: 1\r", "another version"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *why = read_text(rows[i][0]);

		assert_non_null(why);
		assert_string_equal(why, rows[i][1]);
	}
}

static void
a_nul_ends_nothing(void **state)
{
	static const char text[] =
	    "version: STSv1\nmode: enforce\nmx: a.test\0.evil\nmax_age: 1";

	(void)state;
	assert_string_equal(
	    sts_policy_read(&policy, text, sizeof(text) - 1), "bad mx");
}

static void
the_longest_age(void **state)
{
	(void)state;
	assert_null(read_text("version: STSv1\nmode: none\n"
			      "max_age: 9999999999\n"));
	assert_int_equal(policy.max_age, STS_AGE_MAX);
}

static void
many_mx(void **state)
{
	char text[8192] = "version: STSv1\nmode: enforce\nmax_age: 1\n";

	(void)state;
	for (int i = 0; i < STS_MX_MAX; i++) {
		strcat(text, "mx: MX.example.test\n");
		assert_null(read_text(text));
	}
	assert_string_equal(policy.mx[STS_MX_MAX - 1], "mx.example.test");
	strcat(text, "mx: mx.example.test\n");
	assert_string_equal(read_text(text), "too many mx");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(example),
	    cmocka_unit_test(good),
	    cmocka_unit_test(bad),
	    cmocka_unit_test(a_nul_ends_nothing),
	    cmocka_unit_test(the_longest_age),
	    cmocka_unit_test(many_mx),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
