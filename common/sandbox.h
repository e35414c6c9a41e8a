/* SPDX-License-Identifier: ISC */
#ifndef COMMON_SANDBOX_H
#define COMMON_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * What a process shuts itself in with after it has what it needs: it becomes
 * undumpable, takes no_new_privs, limits, a Landlock domain of its own and a
 * seccomp filter.  What the kernel lacks is done without (sandbox_probe()
 * tells what that is, for `postrider check`).  Built with sanitizers it is
 * laxer where LeakSanitizer must fork, trace and read /proc at exit.
 */
enum sandbox_right {
	SANDBOX_READ = 1,    /* open files for reading */
	SANDBOX_LIST = 2,    /* open and read folders */
	SANDBOX_WRITE = 4,   /* open files for writing, truncate */
	SANDBOX_CREATE = 8,  /* make regular files, link and rename here */
	SANDBOX_REMOVE = 16, /* unlink, rename away */
	/*
	 * Links and renames between folders that both have it.  The kernel
	 * refuses (EXDEV) what would give the file more of READ and WRITE in
	 * its new place than in its old one.
	 */
	SANDBOX_MOVE = 32,
	SANDBOX_FOLDERS = 64 /* make folders; with REMOVE also remove them */
};

struct sandbox_folder {
	int fd;           /* open folder or file, or -1 and */
	const char *path; /* opened by name; one that is missing is skipped */
	unsigned rights;
};

struct sandbox {
	const struct sandbox_folder *folders;
	size_t nfolders;
	bool tcp_connect; /* may connect by TCP and look up names; without
			   * it there are no new sockets but Unix ones */
	bool forks;       /* a parent: fork and kill(2) stay; it reaches
			   * only processes that it forked afterwards */
	unsigned files;   /* RLIMIT_NOFILE, 0: as it is */
	size_t memory;    /* bound on the address space in octets, 0: none */
};

/*
 * In a parent that stays outside itself: give up now what it and its
 * children never do (execve, ptrace, ...), and make ready what each of them
 * will take besides, which spares each of them half a millisecond.  Behind
 * privileges_drop().
 */
void sandbox_prepare(void);

/* Ends the process when the kernel has a part and refuses it. */
void sandbox_enter(const struct sandbox *);

/*
 * Ends a forked worker.  Without the exit handlers of libraries, which walk
 * through all their memory to give it back; under sanitizers with them, for
 * LeakSanitizer's is one.
 */
_Noreturn void sandbox_exit(int code);

struct sandbox_support {
	int landlock; /* ABI, 0: none */
	bool seccomp;
};
struct sandbox_support sandbox_probe(void);

#endif
