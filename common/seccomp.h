/* SPDX-License-Identifier: ISC */
#ifndef COMMON_SECCOMP_H
#define COMMON_SECCOMP_H

#include "common/sandbox.h"

/* The part of common/sandbox.c that speaks to libseccomp. */

/* Built with libseccomp, and the kernel has filters. */
bool seccomp_supported(void);

/* -1 and errno on failure. */
int seccomp_enter(const struct sandbox *);

#endif
