/* SPDX-License-Identifier: ISC */
/*
 * postrider.conf(5) says what the table of keywords says: every keyword, its
 * default, its bounds, its choices, and no keyword more.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/config.h"

static char page[65536];

static int
read_page(void **state)
{
	FILE *file = fopen("man/postrider.conf.5", "r");
	size_t n;

	(void)state;
	if (file == NULL)
		return -1;
	n = fread(page, 1, sizeof(page) - 1, file);
	page[n] = '\0';
	fclose(file);
	return n > 0 && n < sizeof(page) - 1 ? 0 : -1;
}

/* The item of a keyword, up to the next one, as a copy. */
static char *
item_of(const char *keyword)
{
	char head[128];
	const char *start, *end;

	snprintf(head, sizeof(head), "\n.It Ic %s ", keyword);
	start = strstr(page, head);
	if (start == NULL)
		fail_msg("postrider.conf(5) lacks %s", keyword);
	start++;
	end = strstr(start, "\n.It Ic ");
	if (end == NULL || strstr(start, "\n.El\n") < end)
		end = strstr(start, "\n.El\n");
	assert_non_null(end);
	return strndup(start, (size_t)(end - start) + 1);
}

static void
expect(
    const char *item, const char *keyword, const char *label, const char *value)
{
	char line[512];

	snprintf(line, sizeof(line), "\n%s: %s.\n", label, value);
	if (strstr(item, line) == NULL)
		fail_msg("postrider.conf(5), %s: no line \"%s: %s.\"", keyword,
		    label, value);
}

static void
expect_choices(const char *item, const struct config_keyword *k)
{
	char choices[256], *word, *rest = choices;

	snprintf(choices, sizeof(choices), "%s", k->bounds);
	while ((word = strtok_r(rest, "|", &rest)) != NULL)
		if (strstr(item, word) == NULL)
			fail_msg("postrider.conf(5), %s: no %s", k->name, word);
}

static void
test_every_keyword(void **state)
{
	(void)state;
	for (const struct config_keyword *k = config_keywords();
	     k->name != NULL; k++) {
		char *item = item_of(k->name);

		if (k->fallback != NULL)
			expect(item, k->name, "Default", k->fallback);
		else
			assert_non_null(strstr(item, "\nDefault: "));
		if (k->bounds != NULL && strstr(k->bounds, " to ") != NULL)
			expect(item, k->name, "Range", k->bounds);
		else if (k->bounds != NULL)
			expect_choices(item, k);
		free(item);
	}
}

static bool
is_keyword(const char *name, size_t n)
{
	for (const struct config_keyword *k = config_keywords();
	     k->name != NULL; k++)
		if (strlen(k->name) == n && strncmp(k->name, name, n) == 0)
			return true;
	return false;
}

static void
test_no_other_keyword(void **state)
{
	static const char head[] = "\n.It Ic ";
	size_t count = 0, n;

	(void)state;
	for (const char *p = page; (p = strstr(p, head)) != NULL; count++) {
		p += sizeof(head) - 1;
		n = strcspn(p, " \n");
		if (!is_keyword(p, n))
			fail_msg("no keyword %.*s", (int)n, p);
	}
	for (const struct config_keyword *k = config_keywords();
	     k->name != NULL; k++)
		count--;
	assert_int_equal(count, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_keyword),
	    cmocka_unit_test(test_no_other_keyword),
	};

	return cmocka_run_group_tests(tests, read_page, NULL);
}
