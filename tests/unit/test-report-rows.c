/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/loop.h"
#include "common/report_row.h"
#include "ledger/reports.h"

/* Rows of aggregate reports, as text and as ledger counts them. */

enum { NOON = 20000 * 86400 + 43200, DAY = 86400, TODAY = 20000 };

static const char policy[] = "reject reject reject r r n";

static void
fresh(void)
{
	for (size_t i = 0; i < REPORTS_TABLES; i++)
		table_clear(&report_tables[i]);
}

static void
count(const char *domain, const char *text, int times, time_t now)
{
	for (int i = 0; i < times; i++)
		reports_count(domain, policy, "mailto:a@a.test", text, now);
}

static uint64_t
counted(const struct report_day *d, const char *text)
{
	for (size_t i = 0; i < d->n; i++)
		if (strcmp(report_row_text(d->rows[i]), text) == 0)
			return d->rows[i]->count;
	return 0;
}

static void
rows_are_counted(void **state)
{
	struct report_day *d;

	(void)state;
	fresh();
	count("a.test", "one", 3, NOON);
	count("a.test", "two", 1, NOON);
	count("b.test", "one", 2, NOON);
	count("a.test", "one", 1, NOON + DAY);
	d = reports_after(0, "");
	assert_string_equal(d->domain, "a.test");
	assert_int_equal(d->day, TODAY);
	assert_int_equal(d->messages, 4);
	assert_int_equal(counted(d, "one"), 3);
	assert_int_equal(counted(d, "two"), 1);
	d = reports_after(d->day, d->domain);
	assert_string_equal(d->domain, "b.test");
	d = reports_after(d->day, d->domain);
	assert_string_equal(d->domain, "a.test");
	assert_int_equal(d->day, TODAY + 1);
	assert_null(reports_after(d->day, d->domain));
}

/* The last policy that was seen is the one that counts. */
static void
a_policy_that_changes(void **state)
{
	struct report_day *d;

	(void)state;
	fresh();
	count("a.test", "one", 1, NOON);
	reports_count(
	    "a.test", "none none none s s y", "mailto:b@a.test", "one", NOON);
	d = reports_find(TODAY, "a.test");
	assert_string_equal(d->policy, "none none none s s y");
	assert_string_equal(d->rua, "mailto:b@a.test");
	assert_int_equal(counted(d, "one"), 2);
}

static void
what_is_reported_stays_so(void **state)
{
	struct report_day *d;

	(void)state;
	fresh();
	count("a.test", "one", 3, NOON);
	d = reports_find(TODAY, "a.test");
	reports_done(d);
	assert_int_equal(report_tables[1].n, 0);
	count("a.test", "one", 1, NOON);
	assert_int_equal(d->n, 0);
	assert_true(d->reported);
}

static void
old_days_are_swept(void **state)
{
	size_t at = 0;

	(void)state;
	fresh();
	count("a.test", "one", 1, NOON);
	count("a.test", "one", 1, NOON + 3 * DAY);
	table_sweep(&report_tables[0], &at, 10, NOON + 7 * DAY);
	assert_int_equal(report_tables[0].n, 2);
	at = 0;
	table_sweep(&report_tables[0], &at, 10, NOON + 8 * DAY);
	assert_int_equal(report_tables[0].n, 1);
	assert_int_equal(report_tables[1].n, 1);
}

/* A18: rows of a single message push out each other, and it shows. */
static void
a_flood_of_rows(void **state)
{
	struct report_day *d;
	char text[32];

	(void)state;
	fresh();
	count("a.test", "often", 50, NOON);
	count("b.test", "other", 1, NOON);
	for (int i = 0; i < 3 * REPORTS_DAY_ROWS_MAX; i++) {
		snprintf(text, sizeof(text), "row %d", i);
		count("a.test", text, 1, NOON);
	}
	d = reports_find(TODAY, "a.test");
	assert_int_equal(d->n, REPORTS_DAY_ROWS_MAX);
	assert_int_equal(d->messages, 50 + 3 * REPORTS_DAY_ROWS_MAX);
	assert_int_equal(counted(d, "often"), 50);
	assert_int_equal(counted(reports_find(TODAY, "b.test"), "other"), 1);
}

/* A18: the same of domains, of which a stranger has as many as he likes. */
static void
a_flood_of_domains(void **state)
{
	struct report_day *d;
	char domain[32];

	(void)state;
	fresh();
	for (int i = 0; i < 40; i++)
		count("a.test", i % 2 ? "one" : "two", 1, NOON);
	for (int i = 0; i < 3 * REPORTS_DAYS_MAX; i++) {
		snprintf(domain, sizeof(domain), "%d.test", i);
		count(domain, "row", 1, NOON);
		count(domain, "another", 1, NOON);
	}
	assert_int_equal(report_tables[0].n, REPORTS_DAYS_MAX);
	assert_true(report_tables[1].n <= REPORTS_ROWS_MAX);
	d = reports_find(TODAY, "a.test");
	assert_non_null(d);
	assert_int_equal(counted(d, "one"), 20);
	for (size_t i = 0; i < report_tables[1].n; i++) {
		struct report_row *r = container_of(
		    report_tables[1].rows[i], struct report_row, row);

		assert_ptr_equal(r->of->rows[r->place], r);
	}
	fresh();
}

static void
too_long_counts_for_nothing(void **state)
{
	char text[2 * REPORTS_ROW_MAX];

	(void)state;
	fresh();
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	count("a.test", text, 1, NOON);
	count(text, "row", 1, NOON);
	count("", "row", 1, NOON);
	assert_int_equal(report_tables[0].n, 0);
}

/* -- the text -- */

static const struct report_row_text plain = {"a.test", "b.test", "192.0.2.1",
    "none", "pass", "fail", "b.test", "softfail", "local_policy",
    "because it is so", 2,
    {{"a.test", "s1", "pass"}, {"c.test", "s2", "fail"}}};

static void
a_row_is_read_as_written(void **state)
{
	struct buf out = BUF_INIT(4096);
	struct report_row_text r;

	(void)state;
	report_row_write(&out, &plain);
	assert_non_null(buf_text(&out));
	assert_true(report_row_read(out.data, &r));
	assert_string_equal(r.from, "a.test");
	assert_string_equal(r.envelope, "b.test");
	assert_string_equal(r.client, "192.0.2.1");
	assert_string_equal(r.spf_result, "softfail");
	assert_string_equal(r.comment, "because it is so");
	assert_int_equal(r.nsignatures, 2);
	assert_string_equal(r.signatures[1].selector, "s2");
	buf_free(&out);
}

/* What a peer wrote stays in its field. */
static void
strangers_words(void **state)
{
	struct report_row_text hostile = plain, r;
	struct buf out = BUF_INIT(4096);

	(void)state;
	hostile.envelope = "x\ty\nz w";
	hostile.signatures[0].selector = "s 1\t";
	report_row_write(&out, &hostile);
	assert_non_null(buf_text(&out));
	assert_true(report_row_read(out.data, &r));
	assert_string_equal(r.envelope, "x?y?z?w");
	assert_string_equal(r.signatures[0].selector, "s?1?");
	buf_free(&out);
}

static void
long_signatures_are_left_out(void **state)
{
	struct report_row_text many = plain, r;
	struct buf out = BUF_INIT(2 * REPORT_ROW_MAX);
	char name[300];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	many.nsignatures = REPORT_SIGNATURES_MAX;
	for (size_t i = 0; i < many.nsignatures; i++)
		many.signatures[i] =
		    (struct report_signature){name, name, "permerror"};
	many.from = many.envelope = many.spf_domain = name;
	report_row_write(&out, &many);
	assert_non_null(buf_text(&out));
	assert_true(out.len <= REPORT_ROW_MAX);
	assert_true(report_row_read(out.data, &r));
	assert_int_equal(r.nsignatures, 1);
	buf_free(&out);
}

static void
what_is_no_row(void **state)
{
	static const char *const bad[] = {"", "a", "a\tb\tc",
	    "a\tb\tc\tnone\tpass\tfail\td\tpass\t\t\t",
	    "a\tb\tc\tnever\tpass\tfail\td\tpass\t\t",
	    "a\tb\tc\tnone\tmaybe\tfail\td\tpass\t\t",
	    "a\tb\tc\tnone\tpass\tfail\td\tpassed\t\t",
	    "a\tb\tc\tnone\tpass\tfail\td\tpass\tsome_reason\t",
	    "\tb\tc\tnone\tpass\tfail\td\tpass\t\t",
	    "a\tb\tc\tnone\tpass\tfail\td\tpass\t\t\td s",
	    "a\tb\tc\tnone\tpass\tfail\td\tpass\t\t\td s yes"};
	static const char *const good[] = {
	    "a\tb\tc\tnone\tpass\tfail\td\tpass\t\t",
	    "a\t\tc\tnone\tpass\tfail\t\t\t\t\td s pass"};
	struct report_row_text r;
	char text[100];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(text, sizeof(text), "%s", bad[i]);
		if (report_row_read(text, &r))
			fail_msg("taken: %s", bad[i]);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		snprintf(text, sizeof(text), "%s", good[i]);
		assert_true(report_row_read(text, &r));
	}
}

static void
policies(void **state)
{
	static const char *const bad[] = {"", "reject", "reject none none r r",
	    "reject none none r r n n", "reject none maybe r r n",
	    "reject  none r r n", "s none none r r n"};
	struct report_policy p = {
	    "reject", "none", "quarantine", "r", "s", "y"};
	struct buf out = BUF_INIT(REPORT_POLICY_MAX);
	char text[100];

	(void)state;
	report_policy_write(&out, &p);
	assert_string_equal(buf_text(&out), "reject none quarantine r s y");
	assert_true(report_policy_read(out.data, &p));
	assert_string_equal(p.aspf, "s");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(text, sizeof(text), "%s", bad[i]);
		if (report_policy_read(text, &p))
			fail_msg("taken: %s", bad[i]);
	}
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rows_are_counted),
	    cmocka_unit_test(a_policy_that_changes),
	    cmocka_unit_test(what_is_reported_stays_so),
	    cmocka_unit_test(old_days_are_swept),
	    cmocka_unit_test(a_flood_of_rows),
	    cmocka_unit_test(a_flood_of_domains),
	    cmocka_unit_test(too_long_counts_for_nothing),
	    cmocka_unit_test(a_row_is_read_as_written),
	    cmocka_unit_test(strangers_words),
	    cmocka_unit_test(long_signatures_are_left_out),
	    cmocka_unit_test(what_is_no_row),
	    cmocka_unit_test(policies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
