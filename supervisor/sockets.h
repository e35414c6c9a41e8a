/* SPDX-License-Identifier: ISC */
#ifndef SUPERVISOR_SOCKETS_H
#define SUPERVISOR_SOCKETS_H

#include "common/config.h"
#include "supervisor/services.h"

/*
 * The folders of run-dir with their owners and modes; made where missing,
 * set right where they are not.  -1 with a message in error
 * (CONFIG_ERROR_MAX).
 */
int sockets_make_folders(const char *run_dir, char *error);

/*
 * One service's internal sockets, as common/protocol.h lists them, in the
 * order of its roles.  Returns how many, or -1 with a message in error.
 */
int sockets_open(const char *run_dir, const struct service *,
    int fds[SERVICE_ROLES_MAX], char *error);

/* run-dir/control, for `postrider stop` and its like; -1 with error. */
int sockets_open_control(const char *run_dir, char *error);

/* A listening socket of that name in a role's folder; -1 and errno. */
int sockets_open_in(
    const char *run_dir, const char *folder, const char *name);

#endif
