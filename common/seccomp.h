/* SPDX-License-Identifier: ISC */
#ifndef COMMON_SECCOMP_H
#define COMMON_SECCOMP_H

#include "common/sandbox.h"

/* The part of common/sandbox.c that speaks to libseccomp. */

/* Built with libseccomp, and the kernel has filters. */
bool seccomp_supported(void);

/*
 * Take now what this process and all its children never do, and translate
 * the rest, so that children need not.  Wants no_new_privs.  A process that
 * enters with `forks` does so by itself.  -1 and errno on failure.
 */
int seccomp_prepare(void);

/* -1 and errno on failure. */
int seccomp_enter(const struct sandbox *);

#endif
