/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* CLONE_NEWUSER, memfd_create */
#include "common/seccomp.h"

#include "build.h"

#ifdef HAVE_SECCOMP

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/fs.h"

/*
 * What no part of the suite ever has a reason to do after it is shut in,
 * named rather than the rest allowed: libraries change the calls that they
 * make, and a mail server that dies of an update of libc helps nobody.
 */
static const char *const never[] = {
    /* other programs */
    "execve", "execveat",
/* other processes, their memory and their descriptors */
#ifndef SANITIZERS /* LeakSanitizer traces its own process at exit */
    "ptrace",
#endif
    "process_vm_readv", "process_vm_writev", "process_madvise",
    "process_mrelease", "pidfd_open", "pidfd_getfd", "kcmp",
    /* another view of the system */
    "mount", "umount", "umount2", "pivot_root", "chroot", "unshare", "setns",
    "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick",
    "mount_setattr", "open_by_handle_at", "swapon", "swapoff", "quotactl",
    "quotactl_fd", "acct",
    /* wide or young doors into the kernel */
    "add_key", "request_key", "keyctl", "bpf", "perf_event_open", "userfaultfd",
    "io_uring_setup", "io_uring_enter", "io_uring_register", "init_module",
    "finit_module", "delete_module", "create_module", "kexec_load",
    "kexec_file_load", "reboot", "iopl", "ioperm", "personality", "modify_ldt",
    "lookup_dcookie", "syslog", "vhangup", "nfsservctl", "memfd_secret",
    "fanotify_init", "name_to_handle_at",
    /* the machine's clock and name */
    "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "stime",
    "sethostname", "setdomainname"};

/* Signals to others by ways that kill(2)'s rule does not see. */
static const char *const signals[] = {
    "pidfd_send_signal", "rt_sigqueueinfo", "rt_tgsigqueueinfo"};

/* A call that this machine's architecture or this library does not know. */
static int
add(scmp_filter_ctx filter, uint32_t action, const char *name, unsigned n,
    const struct scmp_arg_cmp *arguments)
{
	int number = seccomp_syscall_resolve_name(name);

	if (number == __NR_SCMP_ERROR)
		return 0;
	return seccomp_rule_add_array(filter, action, number, n, arguments);
}

static int
deny(scmp_filter_ctx filter, const char *const *names, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add(filter, SCMP_ACT_ERRNO(EPERM), names[i], 0, NULL);
	return rc;
}

/* In a kept program it stands for the pid of who takes it; above any pid. */
enum { PID_HERE = 0x7ed1d0ff };

/* abort() and raise() go on working: the first argument may be ourselves. */
static int
deny_signals(scmp_filter_ctx filter)
{
	static const char *const by_pid[] = {"kill", "tkill", "tgkill"};
	const struct scmp_arg_cmp other = {
	    .op = SCMP_CMP_NE, .datum_a = PID_HERE};
	int rc = deny(filter, signals, sizeof(signals) / sizeof(*signals));

	for (size_t i = 0; i < sizeof(by_pid) / sizeof(*by_pid) && rc == 0; i++)
		rc = add(filter, SCMP_ACT_ERRNO(EPERM), by_pid[i], 1, &other);
	return rc;
}

static int
deny_processes(scmp_filter_ctx filter)
{
#ifdef SANITIZERS /* LeakSanitizer's tracer is a clone */
	(void)filter;
	return 0;
#else
	static const char *const names[] = {"fork", "vfork", "clone", "clone3"};

	return deny(filter, names, sizeof(names) / sizeof(*names));
#endif
}

/* clone3 keeps its flags where a filter cannot look; libc falls back. */
static int
deny_namespaces(scmp_filter_ctx filter)
{
	static const int flags[] = {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID,
	    CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP};
	int rc = add(filter, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL);

	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags) && rc == 0; i++) {
		const struct scmp_arg_cmp asked = SCMP_A0_64(SCMP_CMP_MASKED_EQ,
		    (scmp_datum_t)flags[i], (scmp_datum_t)flags[i]);

		rc = add(filter, SCMP_ACT_ERRNO(EPERM), "clone", 1, &asked);
	}
	return rc;
}

/* Kernels before Landlock's ABI 4 do not stop connect(2). */
static int
deny_network(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp other = {
	    .op = SCMP_CMP_NE, .datum_a = AF_UNIX};

	return add(filter, SCMP_ACT_ERRNO(EPERM), "socket", 1, &other);
}

/*
 * Two layers.  The kernel runs a new filter once for every call there is, so
 * the long list costs half a millisecond: a parent takes it once, and all
 * that it forks have it.  A child adds the few rules of its own.
 */
enum layer { ALL, CHILD, CHILD_WITH_NETWORK, PARENT_WITHOUT_NETWORK, LAYERS };

static int
fill(scmp_filter_ctx filter, enum layer layer)
{
	int rc = 0;

	if (layer == ALL) {
		rc = deny(filter, never, sizeof(never) / sizeof(*never));
		return rc == 0 ? deny_namespaces(filter) : rc;
	}
	if (layer != PARENT_WITHOUT_NETWORK)
		rc = deny_processes(filter);
	if (rc == 0 && layer != PARENT_WITHOUT_NETWORK)
		rc = deny_signals(filter);
	if (rc == 0 && layer != CHILD_WITH_NETWORK)
		rc = deny_network(filter);
	return rc;
}

/* -- programs -- */

/*
 * libseccomp takes half a millisecond to translate a filter, more than the
 * fork of the worker that is to be shut in.  So the translations are kept,
 * and workers find them in what they inherit from their parent.
 */
static struct program {
	struct sock_filter *steps;
	size_t n;
} programs[LAYERS];

static bool has_all; /* this process, or whom it was forked from */

enum { PROGRAM_MAX = 32768 }; /* octets of 4,096 steps, the most */

static int
read_program(int fd, struct program *program)
{
	char *octets;
	size_t n;

	if (fs_read_all(fd, PROGRAM_MAX, &octets, &n) == -1)
		return -1;
	program->steps = (struct sock_filter *)(void *)octets;
	program->n = n / sizeof(*program->steps);
	return 0;
}

static int
translate(enum layer layer, struct program *program)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int fd = memfd_create("seccomp", MFD_CLOEXEC), rc = -1, error = 0;

	if (filter != NULL && fd >= 0) {
		/* A tree instead of a list: eight steps to a verdict, not 80.
		 */
		(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
		error = fill(filter, layer);
		if (error == 0)
			error = seccomp_export_bpf(filter, fd);
		errno = -error;
		rc = error == 0 ? read_program(fd, program) : -1;
	}
	error = errno;
	if (filter != NULL)
		seccomp_release(filter);
	if (fd >= 0)
		close(fd);
	errno = error;
	return rc;
}

static struct program *
find_program(enum layer layer)
{
	struct program *program = &programs[layer];

	if (program->steps == NULL && translate(layer, program) == -1)
		return NULL;
	return program;
}

bool
seccomp_supported(void)
{
	return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
}

static int
load(enum layer layer)
{
	const struct program *program = find_program(layer);
	struct sock_filter *steps;
	struct sock_fprog loaded;
	int rc;

	if (program == NULL)
		return -1;
	steps = calloc(program->n, sizeof(*steps));
	if (steps == NULL)
		return -1;
	loaded.len = (unsigned short)program->n;
	loaded.filter = steps;
	for (size_t i = 0; i < program->n; i++) {
		steps[i] = program->steps[i];
		if (BPF_CLASS(steps[i].code) == BPF_JMP &&
		    steps[i].k == PID_HERE)
			steps[i].k = (uint32_t)getpid();
	}
	rc = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &loaded, 0, 0);
	free(steps);
	return rc;
}

static int
load_all(void)
{
	if (!has_all && load(ALL) == -1)
		return -1;
	has_all = true;
	return 0;
}

int
seccomp_prepare(void)
{
	if (!seccomp_supported())
		return 0;
	for (enum layer layer = ALL; layer < LAYERS; layer++)
		if (find_program(layer) == NULL)
			return -1;
	return load_all();
}

int
seccomp_enter(const struct sandbox *sandbox)
{
	if (!seccomp_supported())
		return 0;
	if (sandbox->forks && seccomp_prepare() == -1)
		return -1;
	if (load_all() == -1)
		return -1;
	if (sandbox->forks)
		return sandbox->tcp_connect ? 0 : load(PARENT_WITHOUT_NETWORK);
	return load(sandbox->tcp_connect ? CHILD_WITH_NETWORK : CHILD);
}

#else /* HAVE_SECCOMP */

bool
seccomp_supported(void)
{
	return false;
}

int
seccomp_prepare(void)
{
	return 0;
}

int
seccomp_enter(const struct sandbox *sandbox)
{
	(void)sandbox;
	return 0;
}

#endif
