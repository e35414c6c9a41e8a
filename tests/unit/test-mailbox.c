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

#include "common/fs.h"
#include "common/lines.h"
#include "mailbox/record.h"
#include "mailbox/sizes.h"
#include "mailbox/snapshot.h"
#include "mailbox/wire.h"

/* -- the record -- */

static void
make_record(char *out, const char *kind, const char *name)
{
	memset(out, 0, MAILBOX_RECORD);
	memcpy(out, kind, strlen(kind));
	memcpy(out + MAILBOX_RECORD_KIND, name, strlen(name));
}

static void
records_are_read_whole_or_not_at_all(void **state)
{
	static const struct {
		const char *kind, *name;
		bool good;
	} cases[] = {
	    {"virtual-session", "ann@example.test", true},
	    {"virtual-session", "\xc3\xa9@example.test", true},
	    {"virtual-session", "", false},
	    {"virtual-session", "ann", false},
	    {"virtual-session", "../x@example.test", false},
	    {"virtual-session", "\".x\"@example.test", false},
	    {"virtual-deliver", "", true},
	    {"virtual-deliver", "ann@example.test", false},
	    {"system-session", "ann", true},
	    {"system-deliver", "a.b-c_d", true},
	    {"system-deliver", "", false},
	    {"system-deliver", "-x", false},
	    {"system-deliver", ".", false},
	    {"system-deliver", "a/b", false},
	    {"system-deliver", "a b", false},
	    {"system-sessions", "ann", false},
	    {"", "ann", false},
	};
	char octets[MAILBOX_RECORD + 1];
	struct record r;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		make_record(octets, cases[i].kind, cases[i].name);
		assert_int_equal(
		    record_read(octets, MAILBOX_RECORD, &r), cases[i].good);
	}
	make_record(octets, "system-session", "ann");
	assert_true(record_read(octets, MAILBOX_RECORD, &r));
	assert_string_equal(r.name, "ann");
	assert_false(record_read(octets, MAILBOX_RECORD - 1, &r));
	assert_false(record_read(octets, MAILBOX_RECORD + 1, &r));
	octets[MAILBOX_RECORD - 1] = 'x';
	assert_false(record_read(octets, MAILBOX_RECORD, &r));
	memset(octets, 'a', sizeof(octets));
	assert_false(record_read(octets, MAILBOX_RECORD, &r));
}

static void
places_are_two_plain_folders(void **state)
{
	struct mailbox_place place;

	(void)state;
	assert_true(mailbox_place("Ann.B@Example.TEST", &place));
	assert_string_equal(place.local, "ann.b");
	assert_string_equal(place.domain, "example.test");
	assert_false(mailbox_place("a/b@example.test", &place));
	assert_false(mailbox_place("\"..\"@example.test", &place));
	assert_false(mailbox_place("\"a\tb\"@example.test", &place));
	assert_false(mailbox_place("", &place));
}

/* -- octets on the wire -- */

static uint64_t
written(const char *text, size_t n)
{
	struct dot_writer w;
	char out[DOT_WRITE_SIZE(200)];

	dot_writer_init(&w, true);
	(void)dot_write(&w, text, n, out);
	(void)dot_write_end(&w, out, true);
	return w.octets;
}

static void
octets_counted_are_octets_sent(void **state)
{
	static const char letters[] = {'a', '.', '\r', '\n', '\0'};
	char text[8];

	(void)state;
	/* Every text of up to seven of these, cut at every place. */
	for (size_t n = 0; n <= 7; n++) {
		size_t all = 1;

		for (size_t i = 0; i < n; i++)
			all *= sizeof(letters);
		for (size_t code = 0; code < all; code++) {
			size_t rest = code, cut = code % (n + 1);
			struct wire_count w = {0};

			for (size_t i = 0; i < n; i++) {
				text[i] = letters[rest % sizeof(letters)];
				rest /= sizeof(letters);
			}
			wire_add(&w, text, cut);
			wire_add(&w, text + cut, n - cut);
			assert_int_equal(wire_total(&w), written(text, n));
		}
	}
}

/* -- the snapshot -- */

static char folder[64];

static int
make_folder(void **state)
{
	int parent;

	(void)state;
	strcpy(folder, "/tmp/test-mailbox-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	parent = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(maildir_open(parent, "m", true));
	close(parent);
	return 0;
}

static int
remove_folder(void **state)
{
	static const char *const all[] = {"new", "cur", "tmp"};
	char path[400];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/m/%s", folder, all[i]);
		rmdir(path);
	}
	snprintf(path, sizeof(path), "%s/m/postrider-sizes", folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/m", folder);
	rmdir(path);
	return rmdir(folder);
}

static void
put(const char *name, const char *text, bool there)
{
	char path[400];
	int fd;

	snprintf(path, sizeof(path), "%s/m/%s", folder, name);
	if (!there) {
		assert_int_equal(unlink(path), 0);
		return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

static int
open_maildir(void)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/m", folder);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void
messages_stand_in_order_and_once(void **state)
{
	static const struct {
		const char *file, *text;
	} files[] = {
	    {"cur/20.b:2,S", "1\n"},
	    {"new/20.a", "22\n"},
	    {"new/3.z,S=4,W=9", "333\n"},
	    {"cur/100.a,S=1:2,", "4\n"},
	    {"cur/100.a,S=2:2,", "55\n"},
	    {"cur/100.a.b:2,", "6\n"},
	    {"new/7.moved", "7\n"},
	    {"cur/7.moved:2,S", "7\n"},
	    {"cur/no-time", "8\n"},
	};
	static const char *const order[] = {"no-time", "3.z,S=4,W=9",
	    "7.moved:2,S", "20.a", "20.b:2,S", "100.a,S=1:2,", "100.a,S=2:2,",
	    "100.a.b:2,"};
	enum { N = sizeof(order) / sizeof(order[0]) };
	char uidls[N][MAILDIR_UIDL_MAX + 1];
	struct snapshot s;

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		put(files[i].file, files[i].text, true);
	assert_int_equal(snapshot_take(&s, open_maildir(), -1), 0);
	assert_int_equal(s.n, N);
	for (size_t i = 0; i < N; i++) {
		assert_string_equal(snapshot_name(&s, i), order[i]);
		snapshot_uidl(&s, i, uidls[i]);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(uidls[i], uidls[j]);
	}
	assert_string_equal(uidls[2], "7.moved");
	assert_int_equal(s.messages[1].octets, 9);
	assert_int_equal(s.octets, 3 + 4 + 9 + 3 + 4 + 3 + 3 + 3);
	snapshot_free(&s);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		put(files[i].file, "", false);
}

static void
sizes_are_remembered_and_checked(void **state)
{
	struct snapshot s;
	int maildir = open_maildir(), sizes;

	(void)state;
	assert_int_equal(sizes_open(maildir), -1); /* nothing needs it */
	put("cur/1.a:2,", "one\n", true);
	put("cur/2.b:2,", "two\n\n", true);
	sizes = sizes_open(maildir);
	assert_true(sizes >= 0);
	assert_int_equal(snapshot_take(&s, maildir, sizes), 0);
	assert_int_equal(s.measured, 2);
	assert_int_equal(s.octets, 5 + 7);
	sizes_save(sizes, &s);
	snapshot_free(&s);

	put("cur/1.b", "new\n", true);
	maildir = open_maildir();
	assert_int_equal(snapshot_take(&s, maildir, sizes), 0);
	assert_int_equal(s.remembered, 2);
	assert_int_equal(s.measured, 1);
	assert_int_equal(s.octets, 5 + 7 + 5);
	sizes_save(sizes, &s);
	snapshot_free(&s);

	/* One octet changed, and it counts as none. */
	assert_int_equal(fs_write_at(sizes, "9", 1, 35), 0);
	maildir = open_maildir();
	assert_int_equal(snapshot_take(&s, maildir, sizes), 0);
	assert_int_equal(s.remembered, 0);
	assert_int_equal(s.measured, 3);
	assert_int_equal(s.octets, 5 + 7 + 5);
	snapshot_free(&s);
	close(sizes);
	put("cur/1.a:2,", "", false);
	put("cur/2.b:2,", "", false);
	put("cur/1.b", "", false);
}

static void
flags_are_kept_in_order(void **state)
{
	struct snapshot s;
	size_t deleted;

	(void)state;
	put("cur/1.a:2,FT", "x\n", true);
	put("new/2.b,S=2,W=3", "y\n", true);
	put("cur/3.c:2,S", "z\n", true);
	assert_int_equal(snapshot_take(&s, open_maildir(), -1), 0);
	for (size_t i = 0; i < 3; i++)
		s.messages[i].seen = 1;
	assert_int_equal(snapshot_commit(&s, &deleted), 0);
	assert_int_equal(deleted, 0);
	snapshot_free(&s);
	put("cur/1.a:2,FST", "", false);
	put("cur/2.b,S=2,W=3:2,S", "", false);
	put("cur/3.c:2,S", "", false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_are_read_whole_or_not_at_all),
	    cmocka_unit_test(places_are_two_plain_folders),
	    cmocka_unit_test(octets_counted_are_octets_sent),
	    cmocka_unit_test(messages_stand_in_order_and_once),
	    cmocka_unit_test(sizes_are_remembered_and_checked),
	    cmocka_unit_test(flags_are_kept_in_order),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
