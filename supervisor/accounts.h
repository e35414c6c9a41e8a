/* SPDX-License-Identifier: ISC */
#ifndef SUPERVISOR_ACCOUNTS_H
#define SUPERVISOR_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>

/* The suite's accounts, from the services table, each once. */
size_t accounts_list(const char **names, size_t max);

/* The first one that is missing; NULL when all are there or none is needed
 * (an ordinary user has no use for them). */
const char *accounts_missing(void);

/*
 * groupadd and useradd for every account that is not there; dry: only say
 * it.  An exit code.
 */
int accounts_make(bool dry);

#endif
