/* SPDX-License-Identifier: ISC */
#ifndef SUPERVISOR_NOTIFY_H
#define SUPERVISOR_NOTIFY_H

/*
 * The protocol of sd_notify(3), without its library: assignments, one a
 * line, to the socket that NOTIFY_SOCKET names.  Does nothing where there is
 * none.
 */
void notify_open(void); /* takes the variable away */
void notify_say(const char *assignments);
void notify_reloading(void);

#endif
