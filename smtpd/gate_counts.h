/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_GATE_COUNTS_H
#define SMTPD_GATE_COUNTS_H

#include <stdint.h>
#include <sys/socket.h>

/*
 * How many connections each client and each network has, from its coming to
 * the end of its session.  A client is an IPv4 address or the /64 of an IPv6
 * address, a network the /24 or /48 around it.
 */
enum counts_answer { COUNTS_FINE, COUNTS_CLIENT, COUNTS_NETWORK };

/*
 * One more of this address, unless its client or network has that many;
 * COUNTS_FINE: counts_leave() is owed.  Nobody counts what has no IP address.
 */
enum counts_answer counts_enter(const struct sockaddr_storage *,
    uint64_t client_most, uint64_t network_most);
void counts_leave(const struct sockaddr_storage *);

/* A number for the client that an address belongs to; 0: it is not counted. */
uint64_t counts_client(const struct sockaddr_storage *);

#endif
