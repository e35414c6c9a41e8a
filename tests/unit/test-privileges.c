/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* getresuid, syscall */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fs.h"
#include "common/privileges.h"

/* Every Debian has it, and nothing else of it is needed. */
#define SOMEBODY "nobody"

static char folder[] = "/tmp/test-privileges-XXXXXX";
static struct account somebody;

static int
set_up(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL || chmod(folder, 0777) == -1)
		return -1;
	return account_find(SOMEBODY, &somebody);
}

static int
tear_down(void **state)
{
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/linked", folder);
	unlink(path);
	return rmdir(folder);
}

/* Run in a child of its own; its exit status, or 1000 + signal. */
static int
in_child(int (*body)(void))
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(body());
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

/* In a child: the number of the first check that fails, 0 for none. */
#define CHECK(condition)                                                       \
	do {                                                                   \
		if (!(condition)) {                                            \
			fprintf(stderr, "line %d: %s (%s)\n", __LINE__,        \
			    #condition, strerror(errno));                      \
			return 1;                                              \
		}                                                              \
	} while (0)

static bool
capabilities_are(uint32_t mask)
{
	struct __user_cap_header_struct head = {
	    .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	return syscall(SYS_capget, &head, sets) == 0 &&
	    sets[0].effective == mask && sets[0].permitted == mask &&
	    sets[0].inheritable == 0 && sets[1].permitted == 0;
}

static bool
stands_in(const char *where)
{
	struct stat here, there;

	return stat(".", &here) == 0 && stat(where, &there) == 0 &&
	    here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

static int
dropped(bool in_chroot)
{
	gid_t groups[8];
	mode_t mask;

	privileges_drop(SOMEBODY, folder, in_chroot);
	CHECK(getuid() == somebody.uid && geteuid() == somebody.uid);
	CHECK(getgid() == somebody.gid && getegid() == somebody.gid);
	CHECK(getgroups(8, groups) == 1 && groups[0] == somebody.gid);
	CHECK(setuid(0) == -1 && seteuid(0) == -1 && setgid(0) == -1);
	CHECK(setgroups(0, NULL) == -1);
	CHECK(capabilities_are(0));
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	CHECK(stands_in(in_chroot ? "/" : folder));
	CHECK((access("/proc/self", F_OK) == 0) == !in_chroot);
	mask = umask(0);
	CHECK(mask == 077);
	return 0;
}

static int
drops_without_chroot(void)
{
	return dropped(false);
}

static int
drops_into_chroot(void)
{
	return dropped(true);
}

static int
links_from_within_chroot(void)
{
	int writer, reader, here;

	CHECK(fs_keep_proc() == 0);
	privileges_drop(SOMEBODY, folder, true);
	here = fs_open_dir(AT_FDCWD, ".");
	CHECK(here >= 0);
	CHECK(fs_unnamed(here, 0600, &writer, &reader) == 0);
	CHECK(fs_link(reader, here, "linked") == 0);
	CHECK(access("/linked", F_OK) == 0);
	CHECK(access("/proc", F_OK) == -1);
	return 0;
}

static int
keeps_two_capabilities(void)
{
	const uint32_t both = 1 << CAP_SETUID | 1 << CAP_SETGID;
	struct account root = {0}, other = {.uid = 12345, .gid = 12345};

	privileges_drop_to_become(SOMEBODY, folder);
	CHECK(getuid() == somebody.uid && getgid() == somebody.gid);
	CHECK(capabilities_are(both));
	CHECK(stands_in(folder));
	/* It is not root in any other way. */
	CHECK(open("/etc/shadow", O_RDONLY) == -1);
	CHECK(chown(folder, 12345, 12345) == -1);
	CHECK(chroot(".") == -1);
	CHECK(privileges_become(&root) == -1 && errno == EPERM);

	CHECK(privileges_become(&other) == 0);
	CHECK(getuid() == 12345 && getegid() == 12345);
	CHECK(capabilities_are(0));
	CHECK(setresuid(somebody.uid, somebody.uid, somebody.uid) == -1);
	CHECK(setuid(0) == -1 && setgroups(0, NULL) == -1);
	return 0;
}

static int
becomes_from_root(void)
{
	struct account other = {
	    .uid = 12345, .gid = 12345, .ngroups = 1, .groups = {12345}};
	gid_t groups[8];

	CHECK(privileges_become(&other) == 0);
	CHECK(getgroups(8, groups) == 1 && groups[0] == 12345);
	CHECK(capabilities_are(0));
	CHECK(setuid(0) == -1);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	return 0;
}

static int
ordinary_user_only_moves(void)
{
	struct account self = {.uid = somebody.uid, .gid = somebody.gid};
	struct account other = {.uid = 12345, .gid = 12345};

	if (geteuid() == 0)
		CHECK(setgid(self.gid) == 0 && setuid(self.uid) == 0);
	else
		self = (struct account){.uid = getuid(), .gid = getgid()};
	privileges_drop("no-such-account", folder, true);
	CHECK(stands_in(folder));
	CHECK(access("/proc/self", F_OK) == 0);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	privileges_drop_to_become("no-such-account", folder);
	CHECK(privileges_become(&self) == 0);
	CHECK(privileges_become(&other) == -1);
	return 0;
}

static int
unknown_account(void)
{
	privileges_drop("no-such-account", folder, false);
	return 0;
}

static int
missing_folder(void)
{
	privileges_drop(SOMEBODY, "/nonexistent/folder", false);
	return 0;
}

static int
account_of_root(void)
{
	privileges_drop("root", folder, false);
	return 0;
}

static void
accounts_are_found(void **state)
{
	struct account account;

	(void)state;
	assert_int_equal(account_find("root", &account), 0);
	assert_int_equal(account.uid, 0);
	assert_string_equal(account.home, "/root");
	assert_int_equal(account_find("no-such-account", &account), -1);
	assert_int_equal(errno, ENOENT);
}

static void
root_drops_for_good(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(in_child(drops_without_chroot), 0);
	assert_int_equal(in_child(drops_into_chroot), 0);
	assert_int_equal(in_child(keeps_two_capabilities), 0);
	assert_int_equal(in_child(becomes_from_root), 0);
}

static void
chroot_keeps_proc_for_links(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(in_child(links_from_within_chroot), 0);
}

static void
ordinary_user(void **state)
{
	(void)state;
	assert_int_equal(in_child(ordinary_user_only_moves), 0);
}

static void
failure_ends_the_process(void **state)
{
	(void)state;
	assert_int_equal(in_child(missing_folder), EX_OSERR);
	if (geteuid() != 0)
		return;
	assert_int_equal(in_child(unknown_account), EX_OSERR);
	assert_int_equal(in_child(account_of_root), EX_OSERR);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(accounts_are_found),
	    cmocka_unit_test(root_drops_for_good),
	    cmocka_unit_test(chroot_keeps_proc_for_links),
	    cmocka_unit_test(ordinary_user),
	    cmocka_unit_test(failure_ends_the_process),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
