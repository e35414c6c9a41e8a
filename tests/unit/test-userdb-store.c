/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/userdb-folder.h"
#include "userdb/store.h"

static struct span
text(const char *s)
{
	return (struct span){s, strlen(s)};
}

static char folder[64];

static struct store *
open_it(void)
{
	enum store_result result;
	struct store *s = store_open(folder, &result);

	assert_non_null(s);
	assert_int_equal(result, STORE_OK);
	return s;
}

static void
expect(struct store *s, const char *key, const char *value)
{
	char got[STORE_VALUE_MAX];
	size_t n;
	enum store_result result =
	    store_get(s, text(key), got, sizeof(got), &n);

	if (value == NULL) {
		assert_int_equal(result, STORE_ABSENT);
		return;
	}
	assert_int_equal(result, STORE_OK);
	assert_int_equal(n, strlen(value));
	assert_memory_equal(got, value, n);
}

static void
values_stay(void **state)
{
	struct store *s = open_it();

	(void)state;
	expect(s, "k1", NULL);
	assert_int_equal(store_put(s, text("k1"), text("one")), STORE_OK);
	assert_int_equal(store_put(s, text("k1"), text("two")), STORE_OK);
	expect(s, "k1", "two");
	store_close(s);
	s = open_it();
	expect(s, "k1", "two");
	assert_int_equal(store_delete(s, text("k1")), STORE_OK);
	assert_int_equal(store_delete(s, text("k1")), STORE_ABSENT);
	expect(s, "k1", NULL);
	assert_int_equal(store_tend(s), STORE_OK);
	store_close(s);
}

static void
transactions_are_all_or_nothing(void **state)
{
	struct store *s = open_it();

	(void)state;
	assert_int_equal(store_begin(s), STORE_OK);
	assert_int_equal(store_put(s, text("t1"), text("x")), STORE_OK);
	expect(s, "t1", "x");
	store_abort(s);
	expect(s, "t1", NULL);
	assert_int_equal(store_begin(s), STORE_OK);
	assert_int_equal(store_put(s, text("t1"), text("x")), STORE_OK);
	assert_int_equal(store_put(s, text("t2"), text("y")), STORE_OK);
	assert_int_equal(store_commit(s, true), STORE_OK);
	assert_int_equal(store_begin(s), STORE_OK);
	assert_int_equal(store_delete(s, text("t1")), STORE_OK);
	store_close(s); /* undoes it */
	s = open_it();
	expect(s, "t1", "x");
	expect(s, "t2", "y");
	store_close(s);
}

static bool
collect(struct span key, struct span value, void *context)
{
	char *out = context;
	size_t n = strlen(out);

	(void)value;
	if (key.data[0] != 'i')
		return false;
	snprintf(out + n, 64 - n, "%.*s ", (int)key.len, key.data);
	return strlen(out) < 12;
}

static void
keys_come_in_order(void **state)
{
	struct store *s = open_it();
	char all[64] = "", some[64] = "", none[64] = "";

	(void)state;
	assert_int_equal(store_put(s, text("i/c"), text("3")), STORE_OK);
	assert_int_equal(store_put(s, text("i/a"), text("1")), STORE_OK);
	assert_int_equal(store_put(s, text("i/b"), text("2")), STORE_OK);
	assert_int_equal(store_each(s, text("i/"), collect, all), STORE_OK);
	assert_string_equal(all, "i/a i/b i/c ");
	assert_int_equal(store_each(s, text("i/aa"), collect, some), STORE_OK);
	assert_string_equal(some, "i/b i/c ");
	assert_int_equal(store_each(s, text("zzz"), collect, none), STORE_OK);
	assert_string_equal(none, "");
	store_close(s);
}

static void
one_process_at_a_time(void **state)
{
	struct store *s = open_it();
	enum store_result result;

	(void)state;
	assert_null(store_open(folder, &result));
	assert_int_equal(result, STORE_LOCKED);
	store_close(s);
	store_close(open_it());
	assert_null(store_open("/no/such/folder", &result));
	assert_int_equal(result, STORE_FAILED);
}

/* Puts, tells its parent of each one acknowledged, and is killed. */
static void
put_for_ever(int teller)
{
	struct store *s = open_it();
	char key[32];

	for (unsigned i = 0;; i++) {
		snprintf(key, sizeof(key), "n%06u", i);
		if (store_begin(s) != STORE_OK ||
		    store_put(s, text(key), text("a")) != STORE_OK ||
		    store_put(s, text("last"), text(key)) != STORE_OK ||
		    store_commit(s, true) != STORE_OK ||
		    write(teller, &i, sizeof(i)) != sizeof(i))
			_exit(1);
	}
}

static void
killed_writers_lose_nothing(void **state)
{
	(void)state;
	for (unsigned round = 1; round <= 10; round++) {
		unsigned told = 0, i;
		char key[32];
		struct store *s;
		int ends[2];
		pid_t pid;

		assert_int_equal(pipe(ends), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			put_for_ever(ends[1]);
		close(ends[1]);
		while (told < 7 * round &&
		    read(ends[0], &told, sizeof(told)) == sizeof(told))
			continue;
		kill(pid, SIGKILL);
		while (read(ends[0], &told, sizeof(told)) == sizeof(told))
			continue;
		close(ends[0]);
		waitpid(pid, NULL, 0);
		assert_true(told >= 7 * round);
		s = open_it();
		for (i = 0; i <= told; i++) {
			snprintf(key, sizeof(key), "n%06u", i);
			expect(s, key, "a");
		}
		store_close(s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values_stay),
	    cmocka_unit_test(transactions_are_all_or_nothing),
	    cmocka_unit_test(keys_come_in_order),
	    cmocka_unit_test(one_process_at_a_time),
	    cmocka_unit_test(killed_writers_lose_nothing),
	};
	int failed;

	folder_make(folder, sizeof(folder));
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	folder_remove(folder);
	return failed;
}
