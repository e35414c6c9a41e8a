/* SPDX-License-Identifier: ISC */
#include "deliver/route.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "common/clock.h"
#include "common/dns_read.h"
#include "common/idn.h"
#include "common/netaddr.h"
#include "common/self.h"
#include "deliver/ipv6.h"

enum {
	LOOKUP_LIMIT_MS = 60000, /* for a domain, or one preference's hosts */
	HOST_ADDRESSES_MAX = 16
};

static const int families[] = {[FAMILY_ANY] = AF_UNSPEC,
    [FAMILY_IPV4] = AF_INET,
    [FAMILY_IPV6] = AF_INET6};

static uint32_t
random_below(uint32_t n)
{
	uint32_t value;

	if (getrandom(&value, sizeof(value), 0) != sizeof(value))
		return 0;
	return value % n;
}

static void
note(
    struct route *r, enum verdict verdict, const char *host, const char *reason)
{
	struct outcome failure;
	char text[DNS_NAME_MAX + 128];

	snprintf(text, sizeof(text), "%.255s: %s", host, reason);
	outcome_verdict(&failure, verdict, NULL, text);
	failure.scope = SCOPE_HOST;
	if (failure.status == DEFERRED || r->failure->status != DEFERRED)
		*r->failure = failure;
}

/* -- which hosts -- */

static bool
parse_literal(const char *text, struct sockaddr_storage *address)
{
	char inner[NETADDR_TEXT_MAX];
	size_t n = strlen(text);

	if (n < 3 || text[0] != '[' || text[n - 1] != ']')
		return false;
	text++;
	n -= 2;
	if (n > 5 && strncasecmp(text, "IPv6:", 5) == 0) {
		text += 5;
		n -= 5;
	}
	if (n >= sizeof(inner))
		return false;
	memcpy(inner, text, n);
	inner[n] = '\0';
	return netaddr_parse(inner, 0, address) && netaddr_port(address) == 0;
}

static bool
one_host(struct route *r, const char *host)
{
	r->n = 1;
	r->hosts[0].preference = 0;
	snprintf(r->hosts[0].host, sizeof(r->hosts[0].host), "%s", host);
	return true;
}

static bool
failed_look_up(struct route *r, const char *domain, enum dns_status status)
{
	bool gone = status == DNS_NO_NAME || status == DNS_NO_DATA;

	note(r, gone ? VERDICT_NO_HOST : VERDICT_LOOKUP_FAILED, domain,
	    dns_status_text(status));
	return false;
}

static bool
find_by_mx(struct route *r, const char *domain)
{
	enum dns_status status;

	dns_deadline(r->deliver->dns, clock_monotonic_ms() + LOOKUP_LIMIT_MS);
	status =
	    dns_mx(r->deliver->dns, domain, r->hosts, DNS_RECORDS_MAX, &r->n);
	dns_name_normalise(domain, r->domain);
	snprintf(r->canonical, sizeof(r->canonical), "%s",
	    dns_canonical(r->deliver->dns));
	r->secure = dns_secure(r->deliver->dns);
	if (status == DNS_NO_DATA)
		return one_host(r, domain); /* the implicit MX */
	if (status != DNS_FOUND)
		return failed_look_up(r, domain, status);
	if (r->hosts[0].host[0] == '\0') {
		note(r, VERDICT_NULL_MX, domain, "accepts no mail (null MX)");
		return false;
	}
	route_shuffle(r->hosts, r->n, random_below);
	return true;
}

static bool
find_domain(struct route *r, const char *domain)
{
	char ascii[DNS_NAME_MAX + 1];

	if (idn_to_ascii(domain, ascii))
		return find_by_mx(r, ascii);
	note(r, VERDICT_NO_HOST, domain, "no name that the DNS could have");
	return false;
}

static bool
find_relay(struct route *r)
{
	const char *relay = r->deliver->config.relay_host;
	char host[DNS_NAME_MAX + 1];

	r->relay = true;
	if (parse_literal(relay, &r->literal))
		return true;
	if (relay[0] != '[')
		return find_by_mx(r, relay);
	snprintf(host, sizeof(host), "%.*s", (int)strcspn(relay + 1, "]"),
	    relay + 1);
	return one_host(r, host);
}

static bool
is_loop(struct route *r, const char *host)
{
	note(r, VERDICT_LOOP, host,
	    "mail for this domain leads back to this machine");
	return false;
}

bool
route_find(struct route *r, struct deliver *d, const char *domain,
    struct outcome *failure)
{
	size_t before;
	bool found;

	r->deliver = d;
	r->failure = failure;
	r->relay = false;
	r->literal.ss_family = 0;
	r->n = r->next = r->ntargets = r->at = 0;
	r->groups = 0;
	r->domain[0] = r->canonical[0] = '\0';
	r->secure = true;
	if (d->config.relay_host != NULL)
		found = find_relay(r);
	else if (domain[0] == '[')
		found = parse_literal(domain, &r->literal);
	else
		found = find_domain(r, domain);
	if (!found) {
		if (domain[0] == '[' && failure->status == OUTCOME_NONE)
			note(r, VERDICT_NO_HOST, domain, "not an address");
		return false;
	}
	before = route_before(r->hosts, r->n, d->config.hostname);
	if (r->n > 0 && before == 0)
		return is_loop(r, r->hosts[0].host);
	r->n = before;
	return true;
}

/* -- which addresses -- */

static bool
add_target(struct route *r, const struct target *host, uint16_t port)
{
	char text[NETADDR_TEXT_MAX];
	struct target t = *host;

	if (r->ntargets == ROUTE_TARGETS_MAX)
		return true;
	netaddr_set_port(&t.address, port);
	if (self_is_us(&r->deliver->config, &t.address))
		return false;
	netaddr_format(&host->address, text);
	snprintf(t.relay, sizeof(t.relay), "%.255s[%.63s]:%u", t.host, text,
	    (unsigned)port);
	r->targets[r->ntargets++] = t;
	return true;
}

/* False when it is we who answer there. */
static bool
add_address(struct route *r, const struct target *host)
{
	const struct config *config = &r->deliver->config;
	size_t before = r->ntargets;

	if (self_is_nobody(&host->address)) {
		note(r, VERDICT_NO_HOST, host->host,
		    "its address is nobody's (0.0.0.0, multicast or the like)");
		return true;
	}
	if (host->address.ss_family == AF_INET6 && !r->relay &&
	    !ipv6_may_use(r->deliver, &host->address)) {
		note(r, VERDICT_NO_CONNECTION, host->host,
		    "has IPv6, but our IPv6 address has no PTR record");
		return true;
	}
	if (r->relay)
		return add_target(r, host, config->relay_port);
	for (size_t i = 0; i < config->smtp_ports.n; i++)
		if (!add_target(r, host, config->smtp_ports.items[i])) {
			r->ntargets = before;
			return false;
		}
	return true;
}

static bool
add_host(struct route *r, const char *host)
{
	struct sockaddr_storage addresses[HOST_ADDRESSES_MAX];
	struct target t = {.way_secure = r->secure};
	int family = families[r->deliver->config.address_family];
	enum dns_status status;
	size_t n;

	status = dns_addresses(
	    r->deliver->dns, host, family, addresses, HOST_ADDRESSES_MAX, &n);
	if (status != DNS_FOUND) {
		bool gone = status == DNS_NO_NAME ||
		    (status == DNS_NO_DATA && family == AF_UNSPEC);

		note(r, gone ? VERDICT_NO_HOST : VERDICT_LOOKUP_FAILED, host,
		    dns_status_text(status));
	}
	t.secure = dns_secure(r->deliver->dns);
	snprintf(t.host, sizeof(t.host), "%s", host);
	snprintf(t.canonical, sizeof(t.canonical), "%s",
	    dns_canonical(r->deliver->dns));
	route_alternate(addresses, n);
	for (size_t i = 0; i < n; i++) {
		t.address = addresses[i];
		if (!add_address(r, &t))
			return false;
	}
	return true;
}

/* Where we stand ourselves the list ends, with that preference. */
static void
resolve_group(struct route *r)
{
	size_t group = route_group(r->hosts + r->next, r->n - r->next);
	size_t first = r->next;

	r->ntargets = r->at = 0;
	dns_deadline(r->deliver->dns, clock_monotonic_ms() + LOOKUP_LIMIT_MS);
	for (size_t i = 0; i < group; i++, r->next++) {
		if (add_host(r, r->hosts[r->next].host))
			continue;
		if (first == 0)
			(void)is_loop(r, r->hosts[r->next].host);
		r->ntargets = 0;
		r->next = r->n = first;
		return;
	}
}

static void
resolve_literal(struct route *r)
{
	struct target t = {.address = r->literal};

	netaddr_format_literal(&r->literal, t.host);
	if (!add_address(r, &t))
		(void)is_loop(r, t.host);
	r->literal.ss_family = 0;
}

const struct target *
route_next(struct route *r)
{
	if (r->literal.ss_family != 0)
		resolve_literal(r);
	while (r->at == r->ntargets && r->next < r->n &&
	    r->groups++ < ROUTE_GROUPS_MAX)
		resolve_group(r);
	return r->at < r->ntargets ? &r->targets[r->at++] : NULL;
}

void
route_best(const struct route *r, char mx[DNS_NAME_MAX + 1])
{
	size_t n = r->relay ? 0 : route_group(r->hosts, r->n);
	const char *best = n > 0 ? r->hosts[0].host : "";

	for (size_t i = 1; i < n; i++)
		if (strcmp(r->hosts[i].host, best) < 0)
			best = r->hosts[i].host;
	dns_name_normalise(best, mx);
}

void
route_prefer(struct route *r, const struct target *wanted)
{
	if (r->literal.ss_family == 0 && r->at == r->ntargets &&
	    r->next < r->n && r->groups++ < ROUTE_GROUPS_MAX)
		resolve_group(r);
	for (size_t i = r->at; i < r->ntargets; i++) {
		struct target t = r->targets[i];

		if (!target_is_same(&t, wanted))
			continue;
		r->targets[i] = r->targets[r->at];
		r->targets[r->at] = t;
		return;
	}
}

bool
target_is_same(const struct target *a, const struct target *b)
{
	return netaddr_equal(&a->address, &b->address) &&
	    netaddr_port(&a->address) == netaddr_port(&b->address);
}

void
route_leave_out(struct route *r, const struct target *refused)
{
	size_t kept = r->at;

	for (size_t i = r->at; i < r->ntargets; i++) {
		const struct target *t = &r->targets[i];

		if (!dns_name_equal(t->host, refused->host) ||
		    netaddr_port(&t->address) !=
			netaddr_port(&refused->address))
			r->targets[kept++] = *t;
	}
	r->ntargets = kept;
}
