/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "queue/lifetime.h"
#include "queue/names.h"

enum { HOUR = 3600, DAY = 24 * HOUR };

/* -- ages by a clock that jumps -- */

static const int64_t now = 1800000000;

static void
time_that_was_seen_counts(void **state)
{
	struct lifetime l = {.alive = now - 600};

	(void)state;
	lifetime_resume(&l, now);
	assert_int_equal(l.n, 0);
	assert_int_equal(lifetime_since(&l, now - 3 * DAY, now), 3 * DAY);
	assert_int_equal(lifetime_since(&l, now + 5, now), 0);
}

static void
nothing_known_is_believed(void **state)
{
	struct lifetime l = {.alive = 0};

	(void)state;
	lifetime_resume(&l, now);
	assert_int_equal(lifetime_since(&l, now - 3 * DAY, now), 3 * DAY);
}

static void
a_step_over_a_restart(void **state)
{
	struct lifetime ahead = {.alive = now - DAY},
			back = {.alive = now + DAY};

	(void)state;
	lifetime_resume(&ahead, now);
	assert_int_equal(
	    lifetime_since(&ahead, now - DAY - HOUR, now), 5 * HOUR);
	/* What came in since is as old as it is. */
	assert_int_equal(lifetime_since(&ahead, now - 60, now), 60);
	lifetime_resume(&back, now);
	assert_int_equal(
	    lifetime_since(&back, now - 7 * HOUR, now), DAY + 7 * HOUR);
	/* Of times that the clock has shown twice, the later. */
	assert_int_equal(lifetime_since(&back, now + DAY - HOUR, now), 0);
	assert_int_equal(
	    lifetime_since(&back, now + HOUR, now + 2 * HOUR), HOUR);
}

static void
there_and_back_while_it_runs(void **state)
{
	struct lifetime l = {.alive = now};

	(void)state;
	lifetime_jumped(&l, now, DAY);
	/* An hour later, by the new time, back again. */
	lifetime_jumped(&l, now + DAY + HOUR, -DAY);
	assert_int_equal(
	    lifetime_since(&l, now - 2 * DAY, now + HOUR), 2 * DAY + HOUR);
	assert_int_equal(
	    lifetime_since(&l, now + HOUR + 60, now + HOUR + 90), 30);
	/* Never older than it is. */
	for (int64_t came = now - 2 * DAY; came < now; came += 600)
		assert_true(
		    lifetime_since(&l, came, now + HOUR) <= now + HOUR - came);
}

static void
the_file_is_read(void **state)
{
	struct lifetime l;
	const char text[] = "alive 1800000000\njump 1700000000 -86400\n"
			    "jump x y\nnonsense\n\njump 5\njump 6 7 8\n"
			    "jump 99999999999999999999 1\n"
			    "jump 1700000001 86400\nalive 17";

	(void)state;
	lifetime_read(&l, text, strlen(text));
	assert_int_equal(l.alive, 1800000000);
	assert_int_equal(l.n, 2);
	assert_int_equal(l.jumps[0].by, -86400);
	assert_int_equal(l.jumps[1].at, 1700000001);
	lifetime_read(&l, "", 0);
	assert_int_equal(l.alive, 0);
	assert_int_equal(l.n, 0);
}

static void
no_more_jumps_than_there_is_room_for(void **state)
{
	struct lifetime l = {.n = 0};

	(void)state;
	for (int i = 0; i < 3 * LIFETIME_JUMPS_MAX; i++)
		lifetime_jumped(&l, i, 1);
	assert_int_equal(l.n, LIFETIME_JUMPS_MAX);
	assert_int_equal(l.jumps[0].at, 2 * LIFETIME_JUMPS_MAX);
}

/* -- names -- */

static char oddities[512];

static void
note_odd(const char *id, unsigned places)
{
	size_t n = strlen(oddities);

	snprintf(oddities + n, sizeof(oddities) - n, "%s:%u ", id + 14, places);
}

static void
names_come_together(void **state)
{
	struct names all = {NULL, 0, 0};
	char id[FS_ID_SIZE];

	(void)state;
	oddities[0] = '\0';
	assert_true(names_add(&all, "0000000000000001", 10, NAME_CUR));
	assert_true(names_add(&all, "fffffffffffffff2", 11, NAME_NEW));
	assert_true(names_add(&all, "0000000000000003", 12, NAME_NEW));
	assert_true(names_add(&all, "0000000000000003", 13, NAME_CUR));
	assert_true(names_add(&all, "0000000000000004", 14, NAME_NEW));
	assert_true(names_add(&all, "0000000000000001", 99, NAME_ENVELOPE));
	assert_true(names_add(&all, "0000000000000005", 98, NAME_ENVELOPE));
	assert_true(names_add(&all, "0000000000000003", 97, NAME_ENVELOPE));
	assert_true(names_add(&all, "fffffffffffffff2", 96, NAME_ENVELOPE));
	names_merge(&all, note_odd);
	assert_string_equal(oddities, "03:7 04:2 05:4 ");
	/* By the inodes of their envelopes. */
	assert_int_equal(all.n, 2);
	assert_int_equal(names_at(&all, 0, id), SPOOL_NEW);
	assert_string_equal(id, "fffffffffffffff2");
	assert_int_equal(names_at(&all, 1, id), SPOOL_CUR);
	assert_string_equal(id, "0000000000000001");
	names_free(&all);
	names_merge(&all, note_odd);
	assert_int_equal(all.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(time_that_was_seen_counts),
	    cmocka_unit_test(nothing_known_is_believed),
	    cmocka_unit_test(a_step_over_a_restart),
	    cmocka_unit_test(there_and_back_while_it_runs),
	    cmocka_unit_test(the_file_is_read),
	    cmocka_unit_test(no_more_jumps_than_there_is_room_for),
	    cmocka_unit_test(names_come_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
