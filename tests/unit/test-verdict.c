/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/verdict.h"

static void
names_lead_back_to_their_rows(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VERDICT_COUNT; i++) {
		const char *name = verdict_row((enum verdict)i)->name;

		assert_int_equal(
		    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-"),
		    strlen(name));
		assert_int_equal(verdict_named(name), i);
	}
	assert_string_equal(
	    verdict_row(VERDICT_USER_UNKNOWN)->name, "user-unknown");
	assert_int_equal(verdict_named("no-such-verdict"), VERDICT_INTERNAL);
	assert_int_equal(verdict_named(""), VERDICT_INTERNAL);
}

static void
numbers_from_outside_are_internal_errors(void **state)
{
	(void)state;
	assert_ptr_equal(verdict_row((enum verdict)VERDICT_COUNT),
	    verdict_row(VERDICT_INTERNAL));
	assert_ptr_equal(
	    verdict_row((enum verdict) - 1), verdict_row(VERDICT_INTERNAL));
}

/* RFC 3463 section 2: the class of both codes is the same. */
static void
both_codes_agree(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VERDICT_COUNT; i++) {
		const struct verdict_row *row = verdict_row((enum verdict)i);
		int class = row->smtp / 100;

		assert_int_equal(row->enhanced[0] - '0', class);
		assert_int_equal(
		    verdict_is_success((enum verdict)i), class == 2);
		assert_int_equal(
		    verdict_is_temporary((enum verdict)i), class == 4);
		assert_true(class == 2 || class == 4 || class == 5);
		assert_true((class == 2) == (row->exit == 0));
	}
}

/* So that "the larger one is the answer". */
static void
rows_stand_in_order_of_severity(void **state)
{
	int before = 2;

	(void)state;
	for (unsigned i = 0; i < VERDICT_COUNT; i++) {
		int class = verdict_row((enum verdict)i)->smtp / 100;

		assert_true(class >= before);
		before = class;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_lead_back_to_their_rows),
	    cmocka_unit_test(numbers_from_outside_are_internal_errors),
	    cmocka_unit_test(both_codes_agree),
	    cmocka_unit_test(rows_stand_in_order_of_severity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
