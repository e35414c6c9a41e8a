/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_ARRIVAL_H
#define SMTPD_ARRIVAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/ipc.h"

/*
 * What smtp-gate knows of a client when it hands it over to a worker of smtpd
 * (common/protocol.h), beside the client's descriptor.
 */
enum { ARRIVAL_LISTS_MAX = 1024 };

struct arrival {
	struct sockaddr_storage client; /* no port; AF_UNSPEC: not known */
	bool proxied; /* a proxy says that it is this one: the kernel does not */
	bool greeted; /* it has heard 220, and did not talk before that */
	bool known;   /* ledger knows it for good mail */
	int score;    /* of the DNS lists; negative speaks for it */
	char lists[ARRIVAL_LISTS_MAX + 1]; /* those that know it; "" */
	uint64_t waited;		   /* milliseconds since it came */
};

/* The packet, without the descriptor. */
void arrival_write(const struct arrival *, struct packet *);

/* False: malformed, or without exactly one descriptor. */
bool arrival_read(const struct packet *, struct arrival *);

#endif
