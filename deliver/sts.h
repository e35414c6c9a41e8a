/* SPDX-License-Identifier: ISC */
#ifndef DELIVER_STS_H
#define DELIVER_STS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/sts.h"
#include "deliver/deliver.h"
#include "deliver/policy.h"

/* MTA-STS (RFC 8461), as far as it is the sender's. */
/* A domain's policy, as ledger told it. */
struct sts {
	bool known; /* it was looked up for this job */
	enum policy_sts mode;
	struct packet answer; /* for sts_lists() */
};

/* Is the host among those that ledger's answer has?  Pure. */
bool sts_lists(const struct packet *answer, const char *host);

/* The mode of ledger's answer.  Pure. */
enum policy_sts sts_mode(const struct packet *answer);

/* The policy of a domain (ASCII), by the DNS and ledger. */
void sts_look_up(struct deliver *, const char *domain, struct sts *);

#endif
