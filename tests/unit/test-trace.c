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

#include "common/verdict.h"
#include "queue/loosen.h"
#include "queue/trace-line.h"
#include "queue/trace-set.h"

enum { NOW = 1800000000 }; /* 2027-01-15 08:00 UTC */

#define LINE                                                                   \
	"deferred id=0123456789abcdef from=<> to=<a\\x20b@x.test> "            \
	"reason=\"450 \\\"no\\\" \\x1b\\x00\""

static void
lines_are_understood(void **state)
{
	static const struct {
		const char *front;
		int64_t ms;
	} rows[] = {
	    {"queue[811]: ", -1},
	    {"2027-01-15T07:59:59.125Z queue[811]: ", 1799999999125},
	    {"2027-01-15T08:59:59.125999+01:00 host postrider: queue[811]: ",
		1799999999125},
	    {"2027-01-15T06:59:59+0000 host postrider[1]: queue[811]: ",
		1799996399000},
	    {"Jan 15 07:59:59 host postrider: queue[811]: ", 1799999999000},
	    /* last year's */
	    {"Jan 20 08:00:00 host postrider: queue[811]: ", 1768896000000},
	    {"Jan  5 08:00:00 host postrider: queue[811]: ", 1799136000000},
	};
	static struct trace_line line;
	char text[512];

	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		strcpy(text, rows[i].front);
		strcat(text, LINE);
		if (!trace_parse(&line, text, strlen(text), NOW) ||
		    line.time_ms != rows[i].ms)
			fail_msg(
			    "%s: %lld", rows[i].front, (long long)line.time_ms);
		assert_string_equal(line.program, "queue");
		assert_int_equal(line.pid, 811);
		assert_string_equal(line.event, "deferred");
		assert_int_equal(line.n, 4);
		assert_string_equal(
		    trace_value(&line, "id"), "0123456789abcdef");
		assert_string_equal(trace_value(&line, "from"), "");
		assert_string_equal(trace_value(&line, "to"), "a b@x.test");
		assert_string_equal(
		    trace_value(&line, "reason"), "450 \"no\" \x1b?");
		assert_null(trace_value(&line, "relay"));
	}
}

static void
other_lines_are_not(void **state)
{
	static const char *const rows[] = {"", " ", "queue", "queue[1]",
	    "queue[1]:", "queue[1]: ", "queue[1]: id=x",
	    "Jan 15 08:00:00 host kernel: [1.0] x", "QUEUE[1]: removed id=x",
	    "a b c queue[1]: removed id=x", "queue[x]: removed id=x"};
	static struct trace_line line;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (trace_parse(&line, rows[i], strlen(rows[i]), NOW))
			fail_msg("%s", rows[i]);
}

/* What stands behind a broken pair is left out; so is one cut short. */
static void
broken_pairs_end_a_line(void **state)
{
	static struct trace_line line;
	static const char text[] =
	    "queue[1]: not bounced id=1 reason=\"cut sho";

	(void)state;
	assert_true(trace_parse(&line, text, strlen(text), NOW));
	assert_string_equal(line.event, "not bounced");
	assert_int_equal(line.n, 1);
}

static void
check_sentence(const char *text, const char *expected)
{
	static struct trace_line line;
	struct buf out = BUF_INIT(65536);

	assert_true(trace_parse(&line, text, strlen(text), NOW));
	trace_sentence(&out, &line);
	assert_string_equal(buf_text(&out), expected);
	buf_free(&out);
}

static void
lines_become_sentences(void **state)
{
	(void)state;
	check_sentence("queue[1]: queued id=1 from=<> size=5 recipients=2",
	    "queued: from <>, 5 octets, for 2 recipient(s)");
	check_sentence("queue[1]: queued id=1 from=<a@b> auth=a@b size=5 "
		       "recipients=1",
	    "queued: from <a@b>, login a@b, 5 octets, for 1 recipient(s)");
	check_sentence("queue[1]: delivered id=1 from=<a@b> to=<c@d> "
		       "relay=mx[192.0.2.1]:25 delay=0.5 reason=\"250 ok\"",
	    "delivered to <c@d> at mx[192.0.2.1]:25 after 0.5 s: 250 ok");
	check_sentence(
	    "queue[1]: delivered id=1 to=<c@d>", "delivered to <c@d>");
	check_sentence("deliver[1]: connected id=1 relay=mx[192.0.2.1]:25 "
		       "tls=no verified=no reason=\"STARTTLS is not offered\"",
	    "connected to mx[192.0.2.1]:25: STARTTLS is not offered");
	check_sentence("deliver[1]: connected id=1 relay=mx[192.0.2.1]:25 "
		       "tls=TLSv1.3:X verified=no",
	    "connected to mx[192.0.2.1]:25 with TLSv1.3:X");
	check_sentence("host postrider: pop3d[1]: session ended "
		       "client=192.0.2.1 reason=timeout",
	    "192.0.2.1 left POP3: timeout");
	check_sentence("queue[1]: something new id=1 what=x reason=\"a b\"",
	    "something new what=x reason=a b");
	check_sentence("smtpd[1]: refused client=192.0.2.1 to=<c@d> "
		       "reason=\"no {to} [here]\"",
	    "refused to 192.0.2.1 for <c@d>: no {to} [here]");
}

static bool
is_ending(const char *text)
{
	static struct trace_line line;

	return trace_parse(&line, text, strlen(text), NOW) &&
	    trace_is_ending(&line);
}

/* A program that is broken in logs in its own name alone. */
static void
nobody_speaks_for_others(void **state)
{
	(void)state;
	assert_true(is_ending("postrider: queue[1]: delivered id=1"));
	assert_false(is_ending("smtpd[9]: queue[1]: delivered id=1"));
	assert_false(is_ending("postrider: smtpd[9]: queue[1]: removed id=1"));
	assert_false(is_ending("smtpd[9]: delivered id=1"));
	check_sentence("smtpd[9]: delivered id=1 to=<c@d>",
	    "smtpd says: delivered to=c@d");
}

/* What no setting changes, or who is told it is no stranger. */
static bool
is_without_advice(enum verdict verdict)
{
	static const enum verdict those[] = {VERDICT_BUSY, VERDICT_INTERNAL,
	    VERDICT_CANNOT_SIGN, VERDICT_LOGIN_LATER, VERDICT_DISK_FULL,
	    VERDICT_MAILBOX_BUSY, VERDICT_NO_CONNECTION, VERDICT_EXPIRED,
	    VERDICT_BAD_RECIPIENT, VERDICT_LOGIN_FAILED, VERDICT_NULL_MX,
	    VERDICT_NO_HOST, VERDICT_HEADER_TOO_BIG, VERDICT_NUL_OCTET,
	    VERDICT_NEEDS_UTF8, VERDICT_UNATTENDED, VERDICT_REFUSED};

	for (size_t i = 0; i < sizeof(those) / sizeof(those[0]); i++)
		if (those[i] == verdict)
			return true;
	return verdict_is_success(verdict);
}

static void
refusals_can_be_loosened(void **state)
{
	(void)state;
	for (int v = 0; v < VERDICT_COUNT; v++) {
		const struct verdict_row *row = verdict_row((enum verdict)v);
		const struct loosening *l = loosen_find(row->text);

		if ((l == NULL) != is_without_advice((enum verdict)v))
			fail_msg("%s", row->name);
		assert_true(l == NULL || l->how[0] != '\0');
	}
	assert_string_equal(
	    loosen_find("listed by bl.example")->keyword, "refuse-score");
	assert_null(loosen_find("because"));
}

static void
sets_grow(void **state)
{
	struct trace_set s = {0};
	char id[FS_ID_SIZE];

	(void)state;
	assert_true(trace_set_find(&s, "00000000000000aa") == TRACE_SET_NONE);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(id, sizeof(id), "%016x", i * 64);
		assert_int_equal(trace_set_add(&s, id, TRACE_SET_NONE), i);
	}
	assert_int_equal(trace_set_add(&s, "ffffffffffffffff", 5), 5);
	assert_int_equal(trace_set_find(&s, "ffffffffffffffff"), 5);
	assert_int_equal(trace_set_add(&s, "0000000000000040", 7), 1);
	trace_set_name(&s, 1, id);
	assert_string_equal(id, "0000000000000040");
	trace_set_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_are_understood),
	    cmocka_unit_test(other_lines_are_not),
	    cmocka_unit_test(broken_pairs_end_a_line),
	    cmocka_unit_test(lines_become_sentences),
	    cmocka_unit_test(nobody_speaks_for_others),
	    cmocka_unit_test(refusals_can_be_loosened),
	    cmocka_unit_test(sets_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
