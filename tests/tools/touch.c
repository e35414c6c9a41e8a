/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* process_vm_readv, F_SETLEASE */
#include "tests/tools/touch.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define CALL(name, shape, octets)                                              \
	{                                                                      \
		SYS_##name, #name, CALL_##shape, octets                        \
	}

static const struct call calls[] = {
    CALL(open, PATH, -1),
    CALL(creat, PATH, -1),
    CALL(openat, AT, -1),
    CALL(openat2, AT, -1),
    CALL(stat, PATH, -1),
    CALL(lstat, PATH, -1),
    CALL(fstat, FD, -1),
    CALL(newfstatat, AT, -1),
    CALL(statx, AT, -1),
    CALL(statfs, PATH, -1),
    CALL(fstatfs, FD, -1),
    CALL(access, PATH, -1),
    CALL(faccessat, AT, -1),
    CALL(faccessat2, AT, -1),
    CALL(link, PATHS, -1),
    CALL(linkat, ATS, -1),
    CALL(unlink, PATH, -1),
    CALL(unlinkat, AT, -1),
    CALL(rename, PATHS, -1),
    CALL(renameat, ATS, -1),
    CALL(renameat2, ATS, -1),
    CALL(symlink, MADE, -1),
    CALL(symlinkat, MADE_AT, -1),
    CALL(mkdir, PATH, -1),
    CALL(mkdirat, AT, -1),
    CALL(rmdir, PATH, -1),
    CALL(truncate, PATH, -1),
    CALL(ftruncate, FD, -1),
    CALL(fallocate, FD, -1),
    CALL(read, FD, 2),
    CALL(readv, FD, 2),
    CALL(pread64, FD, 2),
    CALL(preadv, FD, 2),
    CALL(write, FD, 2),
    CALL(writev, FD, 2),
    CALL(pwrite64, FD, 2),
    CALL(pwritev, FD, 2),
    CALL(sendfile, FDS, 3),
    CALL(copy_file_range, FDS_AT, 4),
    CALL(splice, FDS_AT, 4),
    CALL(fsync, FD, -1),
    CALL(fdatasync, FD, -1),
    CALL(syncfs, FD, -1),
    CALL(sync_file_range, FD, -1),
    CALL(chmod, PATH, -1),
    CALL(fchmod, FD, -1),
    CALL(fchmodat, AT, -1),
    CALL(chown, PATH, -1),
    CALL(fchown, FD, -1),
    CALL(fchownat, AT, -1),
    CALL(utimensat, AT, -1),
    CALL(getdents64, FD, -1),
    CALL(flock, FD, -1),
    CALL(fcntl, LEASE, -1),
    CALL(sendmsg, SEND, -1),
    CALL(sendto, SEND, -1),
};
enum { CALLS = sizeof(calls) / sizeof(calls[0]) };

const struct call *
call_find(long number)
{
	for (size_t i = 0; i < CALLS; i++)
		if (calls[i].number == number)
			return &calls[i];
	return NULL;
}

long
call_number(const char *name)
{
	for (size_t i = 0; i < CALLS; i++)
		if (strcmp(calls[i].name, name) == 0)
			return calls[i].number;
	return -1;
}

/* -- the filter -- */

bool
call_stop_at_them(void)
{
	enum { BEFORE = 3, AFTER = 2 };
	struct sock_filter code[BEFORE + CALLS + AFTER];
	struct sock_fprog program = {
	    .len = BEFORE + CALLS + AFTER, .filter = code};
	unsigned n = 0;

	code[n++] = (struct sock_filter)BPF_STMT(
	    BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	code[n++] = (struct sock_filter)BPF_JUMP(
	    BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, CALLS + 1);
	code[n++] = (struct sock_filter)BPF_STMT(
	    BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (unsigned i = 0; i < CALLS; i++)
		code[n++] = (struct sock_filter)BPF_JUMP(
		    BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i].number,
		    (unsigned char)(CALLS - i), 0);
	code[n++] =
	    (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[n++] =
	    (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

/* -- which files -- */

/* The path behind a link of /proc; its first octet is no "/" for a socket. */
static bool
read_link(pid_t pid, const char *what, char out[PATH_MAX])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%ld/%s", (long)pid, what);
	n = readlink(link, out, PATH_MAX - 1);
	if (n < 0)
		return false;
	out[n] = '\0';
	return true;
}

static bool
fd_path(pid_t pid, unsigned long fd, char out[PATH_MAX])
{
	char what[32];

	if ((int)fd == AT_FDCWD)
		return read_link(pid, "cwd", out);
	snprintf(what, sizeof(what), "fd/%d", (int)fd);
	return read_link(pid, what, out);
}

/* A text in the process's memory, which may end within the page. */
static bool
read_text(pid_t pid, unsigned long where, char out[PATH_MAX])
{
	size_t page = 4096 - where % 4096, got = 0;

	while (got < PATH_MAX - 1) {
		size_t want =
		    page < PATH_MAX - 1 - got ? page : PATH_MAX - 1 - got;
		struct iovec to = {out + got, want};
		struct iovec from = {(void *)(where + got), want};
		ssize_t n = process_vm_readv(pid, &to, 1, &from, 1, 0);

		if (n <= 0)
			return false;
		if (memchr(out + got, '\0', (size_t)n) != NULL)
			return true;
		got += (size_t)n;
		page = 4096;
	}
	return false;
}

static bool
path_at(
    pid_t pid, unsigned long folder, unsigned long where, char out[PATH_MAX])
{
	char name[PATH_MAX], base[PATH_MAX];
	const char *link;

	if (!read_text(pid, where, name))
		return false;
	link = strstr(name, "self/fd/");
	if (link != NULL)
		return fd_path(
		    pid, strtoul(link + strlen("self/fd/"), NULL, 10), out);
	if (name[0] == '/' || !fd_path(pid, folder, base)) {
		memcpy(out, name, strlen(name) + 1);
		return true;
	}
	/* Both together may be longer than any path: cut, for people. */
	snprintf(out, PATH_MAX, "%.2000s%s%.2000s", base,
	    name[0] != '\0' ? "/" : "", name);
	return true;
}

static bool
is_below(const char *path, const char *folders)
{
	for (const char *end; (end = strchr(folders, ',')) != NULL;
	     folders = end + 1) {
		size_t n = (size_t)(end - folders);

		if (strncmp(path, folders, n) == 0 &&
		    (path[n] == '/' || path[n] == '\0'))
			return true;
	}
	return false;
}

bool
call_touches(pid_t pid, const struct call *call, const unsigned long a[6],
    const char *folders, char *text, size_t size)
{
	char one[PATH_MAX] = "", two[PATH_MAX] = "";

	switch (call->shape) {
	case CALL_LEASE:
		if (a[1] != F_SETLEASE)
			return false;
		/* fallthrough */
	case CALL_FD:
		(void)fd_path(pid, a[0], one);
		break;
	case CALL_PATHS:
		(void)path_at(pid, (unsigned long)AT_FDCWD, a[1], two);
		/* fallthrough */
	case CALL_PATH:
		(void)path_at(pid, (unsigned long)AT_FDCWD, a[0], one);
		break;
	case CALL_ATS:
		(void)path_at(pid, a[2], a[3], two);
		/* fallthrough */
	case CALL_AT:
		(void)path_at(pid, a[0], a[1], one);
		break;
	case CALL_MADE:
		(void)path_at(pid, (unsigned long)AT_FDCWD, a[1], one);
		break;
	case CALL_MADE_AT:
		(void)path_at(pid, a[1], a[2], one);
		break;
	case CALL_FDS:
	case CALL_FDS_AT:
		(void)fd_path(pid, a[0], one);
		(void)fd_path(pid, a[call->shape == CALL_FDS ? 1 : 2], two);
		break;
	case CALL_SEND:
		(void)fd_path(pid, a[0], one);
		break;
	}
	snprintf(text, size, "%s%s%s", one, two[0] != '\0' ? " " : "", two);
	return is_below(one, folders) || is_below(two, folders);
}

bool
call_talks(pid_t pid, const struct call *call, const unsigned long a[6])
{
	char path[PATH_MAX];

	return (call->shape == CALL_SEND || call->number == SYS_write ||
		   call->number == SYS_writev) &&
	    fd_path(pid, a[0], path) && strncmp(path, "socket:", 7) == 0;
}
