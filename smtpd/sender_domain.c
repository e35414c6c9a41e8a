/* SPDX-License-Identifier: ISC */
#include "smtpd/sender_domain.h"

#include <stdint.h>
#include <string.h>

#include "common/clock.h"
#include "common/hash.h"
#include "common/idn.h"
#include "common/self.h"
#include "smtpd/asking.h"

enum {
	KEPT = 64,
	KEEP_MS = 60000,
	KEEP_TROUBLE_MS = 5000,
	HOSTS_MAX = 5, /* whose addresses are looked at */
	ADDRESSES_MAX = 8
};

/* A worker's memory: who sends, sends again. */
static struct kept {
	char domain[DNS_NAME_MAX + 1];
	enum verdict verdict;
	int64_t until;
} kept[KEPT];

/* -- asking -- */

static bool
lead_nowhere(const struct sockaddr_storage *addresses, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!self_is_nobody(&addresses[i]) &&
		    !self_is_loopback(&addresses[i]))
			return false;
	return true;
}

static enum dns_status
look_up_host(const struct resolver *r, const char *host, bool *nowhere)
{
	struct sockaddr_storage addresses[ADDRESSES_MAX];
	size_t n;
	enum dns_status status = r->addresses(
	    r->context, host, AF_UNSPEC, addresses, ADDRESSES_MAX, &n);

	*nowhere = status == DNS_FOUND && lead_nowhere(addresses, n);
	return status;
}

/* A host that cannot be found is a mistake; one that is nowhere is meant. */
static enum verdict
judge_hosts(const struct resolver *r, const struct dns_mx *hosts, size_t n)
{
	if (n > 0 && hosts[0].host[0] == '\0')
		return VERDICT_SENDER_NULL_MX;
	for (size_t i = 0; i < n; i++) {
		bool nowhere = false;

		if (i < HOSTS_MAX)
			(void)look_up_host(r, hosts[i].host, &nowhere);
		if (!nowhere)
			return VERDICT_OK;
	}
	return VERDICT_SENDER_NO_HOST;
}

static enum verdict
look_up(const struct resolver *r, const char *domain)
{
	struct dns_mx hosts[HOSTS_MAX + 1];
	size_t n;
	bool nowhere;
	enum dns_status status =
	    r->mx(r->context, domain, hosts, HOSTS_MAX + 1, &n);

	if (status == DNS_FOUND)
		return judge_hosts(r, hosts, n);
	if (status == DNS_NO_NAME)
		return VERDICT_SENDER_NO_HOST;
	/* Some servers know nothing of MX and say so badly: an address tells.
	 */
	status = look_up_host(r, domain, &nowhere);
	if (dns_is_trouble(status))
		return VERDICT_SENDER_LATER;
	return status == DNS_FOUND && !nowhere ? VERDICT_OK
					       : VERDICT_SENDER_NO_HOST;
}

/* -- remembering -- */

static void
keep(struct kept *place, const char *domain, enum verdict verdict)
{
	memcpy(place->domain, domain, strlen(domain) + 1);
	place->verdict = verdict;
	place->until = clock_monotonic_ms() +
	    (verdict == VERDICT_SENDER_LATER ? KEEP_TROUBLE_MS : KEEP_MS);
}

enum verdict
sender_domain_look_up(struct dns *dns, const char *hostname, const char *domain)
{
	char name[DNS_NAME_MAX + 1];
	struct asking asking;
	struct resolver resolver = asking_begin(&asking, dns, hostname);
	struct kept *place;

	if (!idn_to_ascii(domain, name))
		return VERDICT_SENDER_NO_HOST;
	place = &kept[hash_text(name) % KEPT];
	if (strcmp(place->domain, name) == 0 &&
	    clock_monotonic_ms() < place->until)
		return place->verdict;
	asking_limit(&asking, SENDER_DOMAIN_MS);
	keep(place, name, look_up(&resolver, name));
	asking_end(&asking);
	return place->verdict;
}
