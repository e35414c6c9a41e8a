/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_STS_H
#define LEDGER_STS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "ledger/table.h"

/*
 * Policies of MTA-STS (RFC 8461) by domain, as they were fetched, and when
 * that failed.  Pure, but for the table.
 */
enum {
	STS_DOMAIN_MAX = 255,
	STS_ID_MAX = 32,          /* section 3.1 */
	STS_MX_OCTETS_MAX = 4096, /* of all patterns */
	STS_REASON_MAX = 200,
	STS_AGE_MAX = 31557600, /* section 3.2 */
	STS_AGAIN_S = 300       /* section 3.3: no failed fetch again before */
};

enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE, STS_MODES };

const char *sts_mode_name(enum sts_mode);
enum sts_mode sts_mode_named(const char *); /* STS_MODES: no mode */

/* What was fetched. */
struct sts_policy {
	enum sts_mode mode;
	uint32_t max_age; /* seconds */
	const char *mx;   /* patterns, a space between them; "" for none */
};

/* What is to be done about mail to a domain. */
struct sts_view {
	enum sts_mode mode;
	bool has_policy; /* one that was fetched and has not run out */
	const char *id;  /* borrowed, as all of these; "" for none */
	const char *mx;
	uint32_t age, max_age;
	char reason[STS_REASON_MAX + 64]; /* why there is none, or what its
					   * refresh met; "" for neither */
};

/*
 * Does mail to this domain need a fetch first?  id: of its TXT record, NULL
 * when there is none or nobody can tell (section 3.1).
 */
bool sts_needs_fetch(const char *domain, const char *id, time_t now);

/* What is known; the domain's policy counts as used if `use` is true. */
void sts_view(const char *domain, const char *id, bool use, struct sts_view *,
    time_t now);

/* A fetch went well, or not.  id: for which it was made; "": a refresh. */
void sts_fetched(
    const char *domain, const char *id, const struct sts_policy *, time_t now);
void sts_failed(
    const char *domain, const char *id, const char *reason, time_t now);

/*
 * A domain whose policy is in use and should be fetched anew ahead of time
 * (section 10.2), among the next n rows from *at on; NULL: none of them.
 */
const char *sts_refresh(size_t *at, size_t n, time_t now);

extern struct table sts_table;

#endif
