/* SPDX-License-Identifier: ISC */
#ifndef SUPERVISOR_SNAPSHOT_H
#define SUPERVISOR_SNAPSHOT_H

#include "common/config.h"

/*
 * Read the config once and keep its text in a sealed descriptor, from which
 * every service reads the same, however the file changes meanwhile.  A
 * guessed host name is written into it, so that all guess alike.  -1 with a
 * message in error (CONFIG_ERROR_MAX).
 */
int snapshot_take(const char *path, struct config *, char *error);

#endif
