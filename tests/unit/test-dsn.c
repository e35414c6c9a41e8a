/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/dsn.h"

static void
notify_lists(void **state)
{
	static const struct {
		const char *text;
		unsigned bits;
		const char *written; /* NULL: refused */
	} rows[] = {
	    {"NEVER", DSN_NEVER, "never"},
	    {"never", DSN_NEVER, "never"},
	    {"Success", DSN_SUCCESS, "success"},
	    {"DELAY,FAILURE,SUCCESS", DSN_SUCCESS | DSN_FAILURE | DSN_DELAY,
		"success,failure,delay"},
	    {"failure,delay", DSN_FAILURE | DSN_DELAY, "failure,delay"},
	    {"", 0, NULL},
	    {",", 0, NULL},
	    {"SUCCESS,", 0, NULL},
	    {",SUCCESS", 0, NULL},
	    {"SUCCESS,SUCCESS", 0, NULL},
	    {"NEVER,SUCCESS", 0, NULL},
	    {"SUCCESS FAILURE", 0, NULL},
	    {"SUCCES", 0, NULL},
	    {"ALWAYS", 0, NULL},
	};
	char written[DSN_NOTIFY_SIZE];
	unsigned bits;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (dsn_read_notify(rows[i].text, &bits) !=
		    (rows[i].written != NULL))
			fail_msg("\"%s\"", rows[i].text);
		if (rows[i].written == NULL)
			continue;
		assert_int_equal(bits, rows[i].bits);
		dsn_write_notify(bits, written);
		assert_string_equal(written, rows[i].written);
	}
	dsn_write_notify(0, written);
	assert_string_equal(written, "");
}

static void
ret_words(void **state)
{
	enum dsn_ret ret;

	(void)state;
	assert_true(dsn_read_ret("full", &ret));
	assert_string_equal(dsn_ret_name(ret), "full");
	assert_true(dsn_read_ret("HDRS", &ret));
	assert_string_equal(dsn_ret_name(ret), "hdrs");
	assert_false(dsn_read_ret("BODY", &ret));
	assert_false(dsn_read_ret("", &ret));
	assert_null(dsn_ret_name(DSN_RET_NONE));
}

static void
envelope_ids(void **state)
{
	static const struct {
		const char *wire, *plain; /* NULL: refused */
	} rows[] = {
	    {"QQ314159", "QQ314159"},
	    {"a+2Bb+3Dc+20d", "a+b=c d"},
	    {"", NULL},
	    {"a b", NULL},
	    {"a=b", NULL},
	    {"a+", NULL},
	    {"a+2", NULL},
	    {"a+2b", NULL}, /* lower case, section 4 */
	    {"a+0D+0ABcc:+20x", NULL},
	    {"a+00", NULL},
	    {"a+C3+BC", NULL},
	    {"\xc3\xbc", NULL},
	};
	char plain[DSN_ENVID_MAX + 1], longest[DSN_ENVID_MAX + 2];
	struct buf b = BUF_INIT(1000);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (dsn_read_envid(rows[i].wire, plain) !=
		    (rows[i].plain != NULL))
			fail_msg("\"%s\"", rows[i].wire);
		if (rows[i].plain == NULL)
			continue;
		assert_string_equal(plain, rows[i].plain);
		buf_reset(&b);
		dsn_write_envid(&b, plain);
		assert_string_equal(buf_text(&b), rows[i].wire);
	}
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_false(dsn_read_envid(longest, plain));
	assert_true(dsn_read_envid(longest + 1, plain));
	buf_free(&b);
}

static void
original_recipients(void **state)
{
	static const struct {
		const char *wire;
		bool utf8;                  /* with SMTPUTF8 */
		const char *plain;          /* NULL: refused */
		const char *ascii, *global; /* as they are passed on */
	} rows[] = {
	    {"rfc822;Bob@Example.COM", false, "rfc822;Bob@Example.COM",
		"rfc822;Bob@Example.COM", "rfc822;Bob@Example.COM"},
	    {"X400;/c=+20de/", false, NULL, NULL, NULL},
	    {"X400;/c+3D+20de/+2B", false, "X400;/c= de/+",
		"X400;/c+3D+20de/+2B", "X400;/c+3D+20de/+2B"},
	    {"rfc822;a;b@c", false, "rfc822;a;b@c", "rfc822;a;b@c",
		"rfc822;a;b@c"},
	    {"utf-8;b\\x{FC}b@\\x{20AC}.test", false,
		"utf-8;b\xc3\xbc"
		"b@\xe2\x82\xac.test",
		"utf-8;b\\x{FC}b@\\x{20AC}.test",
		"utf-8;b\xc3\xbc"
		"b@\xe2\x82\xac.test"},
	    {"UTF-8;\xf0\x9f\x90\xb4@x.test", true,
		"UTF-8;\xf0\x9f\x90\xb4@x.test", "UTF-8;\\x{1F434}@x.test",
		"UTF-8;\xf0\x9f\x90\xb4@x.test"},
	    {"utf-8;a\\x{2B}\\x{3D}\\x{5C}@x.test", false, "utf-8;a+=\\@x.test",
		"utf-8;a\\x{2B}\\x{3D}\\x{5C}@x.test",
		"utf-8;a\\x{2B}\\x{3D}\\x{5C}@x.test"},
	    {"utf-8;b\xc3\xbc@x.test", false, NULL, NULL, NULL},
	    {"rfc822;b\xc3\xbc@x.test", true, NULL, NULL, NULL},
	    {"utf-8;a\\x{0A}Bcc:b@x.test", false, NULL, NULL, NULL},
	    {"utf-8;a\\x{20}b@x.test", false, NULL, NULL, NULL},
	    {"utf-8;a\\x{85}b@x.test", false, NULL, NULL, NULL},
	    {"utf-8;a\\x{D800}@x.test", false, NULL, NULL, NULL},
	    {"utf-8;a\\x{110000}@x.test", false, NULL, NULL, NULL},
	    {"utf-8;a\\x{0000041}@x.test", false, NULL, NULL, NULL},
	    {"utf-8;a\\x{00}@x.test", false, NULL, NULL, NULL},
	    {"utf-8;a\\x{F}@x.test", false, NULL, NULL, NULL},
	    {"utf-8;a\\x{FC", false, NULL, NULL, NULL},
	    {"utf-8;a\\y", false, NULL, NULL, NULL},
	    {"rfc822;bob+0D+0Ax", false, NULL, NULL, NULL},
	    {"rfc822;bob+00", false, NULL, NULL, NULL},
	    {"rfc822;bob+FC", false, NULL, NULL, NULL},
	    {"rfc822;", false, NULL, NULL, NULL},
	    {"rfc822", false, NULL, NULL, NULL},
	    {";bob", false, NULL, NULL, NULL},
	    {"rfc 822;bob", false, NULL, NULL, NULL},
	    {"rfc:822;bob", false, NULL, NULL, NULL},
	    {"", false, NULL, NULL, NULL},
	};
	char plain[DSN_ORCPT_MAX + 1];
	struct buf b = BUF_INIT(1000);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (dsn_read_orcpt(rows[i].wire, rows[i].utf8, plain) !=
		    (rows[i].plain != NULL))
			fail_msg("\"%s\"", rows[i].wire);
		if (rows[i].plain == NULL)
			continue;
		assert_string_equal(plain, rows[i].plain);
		assert_true(dsn_is_orcpt(plain));
		buf_reset(&b);
		dsn_write_orcpt(&b, plain, false);
		assert_string_equal(buf_text(&b), rows[i].ascii);
		buf_reset(&b);
		dsn_write_orcpt(&b, plain, true);
		assert_string_equal(buf_text(&b), rows[i].global);
	}
	buf_free(&b);
}

static void
long_original_recipients(void **state)
{
	char wire[DSN_ORCPT_MAX + 2], plain[DSN_ORCPT_MAX + 1];

	(void)state;
	memset(wire, 'x', sizeof(wire) - 1);
	memcpy(wire, "rfc822;", 7);
	wire[DSN_ORCPT_MAX + 1] = '\0';
	assert_false(dsn_read_orcpt(wire, false, plain));
	wire[DSN_ORCPT_MAX] = '\0';
	assert_true(dsn_read_orcpt(wire, false, plain));
	assert_string_equal(plain, wire);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(notify_lists),
	    cmocka_unit_test(ret_words),
	    cmocka_unit_test(envelope_ids),
	    cmocka_unit_test(original_recipients),
	    cmocka_unit_test(long_original_recipients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
