/* SPDX-License-Identifier: ISC */
#ifndef DELIVER_LEDGER_H
#define DELIVER_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/ipc.h"
#include "deliver/policy.h"

/*
 * ledger's side of outbound TLS (common/protocol.h): MTA-STS policies and
 * what hosts could do last time.  It may be forgotten or out of reach; then
 * the functions say that nothing is known.
 */
struct ledger {
	int fd;    /* negative: not connected */
	bool told; /* that it is not there, once */
	struct packet packet;
};

/*
 * Ask for a domain's policy; id of its TXT record, NULL: there is none.  The
 * answer is in the packet until the next question.  False: ledger is not there.
 */
bool ledger_sts(struct ledger *, const char *domain, const char *id);

struct ledger_memory {
	bool tls;    /* it did TLS last time */
	bool broken; /* a handshake failed last time */
	int64_t age; /* of that failure, seconds */
};

void ledger_destination(
    struct ledger *, const char *host, struct ledger_memory *);

struct ledger_outcome {
	const char *host;
	const char *tls;      /* yes|no|broken, NULL: not tried */
	const char *protocol; /* TLSv1.3, or NULL */
	const char *domain;   /* NULL: relay-host's mail has many */
	const char *policy;   /* none|dane|sts */
	bool failed;          /* the policy was not met */
	const char *reason;
};

void ledger_remember(struct ledger *, const struct ledger_outcome *);

void ledger_close(struct ledger *);

#endif
