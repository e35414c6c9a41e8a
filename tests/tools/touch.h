/* SPDX-License-Identifier: ISC */
#ifndef TESTS_TOUCH_H
#define TESTS_TOUCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* System calls that name files, and which files they name. */
struct call {
	long number;
	const char *name;
	enum call_shape {
		CALL_FD,      /* 0 */
		CALL_PATH,    /* 0 */
		CALL_AT,      /* 1 in folder 0 */
		CALL_PATHS,   /* 0, 1 */
		CALL_ATS,     /* 1 in folder 0, 3 in folder 2 */
		CALL_MADE,    /* 0 is text, 1 is a path */
		CALL_MADE_AT, /* 0 is text, 2 in folder 1 */
		CALL_FDS,     /* 0, 1 */
		CALL_FDS_AT,  /* 0, 2: offsets between them */
		CALL_LEASE,   /* 0, when 1 is F_SETLEASE */
		CALL_SEND     /* 0, a socket */
	} shape;
	int octets; /* which argument says how many it moves; -1: none */
};

const struct call *call_find(long number); /* NULL: not one of them */
long call_number(const char *name);        /* -1 */

/* From now on this process and its children stop at these calls. */
bool call_stop_at_them(void);

/*
 * Does a call of a stopped process name something below one of the folders
 * (each with a comma behind it)?  text: the names, for people.
 */
bool call_touches(pid_t, const struct call *, const unsigned long arguments[6],
    const char *folders, char *text, size_t size);

/* Is it a call that writes to a socket? */
bool call_talks(pid_t, const struct call *, const unsigned long arguments[6]);

#endif
