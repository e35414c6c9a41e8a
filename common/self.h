/* SPDX-License-Identifier: ISC */
#ifndef COMMON_SELF_H
#define COMMON_SELF_H

#include <stdbool.h>
#include <sys/socket.h>

#include "common/config.h"

/*
 * What is an address to us: a stranger's, our own, or nobody's (RFC 5321
 * sections 5.1 and 6.3).
 */

/*
 * Never anybody's server: 0.0.0.0/8, ::, multicast, reserved, broadcast, and
 * link-local IPv6, which means nothing without an interface.  Pure.
 */
bool self_is_nobody(const struct sockaddr_storage *);

bool self_is_loopback(const struct sockaddr_storage *);

/*
 * An address of this machine: the kernel would take it as its own source on
 * the way there.
 */
bool self_is_local(const struct sockaddr_storage *);

/*
 * Would a connection to this address and port come to one of these "smtp"
 * listeners?  local: the address is this machine's.  Pure.
 */
bool self_is_listener(const struct config_listeners *,
    const struct sockaddr_storage *, bool local);

/* The two together; also loopback's port 25, whoever listens there. */
bool self_is_us(const struct config *, const struct sockaddr_storage *);

/* The configured source address of this family; false when there is none. */
bool self_source(
    const struct config *, int family, struct sockaddr_storage *);

/*
 * The source that the kernel would choose on the way to this address; no
 * packet is sent.
 */
bool self_kernel_source(
    const struct sockaddr_storage *to, struct sockaddr_storage *from);

#endif
