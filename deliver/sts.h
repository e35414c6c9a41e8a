/* SPDX-License-Identifier: ISC */
#ifndef DELIVER_STS_H
#define DELIVER_STS_H

#include <stdbool.h>
#include <stddef.h>

#include "deliver/deliver.h"
#include "deliver/policy.h"

/* MTA-STS (RFC 8461), as far as it is the sender's. */
enum { STS_ID_MAX = 32 };

/* A domain's policy, as ledger told it. */
struct sts {
	bool known; /* it was looked up for this job */
	enum policy_sts mode;
	struct packet answer; /* for sts_lists() */
};

/*
 * The id of the domain's record, "_mta-sts.DOMAIN TXT" (section 3.1).  False:
 * it has none, or more than one, or one that cannot be read.  Pure.
 */
bool sts_record(char *const *texts, size_t n, char id[STS_ID_MAX + 1]);

/*
 * Does a policy's pattern name this host?  "*." stands for one label
 * (section 4.1).  Pure.
 */
bool sts_matches(const char *pattern, const char *host);

/* Is the host among those that ledger's answer has?  Pure. */
bool sts_lists(const struct packet *answer, const char *host);

/* The mode of ledger's answer.  Pure. */
enum policy_sts sts_mode(const struct packet *answer);

/* The policy of a domain (ASCII), by the DNS and ledger. */
void sts_look_up(struct deliver *, const char *domain, struct sts *);

#endif
