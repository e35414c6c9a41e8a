/* SPDX-License-Identifier: ISC */
#ifndef DELIVER_DELIVER_H
#define DELIVER_DELIVER_H

#include "common/config.h"
#include "common/dns.h"
#include "common/tls.h"
#include "deliver/ledger.h"

struct keys_client;

/* What a worker has for its whole life. */
struct deliver {
	struct config config;
	struct dns *dns;
	struct ledger ledger;
	struct tls_client *tls;
	struct keys_client *keys;
	int stop_fd; /* readable: to come to an end */
};

struct worker;

/* A worker's life (common/prefork.h); context is the struct deliver. */
int worker_serve(struct worker *, void *context);

#endif
