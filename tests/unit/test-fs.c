/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* pipe2 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fs.h"

static char root[] = "/tmp/test-fs-XXXXXX";
static int folder;

static int
set_up(void **state)
{
	(void)state;
	if (mkdtemp(root) == NULL)
		return -1;
	folder = fs_open_dir(AT_FDCWD, root);
	return folder == -1 ? -1 : 0;
}

static int
tear_down(void **state)
{
	static const char *const names[] = {"file", "again", "fifo", "link",
	    "copy", "lock", "unnamed", "made", "made-exact"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		unlinkat(folder, names[i], 0);
		unlinkat(folder, names[i], AT_REMOVEDIR);
	}
	close(folder);
	return rmdir(root);
}

static int
make_file(const char *name, const char *text)
{
	int fd =
	    openat(folder, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(fd, text, strlen(text)), 0);
	return fd;
}

static void
planted_names_are_not_followed(void **state)
{
	int fd = make_file("file", "x");

	(void)state;
	close(fd);
	assert_int_equal(mkfifoat(folder, "fifo", 0600), 0);
	assert_int_equal(symlinkat("file", folder, "link"), 0);

	fd = fs_open_file(folder, "file");
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	assert_int_equal(fs_open_file(folder, "fifo"), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(fs_open_file(folder, "link"), -1);
	assert_int_equal(errno, ELOOP);
	assert_int_equal(fs_open_file(folder, "."), -1);
	assert_int_equal(errno, EISDIR);
	assert_int_equal(fs_open_dir(folder, "file"), -1);
	assert_int_equal(errno, ENOTDIR);
	assert_int_equal(fs_open_dir(folder, "link"), -1);
	unlinkat(folder, "link", 0);

	assert_int_equal(symlinkat(".", folder, "link"), 0);
	assert_int_equal(fs_open_dir(folder, "link"), -1);
	assert_int_equal(fs_make_dir(folder, "link", 0700), -1);
	assert_int_equal(fs_make_dir(folder, "file", 0700), -1);
	assert_int_equal(errno, ENOTDIR);
}

static void
folders_get_their_mode(void **state)
{
	struct stat status;
	mode_t mask = umask(077);

	(void)state;
	assert_int_equal(fs_make_dir(folder, "made", 0751), 0);
	assert_int_equal(fstatat(folder, "made", &status, 0), 0);
	assert_int_equal(status.st_mode & 07777, 0751);
	assert_int_equal(fs_make_dir(folder, "made", 0700), 0);
	assert_int_equal(fstatat(folder, "made", &status, 0), 0);
	assert_int_equal(status.st_mode & 07777, 0751);
	assert_int_equal(fs_make_dir(folder, "made-exact", 01777), 0);
	assert_int_equal(fstatat(folder, "made-exact", &status, 0), 0);
	assert_int_equal(status.st_mode & 07777, 01777);
	assert_int_equal(fs_sync_dir(folder, "made"), 0);
	assert_int_equal(fs_sync_dir(folder, "missing"), -1);
	umask(mask);
}

static void
unnamed_until_linked(void **state)
{
	struct stat status;
	char text[16];
	int writer, reader;
	mode_t mask = umask(077);

	(void)state;
	if (fs_unnamed(folder, 0664, &writer, &reader) == -1) {
		assert_int_equal(errno, EOPNOTSUPP);
		skip();
	}
	assert_int_equal(fs_write_all(writer, "hello", 5), 0);
	assert_int_equal(fstat(reader, &status), 0);
	assert_int_equal(status.st_nlink, 0);
	assert_int_equal(status.st_mode & 07777, 0664);
	assert_int_equal(write(reader, "x", 1), -1);
	assert_int_equal(fs_no_writer(reader), 0);
	close(writer);
	assert_int_equal(fs_no_writer(reader), 1);

	/* A read-only descriptor is enough for a name. */
	assert_int_equal(fs_link(reader, folder, "unnamed"), 0);
	assert_int_equal(fs_link(reader, folder, "unnamed"), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(pread(reader, text, sizeof(text), 0), 5);
	assert_int_equal(fs_sync(reader), 0);
	close(reader);
	umask(mask);
}

static void
lease_sees_a_writer_anywhere(void **state)
{
	int writer = make_file("file", "x");
	int reader = fs_open_file(folder, "file");
	int ends[2], status;
	pid_t child;
	char c;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(ends[1]);
		_exit(read(ends[0], &c, 1) == 0 ? 0 : 1);
	}
	close(ends[0]);
	close(writer);
	assert_int_equal(fs_no_writer(reader), 0);
	close(ends[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(fs_no_writer(reader), 1);

	/* The lease is given back at once: a later writer need not wait. */
	writer = openat(folder, "file", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(writer >= 0);
	close(writer);
	close(reader);
}

static void
reading_is_bounded(void **state)
{
	char *octets = NULL;
	size_t n = 0;
	int fd = make_file("file", "0123456789"), ends[2];

	(void)state;
	assert_int_equal(fs_read_all(fd, 10, &octets, &n), 0);
	assert_int_equal(n, 10);
	assert_memory_equal(octets, "0123456789", 10);
	free(octets);
	assert_int_equal(fs_read_all(fd, 9, &octets, &n), -1);
	assert_int_equal(errno, EFBIG);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(fs_read_all(fd, 0, &octets, &n), 0);
	assert_int_equal(n, 0);
	free(octets);
	close(fd);

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fs_write_all(ends[1], "piped", 5), 0);
	close(ends[1]);
	assert_int_equal(fs_read_all(ends[0], 100, &octets, &n), 0);
	assert_int_equal(n, 5);
	free(octets);
	close(ends[0]);
	assert_int_equal(fs_read_all(-1, 100, &octets, &n), -1);
	assert_int_equal(errno, EBADF);
}

static void
copies_what_was_asked_for(void **state)
{
	int from = make_file("file", "0123456789");
	int to = make_file("copy", ""), ends[2];
	char text[16];

	(void)state;
	assert_int_equal(lseek(from, 2, SEEK_SET), 2);
	assert_int_equal(fs_copy(from, to, 5), 0);
	assert_int_equal(pread(to, text, sizeof(text), 0), 5);
	assert_memory_equal(text, "23456", 5);
	assert_int_equal(lseek(from, 0, SEEK_CUR), 7);
	assert_int_equal(fs_copy(from, to, 4), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(fs_write_at(to, "AB", 2, 1), 0);
	assert_int_equal(pread(to, text, 3, 0), 3);
	assert_memory_equal(text, "2AB", 3);

	/* Where the kernel does not copy. */
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(lseek(from, 0, SEEK_SET), 0);
	assert_int_equal(fs_copy(from, ends[1], 10), 0);
	assert_int_equal(read(ends[0], text, sizeof(text)), 10);
	close(ends[0]);
	close(ends[1]);
	close(from);
	close(to);
}

static void
one_lock_at_a_time(void **state)
{
	int one = make_file("lock", ""), two;

	(void)state;
	two = fs_open_file(folder, "lock");
	assert_int_equal(fs_lock(one), 0);
	assert_int_equal(fs_lock(two), -1);
	assert_int_equal(errno, EWOULDBLOCK);
	close(one);
	assert_int_equal(fs_lock(two), 0);
	close(two);
}

static void
ids_are_hexadecimal_and_differ(void **state)
{
	char a[FS_ID_SIZE], b[FS_ID_SIZE];

	(void)state;
	fs_random_id(a);
	fs_random_id(b);
	assert_int_equal(strlen(a), 16);
	assert_int_equal(strspn(a, "0123456789abcdef"), 16);
	assert_string_not_equal(a, b);
}

/* Nothing is known of a file system that keeps nothing over a power cut. */
static void
not_every_file_system_is_trusted(void **state)
{
	int proc = fs_open_dir(AT_FDCWD, "/proc");

	(void)state;
	assert_true(proc >= 0);
	assert_false(fs_keeps_order(proc));
	assert_false(fs_syncs_names(proc));
	close(proc);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(planted_names_are_not_followed),
	    cmocka_unit_test(folders_get_their_mode),
	    cmocka_unit_test(unnamed_until_linked),
	    cmocka_unit_test(lease_sees_a_writer_anywhere),
	    cmocka_unit_test(reading_is_bounded),
	    cmocka_unit_test(copies_what_was_asked_for),
	    cmocka_unit_test(one_lock_at_a_time),
	    cmocka_unit_test(ids_are_hexadecimal_and_differ),
	    cmocka_unit_test(not_every_file_system_is_trusted),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
