/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_GATE_PROXY_H
#define SMTPD_GATE_PROXY_H

#include <stddef.h>
#include <sys/socket.h>

/*
 * Connections of proxies, until their header has come (common/proxy.h): then
 * the client that it names is a guest.  One whose header does not come in
 * time, or is none, is closed.
 */

/* One has come from there; the descriptor is its own, a non-blocking one. */
void proxied_come(int fd, const struct sockaddr_storage *proxy);

/* How many have none yet. */
size_t proxied_waiting(void);

/* Close those. */
void proxied_stop(void);

#endif
