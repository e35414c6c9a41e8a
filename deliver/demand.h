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

/*
 * What makes two demands ask the same of one host, so that a session of the
 * one will do for the other.  Those by DANE-TA, where the domain's own name
 * may be what verifies, are the same for one domain only.
 */
struct demand_mark {
	enum policy_level level;
	const char *source;
	bool implicit;
	uint64_t records; /* a digest of what DANE asks */
};
void demand_mark(const struct demand *, struct demand_mark *);
bool demand_mark_equal(const struct demand_mark *, const struct demand_mark *);

/* From now on without TLS: it failed here.  Only where the policy lets it. */
void demand_nothing(struct demand *);

#endif
