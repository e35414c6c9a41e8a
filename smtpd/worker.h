/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_WORKER_H
#define SMTPD_WORKER_H

#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/prefork.h"
#include "common/tls_service.h"
#include "smtpd/arrival.h"
#include "smtpd/owners.h"

struct dns;

/* What all sessions of this service share. */
struct service {
	struct config config;
	struct dns *dns;
	struct owners owners; /* each worker's own */
	struct tls_service tls;
	int *listeners;
	enum listener_kind *kinds; /* of each listener */
	size_t nlisteners;
	uint64_t silent; /* those that begin with TLS; 1 << their index */
	uint64_t handed; /* that of smtp-gate, likewise */
	struct arrival arrival; /* of the client that came over it last */
};

/* Take the listening sockets that were inherited; 0, or -1 and errno. */
int service_find_listeners(struct service *);

/*
 * Takes the client that smtp-gate hands over with this connection, as
 * struct prefork has it; context is the service.
 */
int worker_receive(
    int connection, struct sockaddr_storage *client, void *context);

/* A worker's life; context is the service. */
int worker_serve(struct worker *, void *context);

/* inetd: serve the connection on this descriptor.  Its exit code. */
int worker_serve_one(
    struct service *, enum listener_kind, int fd);

#endif
