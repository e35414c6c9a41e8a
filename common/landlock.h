/* SPDX-License-Identifier: ISC */
#ifndef COMMON_LANDLOCK_H
#define COMMON_LANDLOCK_H

#include "common/sandbox.h"

/* The part of common/sandbox.c that speaks to the kernel's Landlock. */

/* The ABI of the running kernel; 0: none. */
int landlock_abi(void);

/*
 * A domain in which everything that the kernel's ABI knows is denied but
 * what is granted.  -1 and errno on failure; *what names the step.
 */
int landlock_enter(const struct sandbox *, const char **what);

#endif
