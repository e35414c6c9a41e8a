/* SPDX-License-Identifier: ISC */
#ifndef COMMON_ADMIN_H
#define COMMON_ADMIN_H

#include "common/config.h"

/*
 * Connect to an owner as the administrator's tools do: to run-dir's
 * admin/OWNER, however long the name of that folder is.  -1 and errno: it
 * does not run, or we may not.
 */
int admin_connect(const struct config *, const char *owner);

#endif
