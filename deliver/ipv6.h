/* SPDX-License-Identifier: ISC */
#ifndef DELIVER_IPV6_H
#define DELIVER_IPV6_H

#include <stdbool.h>
#include <sys/socket.h>

#include "deliver/deliver.h"

/*
 * May we speak IPv6 to this address?  Large receivers refuse IPv6 clients
 * without a PTR record, so not from a source that has none; it is looked up
 * once per source and logged.  Always to loopback.
 */
bool ipv6_may_use(struct deliver *, const struct sockaddr_storage *destination);

#endif
