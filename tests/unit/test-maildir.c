/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/maildir.h"

static const struct timespec noon = {.tv_sec = 1763712000, .tv_nsec = 42000};

static void
names_are_made_of_message_and_mailbox(void **state)
{
	char a[MAILDIR_NAME_MAX + 1], b[MAILDIR_NAME_MAX + 1];
	struct maildir_parts parts;

	(void)state;
	assert_true(maildir_name(
	    a, &noon, "0123456789abcdef", "u@example.org", 512, 530));
	assert_true(maildir_name(
	    b, &noon, "0123456789abcdef", "u@example.org", 512, 530));
	assert_string_equal(a, b);
	assert_memory_equal(a, "1763712000.M000042_0123456789abcdef.", 36);
	assert_true(maildir_name(
	    b, &noon, "0123456789abcdef", "v@example.org", 512, 530));
	assert_string_not_equal(a, b);
	assert_false(maildir_same(a, b));

	assert_true(maildir_parse(a, &parts));
	assert_int_equal(parts.unique, 36 + 16);
	assert_int_equal(parts.base, strlen(a));
	assert_true(parts.has_size && parts.size == 512);
	assert_true(parts.has_wire && parts.wire == 530);
	assert_string_equal(parts.flags, "");
}

static void
names_that_could_leave_the_folder_are_not_made(void **state)
{
	static const char *const bad[] = {
	    "", "../x", "a/b", "a:b", "a,b", "a b", "a\nb", "\xc3\xa9"};
	char out[MAILDIR_NAME_MAX + 1], longest[400];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(maildir_name(out, &noon, bad[i], "u@d", 1, 1));
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_false(maildir_name(out, &noon, longest, "u@d", 1, 1));
	assert_true(
	    maildir_name(out, &noon, "a", longest, UINT64_MAX, UINT64_MAX));
}

static void
any_programs_names_are_read(void **state)
{
	static const struct {
		const char *name;
		bool message, has_size, has_wire;
		size_t unique, base;
		uint64_t size, wire;
		const char *flags;
	} cases[] = {
	    {"", false, false, false, 0, 0, 0, 0, ""},
	    {".hidden", false, false, false, 0, 0, 0, 0, ""},
	    {"a/b", false, false, false, 0, 0, 0, 0, ""},
	    {"1.2.host", true, false, false, 8, 8, 0, 0, ""},
	    {"1.2.host:2,FS", true, false, false, 8, 8, 0, 0, "FS"},
	    {"1.2.host:1,x", true, false, false, 8, 8, 0, 0, ""},
	    {"1,S=5:2,S", true, true, false, 1, 5, 5, 0, "S"},
	    {"1,W=7,S=5", true, true, true, 1, 9, 5, 7, ""},
	    {"1,x,W=7", true, false, true, 1, 7, 0, 7, ""},
	    {"1,S=,W=x", true, false, false, 1, 8, 0, 0, ""},
	    {"1,S=5x,W=-7", true, false, false, 1, 11, 0, 0, ""},
	    {"1,S=18446744073709551616", true, false, false, 1, 24, 0, 0, ""},
	    {"1,", true, false, false, 1, 2, 0, 0, ""},
	    {"1:2,S,W=9", true, false, false, 1, 1, 0, 0, "S,W=9"},
	};
	struct maildir_parts p;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool message = maildir_parse(cases[i].name, &p);

		assert_int_equal(message, cases[i].message);
		if (!message)
			continue;
		assert_int_equal(p.unique, cases[i].unique);
		assert_int_equal(p.base, cases[i].base);
		assert_int_equal(p.has_size, cases[i].has_size);
		assert_int_equal(p.has_wire, cases[i].has_wire);
		if (p.has_size)
			assert_true(p.size == cases[i].size);
		if (p.has_wire)
			assert_true(p.wire == cases[i].wire);
		assert_string_equal(p.flags, cases[i].flags);
	}
}

static void
sameness_looks_past_sizes_and_flags(void **state)
{
	(void)state;
	assert_true(maildir_same("1.a.b,S=1,W=1", "1.a.b,S=1,W=1:2,RS"));
	assert_true(maildir_same("1.a.b", "1.a.b,S=1"));
	assert_false(maildir_same("1.a.b", "1.a.bc"));
	assert_false(maildir_same("1.a.bc", "1.a.b"));
}

static void
uidls_are_legal_and_stable(void **state)
{
	char name[256], uidl[MAILDIR_UIDL_MAX + 1];
	char other[MAILDIR_UIDL_MAX + 1];

	(void)state;
	maildir_uidl("1.a.b,S=1,W=1", uidl);
	assert_string_equal(uidl, "1.a.b");
	maildir_uidl("1.a.b,S=1,W=1:2,S", other);
	assert_string_equal(uidl, other);

	memset(name, 'x', 200);
	strcpy(name + 200, ":2,");
	maildir_uidl(name, uidl);
	assert_int_equal(strlen(uidl), MAILDIR_UIDL_MAX);
	name[199] = 'y';
	maildir_uidl(name, other);
	assert_string_not_equal(uidl, other);
	name[200] = '\0';
	maildir_uidl(name, uidl);
	assert_string_equal(uidl, other);

	static const char *const odd[] = {
	    "a b", "\x01", "caf\xc3\xa9", "a\x7f", ",S=1", ":2,"};
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		maildir_uidl(odd[i], uidl);
		assert_int_equal(strlen(uidl), MAILDIR_UIDL_MAX);
		for (const char *c = uidl; *c != '\0'; c++)
			assert_true(*c >= 0x21 && *c <= 0x7e);
	}
}

static void
folders_are_made_where_they_are_missing(void **state)
{
	char folder[] = "/tmp/test-maildir-XXXXXX";
	struct stat status;
	int parent, fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	parent = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(maildir_open(parent, "m", false), -1);
	fd = maildir_open(parent, "m", true);
	assert_true(fd >= 0);
	for (size_t i = 0; i < 3; i++) {
		static const char *const parts[] = {"cur", "new", "tmp"};

		assert_int_equal(fstatat(fd, parts[i], &status, 0), 0);
		assert_int_equal(status.st_mode, S_IFDIR | 0700);
		assert_int_equal(unlinkat(fd, parts[i], AT_REMOVEDIR), 0);
	}
	close(fd);

	assert_int_equal(symlinkat("m", parent, "l"), 0);
	assert_int_equal(maildir_open(parent, "l", true), -1);
	assert_int_equal(mkfifoat(parent, "f", 0600), 0);
	assert_int_equal(maildir_open(parent, "f", true), -1);
	unlinkat(parent, "l", 0);
	unlinkat(parent, "f", 0);
	unlinkat(parent, "m", AT_REMOVEDIR);
	close(parent);
	assert_int_equal(rmdir(folder), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_are_made_of_message_and_mailbox),
	    cmocka_unit_test(names_that_could_leave_the_folder_are_not_made),
	    cmocka_unit_test(any_programs_names_are_read),
	    cmocka_unit_test(sameness_looks_past_sizes_and_flags),
	    cmocka_unit_test(uidls_are_legal_and_stable),
	    cmocka_unit_test(folders_are_made_where_they_are_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
