/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* setresuid, getgrouplist, syscall */
#include "common/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"

int
account_find(const char *name, struct account *account)
{
	struct passwd *entry;
	size_t n;

	errno = 0;
	entry = getpwnam(name);
	if (entry == NULL) {
		/* Some look-ups say so with other errors; see getpwnam(3). */
		if (errno == 0 || errno == ESRCH || errno == EPERM)
			errno = ENOENT;
		return -1;
	}
	n = strlen(entry->pw_dir);
	if (n >= sizeof(account->home)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	account->uid = entry->pw_uid;
	account->gid = entry->pw_gid;
	memcpy(account->home, entry->pw_dir, n + 1);
	account->ngroups = ACCOUNT_GROUPS_MAX;
	if (getgrouplist(
		name, account->gid, account->groups, &account->ngroups) == -1)
		/* More than we hold: the first ones must do. */
		account->ngroups = ACCOUNT_GROUPS_MAX;
	return 0;
}

static int
take_groups(const struct account *account)
{
	return setgroups((size_t)account->ngroups, account->groups);
}

bool
privileges_are_root(void)
{
	return geteuid() == 0;
}

enum { CAPABILITIES_BECOME = 1 << CAP_SETUID | 1 << CAP_SETGID };

static int
set_capabilities(uint32_t mask)
{
	struct __user_cap_header_struct head = {
	    .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {
	    {.effective = mask, .permitted = mask}};

	return (int)syscall(SYS_capset, &head, sets);
}

/* What is effective, permitted or inheritable is exactly this. */
static bool
has_capabilities(uint32_t mask)
{
	struct __user_cap_header_struct head = {
	    .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	return syscall(SYS_capget, &head, sets) == 0 &&
	    sets[0].effective == mask && sets[0].permitted == mask &&
	    sets[0].inheritable == 0 && sets[1].effective == 0 &&
	    sets[1].permitted == 0 && sets[1].inheritable == 0;
}

static bool
is_wholly(const struct account *account)
{
	uid_t ruid, euid, suid;
	gid_t rgid, egid, sgid;

	return getresuid(&ruid, &euid, &suid) == 0 &&
	    getresgid(&rgid, &egid, &sgid) == 0 && ruid == account->uid &&
	    euid == account->uid && suid == account->uid &&
	    rgid == account->gid && egid == account->gid &&
	    sgid == account->gid;
}

/* Trying is the only proof: set-uid bits and capabilities have surprised. */
static bool
has_way_back(void)
{
	return setresuid((uid_t)-1, 0, (uid_t)-1) == 0 ||
	    setresgid((gid_t)-1, 0, (gid_t)-1) == 0 || setuid(0) == 0 ||
	    setgid(0) == 0;
}

static void
die(const char *what)
{
	log_errno(LEVEL_ERROR, "cannot drop privileges", what);
	_exit(EX_OSERR);
}

static void
find_or_die(const char *name, struct account *account)
{
	if (account_find(name, account) == -1)
		die(name);
	if (account->uid == 0 || account->gid == 0) {
		errno = EPERM;
		die(name);
	}
}

static void
shut_door(void)
{
	umask(077);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		die("no_new_privs");
}

void
privileges_drop(const char *name, const char *folder, bool in_chroot)
{
	struct account account;

	/* The zone's file cannot be read from within a chroot or sandbox. */
	tzset();
	if (!privileges_are_root()) {
		if (chdir(folder) == -1)
			die(folder);
		shut_door();
		return;
	}
	find_or_die(name, &account);
	if (take_groups(&account) == -1)
		die("setgroups");
	if (chdir(folder) == -1 || (in_chroot && chroot(".") == -1))
		die(folder);
	if (setresgid(account.gid, account.gid, account.gid) == -1)
		die("setresgid");
	if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == -1 ||
	    setresuid(account.uid, account.uid, account.uid) == -1)
		die("setresuid");
	if (set_capabilities(0) == -1)
		die("capset");
	shut_door();
	if (!is_wholly(&account) || !has_capabilities(0) || has_way_back()) {
		errno = EPERM;
		die("way back");
	}
}

void
privileges_drop_to_become(const char *name, const char *folder)
{
	struct account account;

	tzset();
	if (chdir(folder) == -1)
		die(folder);
	if (!privileges_are_root()) {
		shut_door();
		return;
	}
	find_or_die(name, &account);
	if (take_groups(&account) == -1)
		die("setgroups");
	if (setresgid(account.gid, account.gid, account.gid) == -1)
		die("setresgid");
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == -1 ||
	    setresuid(account.uid, account.uid, account.uid) == -1)
		die("setresuid");
	if (set_capabilities(CAPABILITIES_BECOME) == -1 ||
	    prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == -1)
		die("capset");
	shut_door();
	if (!is_wholly(&account) || !has_capabilities(CAPABILITIES_BECOME)) {
		errno = EPERM;
		die("capabilities");
	}
}

static bool
can_become(void)
{
	return privileges_are_root() || has_capabilities(CAPABILITIES_BECOME);
}

int
privileges_become(const struct account *account)
{
	if (account->uid == 0 || account->gid == 0) {
		errno = EPERM;
		return -1;
	}
	if (!can_become()) {
		/* Started by an ordinary user: he is himself already. */
		errno = EPERM;
		return is_wholly(account) ? 0 : -1;
	}
	if (take_groups(account) == -1 ||
	    setresgid(account->gid, account->gid, account->gid) == -1 ||
	    setresuid(account->uid, account->uid, account->uid) == -1)
		return -1;
	/* From another user than root they would have stayed. */
	if (set_capabilities(0) == -1 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return -1;
	umask(077);
	if (!is_wholly(account) || !has_capabilities(0) || has_way_back()) {
		errno = EPERM;
		return -1;
	}
	return 0;
}
