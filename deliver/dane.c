/* SPDX-License-Identifier: ISC */
#include "deliver/dane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/dns_read.h"
#include "common/netaddr.h"

enum { LOOKUP_LIMIT_MS = 20000 };

static enum policy_dane
judge(const struct dane *found)
{
	for (size_t i = 0; i < found->n; i++)
		if (policy_usable(&found->records[i]))
			return DANE_USABLE;
	return DANE_UNUSABLE;
}

/* The records at this base domain, for this port. */
static enum policy_dane
look_up_at(struct dns *dns, const char *base, unsigned port, struct dane *found)
{
	char name[DNS_NAME_MAX + 1];
	enum dns_status status;

	if (snprintf(name, sizeof(name), "_%u._tcp.%s", port, base) >=
	    (int)sizeof(name))
		return DANE_NONE;
	status = dns_tlsa(dns, name, &found->records, &found->n);
	if (status == DNS_TEMPORARY || status == DNS_BROKEN)
		return DANE_UNANSWERED;
	if (status != DNS_FOUND)
		return DANE_NONE;
	if (!dns_secure(dns)) {
		dane_free(found);
		return DANE_RECORD_INSECURE;
	}
	snprintf(found->base, sizeof(found->base), "%s", base);
	return judge(found);
}

/*
 * An alias that leaves the signed part of the DNS is secure as far as the
 * host's own name goes, and so may its TLSA records be (section 2.2.2).
 */
static enum policy_dane
look_up_alias(struct dns *dns, const struct target *t, struct dane *found)
{
	char ignored[DNS_NAME_MAX + 1];
	enum dns_status status;

	if (dns_name_equal(t->canonical, t->host))
		return DANE_HOST_INSECURE;
	status = dns_alias(dns, t->host, ignored);
	if (status == DNS_TEMPORARY)
		return DANE_UNANSWERED;
	if (status != DNS_FOUND || !dns_secure(dns))
		return DANE_HOST_INSECURE;
	return look_up_at(dns, t->host, netaddr_port(&t->address), found);
}

static enum policy_dane
look_up(struct dns *dns, const struct target *t, struct dane *found)
{
	unsigned port = netaddr_port(&t->address);
	enum policy_dane first;

	if (t->canonical[0] == '\0')
		return DANE_NOT_ASKED;
	if (!dns_trusted(dns))
		return DANE_NO_RESOLVER;
	if (!t->way_secure)
		return DANE_MX_INSECURE;
	if (!t->secure)
		return look_up_alias(dns, t, found);
	first = look_up_at(dns, t->canonical, port, found);
	if ((first != DANE_NONE && first != DANE_RECORD_INSECURE) ||
	    dns_name_equal(t->canonical, t->host))
		return first;
	return look_up_at(dns, t->host, port, found);
}

void
dane_look_up(struct dns *dns, const struct target *t, struct dane *found)
{
	*found = (struct dane){.records = NULL};
	dns_deadline(dns, clock_monotonic_ms() + LOOKUP_LIMIT_MS);
	found->found = look_up(dns, t, found);
}

void
dane_free(struct dane *found)
{
	free(found->records);
	found->records = NULL;
	found->n = 0;
}
