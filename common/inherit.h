/* SPDX-License-Identifier: ISC */
#ifndef COMMON_INHERIT_H
#define COMMON_INHERIT_H

#include <stddef.h>

/*
 * Descriptors that a parent hands to the program it starts, by name, in the
 * convention of sd_listen_fds(3): they lie from 3 upwards, LISTEN_FDS counts
 * them, LISTEN_FDNAMES names them (several may share a name), LISTEN_PID is
 * the program's own pid.  The supervisor understands it from systemd and
 * speaks it to the services.
 */

enum { INHERIT_MAX = 64 };

/*
 * Read and remove the variables, set close-on-exec on the descriptors.
 * Called once, first thing in main().  Returns how many there are.
 */
size_t inherit_take(void);

/* The first descriptor of that name, -1 if there is none. */
int inherit_find(const char *name);

/* All of that name, at most max of them; returns how many. */
size_t inherit_find_all(const char *name, int *fds, size_t max);

/* Name of the i-th descriptor (0-based), which is 3 + i; NULL at the end. */
const char *inherit_name(size_t i);

/* What a parent is about to hand over. */
struct inheritance {
	size_t n;
	int fds[INHERIT_MAX];
	const char *names[INHERIT_MAX]; /* borrowed */
};

void inherit_add(struct inheritance *, const char *name, int fd);

/*
 * In the child, before exec: move the descriptors to 3.., close every other
 * one above 2, and set the three variables.  -1 and errno on failure.
 */
int inherit_install(const struct inheritance *);

#endif
