/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "queue/schedule.h"

enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

static const struct retry_policy usual = {.minimum = 5 * MINUTE,
    .maximum = 4 * HOUR,
    .lifetime = 5 * DAY,
    .warning = 4 * HOUR};

static void
delays_double_up_to_the_maximum(void **state)
{
	static const int64_t minutes[] = {5, 10, 20, 40, 80, 160, 240, 240};

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		int64_t base = minutes[i] * MINUTE * 1000;

		assert_int_equal(
		    schedule_delay(&usual, i + 1, 0), base - base / 8);
		for (uint32_t random = 1; random != 0; random <<= 1) {
			int64_t delay = schedule_delay(&usual, i + 1, random);

			assert_in_range(delay, base * 7 / 8, base * 9 / 8);
		}
	}
	assert_in_range(schedule_delay(&usual, UINT32_MAX, 7),
	    4LL * HOUR * 1000 * 7 / 8, 4LL * HOUR * 1000 * 9 / 8);
}

static void
jitter_spreads(void **state)
{
	int64_t least = INT64_MAX, most = 0;

	(void)state;
	srand(1);
	for (int i = 0; i < 1000; i++) {
		int64_t delay =
		    schedule_delay(&usual, 1, (uint32_t)rand() * 2654435761u);

		least = delay < least ? delay : least;
		most = delay > most ? delay : most;
	}
	assert_true(most - least > 5 * MINUTE * 1000 / 5);
}

/* Five days of a message that nobody takes, with a clock of our own. */
static void
a_whole_life(void **state)
{
	int64_t age = 0;
	unsigned attempts = 0;

	(void)state;
	while (!schedule_expired(&usual, age)) {
		int64_t wait;

		attempts++;
		assert_true(attempts < 100);
		wait = schedule_wait(&usual, attempts, age, 12345 * attempts);
		assert_true(wait > 0);
		age += wait;
	}
	/* The last attempt is made at the very end, not hours after it. */
	assert_int_equal(age, 5LL * DAY * 1000);
	assert_in_range(attempts, 30, 42);
}

static void
absurd_policies(void **state)
{
	struct retry_policy endless = {
	    UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	struct retry_policy none = {0, 0, 0, 0};
	struct retry_policy upside_down = {100, 10, 1000, 0};

	(void)state;
	assert_true(schedule_delay(&endless, 1000, UINT32_MAX) > 0);
	assert_true(schedule_wait(&endless, 1000, INT64_MAX / 4, 0) >= 0);
	assert_false(schedule_expired(&endless, INT64_MAX / 4));
	assert_int_equal(schedule_delay(&none, 5, 5), 0);
	assert_int_equal(schedule_wait(&none, 5, 5, 5), 0);
	assert_true(schedule_expired(&none, 0));
	assert_in_range(schedule_delay(&upside_down, 1, 3), 8750, 11250);
}

static void
resuming_with_a_shifted_clock(void **state)
{
	const int64_t now = 1800000000;

	(void)state;
	assert_int_equal(schedule_resume(&usual, 0, now), 0);
	assert_int_equal(schedule_resume(&usual, now - DAY, now), 0);
	assert_int_equal(schedule_resume(&usual, now + 60, now), 60000);
	/* The clock was a day ahead, or the file says anything. */
	assert_int_equal(
	    schedule_resume(&usual, now + DAY, now), 4LL * HOUR * 1000);
	assert_int_equal(
	    schedule_resume(&usual, INT64_MAX / 4096, now), 4LL * HOUR * 1000);
}

static void
heap_is_sorted_and_keeps_slots(void **state)
{
	enum { N = 3000 };
	static struct due items[N];
	struct due_heap heap = {0};
	struct due *first;
	int64_t last = -1;
	size_t n = 0, removed = 0;

	(void)state;
	srand(2);
	for (int i = 0; i < N; i++)
		assert_true(due_set(&heap, &items[i], rand() % 1000));
	for (int i = 0; i < N; i += 3)
		assert_true(due_set(&heap, &items[i], rand() % 1000));
	for (int i = 0; i < N; i += 7) {
		due_remove(&heap, &items[i]);
		assert_int_equal(items[i].slot, 0);
		due_remove(&heap, &items[i]);
		removed++;
	}
	for (size_t i = 1; i <= heap.n; i++)
		assert_int_equal(heap.items[i]->slot, i);
	while ((first = due_first(&heap)) != NULL) {
		assert_true(first->at >= last);
		last = first->at;
		due_remove(&heap, first);
		n++;
	}
	assert_int_equal(n, N - removed);
	due_free(&heap);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(delays_double_up_to_the_maximum),
	    cmocka_unit_test(jitter_spreads),
	    cmocka_unit_test(a_whole_life),
	    cmocka_unit_test(absurd_policies),
	    cmocka_unit_test(resuming_with_a_shifted_clock),
	    cmocka_unit_test(heap_is_sorted_and_keeps_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
