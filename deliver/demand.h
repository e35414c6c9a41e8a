/* SPDX-License-Identifier: ISC */
#ifndef DELIVER_DEMAND_H
#define DELIVER_DEMAND_H

#include "common/tls.h"
#include "deliver/dane.h"
#include "deliver/policy.h"
#include "deliver/route.h"
#include "deliver/sts.h"

/*
 * The facts about one target gathered, the policy that follows from them, and
 * what that asks of a handshake.
 */
enum { DEMAND_NAMES_MAX = 3 };

struct demand {
	struct policy policy;
	const char *domain; /* whose policy it is; NULL: relay-host's, or an
			     * address literal */
	struct ledger_memory memory;
	struct dane dane;
	char host[DNS_NAME_MAX + 1], relay[DNS_NAME_MAX + 1];
	const char *names[DEMAND_NAMES_MAX];
	struct tls_record records[DNS_RECORDS_MAX];
	struct tls_demand tls;
};

/*
 * sts: the domain's policy; it is looked up at the first target that needs it
 * and kept for those after it: the caller clears sts->known for each job.
 * The demand borrows from the route.
 */
void demand_find(
    struct demand *, const struct route *, const struct target *, struct sts *);
void demand_free(struct demand *);

/* From now on without TLS: it failed here.  Only where the policy lets it. */
void demand_nothing(struct demand *);

#endif
