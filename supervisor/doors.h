/* SPDX-License-Identifier: ISC */
#ifndef SUPERVISOR_DOORS_H
#define SUPERVISOR_DOORS_H

#include "common/config.h"

/*
 * Doors (common/door.h): a program in its chroot cannot reach the socket of a
 * content filter, which lies outside.  For each that the config names there
 * is one in smtpd's folder.  Who connects to it gets a connection to the
 * filter, made with our rights; nothing is read here, neither from him nor
 * from the filter, and nothing waited for.  A filter that is not there costs
 * its caller the connection, and the log one line until it is back.
 */

/*
 * Open those of the config that are not open.  -1 with a message in error
 * (CONFIG_ERROR_MAX): nothing has changed.
 */
int doors_open(const struct config *, char *error);

/* Close those that the config does not name. */
void doors_settle(const struct config *);

#endif
