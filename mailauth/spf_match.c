/* SPDX-License-Identifier: ISC */
#include <netinet/in.h>
#include <string.h>

#include "mailauth/spf_check.h"

/* The largest providers have a /14 and an IPv6 /36. */
enum { BROAD4 = 14, BROAD6 = 32 };

bool
spf_is_broad(const struct spf_check *c, const struct spf_term *t)
{
	switch (t->kind) {
	case SPF_ALL:
	case SPF_PTR:
	case SPF_EXISTS:
		return true;
	case SPF_INCLUDE:
		return false;
	default:
		return c->client.ss_family == AF_INET ? t->prefix4 < BROAD4
						      : t->prefix6 < BROAD6;
	}
}

bool
spf_count_term(struct spf_check *c)
{
	if (++c->terms <= SPF_TERMS_MAX)
		return true;
	spf_reason(c, "more than %d terms look something up", SPF_TERMS_MAX);
	return false;
}

static enum spf_match
count_void(struct spf_check *c)
{
	if (++c->voids <= SPF_VOID_MAX)
		return SPF_NO_MATCH;
	spf_reason(c, "more than %d look-ups find nothing", SPF_VOID_MAX);
	return SPF_MATCH_PERMERROR;
}

static enum spf_match
trouble(struct spf_check *c, const char *name, enum dns_status status)
{
	spf_reason(c, "%s: %s", name, dns_status_text(status));
	return SPF_MATCH_TEMPERROR;
}

/* The first bits are the same; of the same family. */
static bool
is_in_network(const struct sockaddr_storage *client,
    const struct sockaddr_storage *network, const struct spf_term *t)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)client;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)client;
	const struct sockaddr_in *net = (const struct sockaddr_in *)network;
	const struct sockaddr_in6 *net6 = (const struct sockaddr_in6 *)network;
	bool four = client->ss_family == AF_INET;
	const unsigned char *a =
	    four ? (const void *)&in->sin_addr : (const void *)&in6->sin6_addr;
	const unsigned char *b = four ? (const void *)&net->sin_addr
				      : (const void *)&net6->sin6_addr;
	unsigned bits = four ? t->prefix4 : t->prefix6;

	if (client->ss_family != network->ss_family ||
	    memcmp(a, b, bits / 8) != 0)
		return false;
	return bits % 8 == 0 ||
	    (a[bits / 8] ^ b[bits / 8]) >> (8 - bits % 8) == 0;
}

/* One of the name's addresses; *n how many there are. */
static enum spf_match
match_addresses(
    struct spf_check *c, const char *name, const struct spf_term *t, size_t *n)
{
	const struct resolver *r = c->mailauth->resolver;
	struct sockaddr_storage found[DNS_RECORDS_MAX];
	enum dns_status status;

	status = r->addresses(
	    r->context, name, c->client.ss_family, found, DNS_RECORDS_MAX, n);
	if (dns_is_trouble(status))
		return trouble(c, name, status);
	for (size_t i = 0; i < *n; i++)
		if (is_in_network(&c->client, &found[i], t))
			return SPF_MATCH;
	return SPF_NO_MATCH;
}

static enum spf_match
match_a(struct spf_check *c, const char *name, const struct spf_term *t)
{
	size_t n = 0;
	enum spf_match match = match_addresses(c, name, t, &n);

	return match == SPF_NO_MATCH && n == 0 ? count_void(c) : match;
}

/*
 * Section 5.4.  The void look-ups of one term count once (section 4.6.4 counts
 * terms): a sender with three hosts that have IPv4 only is no attacker.
 */
static enum spf_match
match_mx(struct spf_check *c, const char *name, const struct spf_term *t)
{
	const struct resolver *r = c->mailauth->resolver;
	struct dns_mx mx[SPF_NAMES_MAX + 1];
	enum spf_match match = SPF_NO_MATCH;
	enum dns_status status;
	size_t n, found, all = 0;

	status = r->mx(r->context, name, mx, SPF_NAMES_MAX + 1, &n);
	if (dns_is_trouble(status))
		return trouble(c, name, status);
	if (n > SPF_NAMES_MAX) {
		spf_reason(
		    c, "%s has more than %d MX records", name, SPF_NAMES_MAX);
		return SPF_MATCH_PERMERROR;
	}
	if (n == 1 && mx[0].host[0] == '\0') /* RFC 7505: that is an answer */
		return SPF_NO_MATCH;
	for (size_t i = 0; i < n && match == SPF_NO_MATCH; i++) {
		found = 0;
		match = match_addresses(c, mx[i].host, t, &found);
		all += found;
	}
	return match == SPF_NO_MATCH && all == 0 ? count_void(c) : match;
}

/* Section 5.7: an A record, even of an IPv6 client. */
static enum spf_match
match_exists(struct spf_check *c, const char *name)
{
	const struct resolver *r = c->mailauth->resolver;
	struct sockaddr_storage found;
	enum dns_status status;
	size_t n;

	status = r->addresses(r->context, name, AF_INET, &found, 1, &n);
	if (dns_is_trouble(status))
		return trouble(c, name, status);
	return status == DNS_FOUND ? SPF_MATCH : count_void(c);
}

/*
 * Sections 5.5 and 7.3 let a DNS that does not answer stand for "no match" and
 * "unknown", which can end in a fail: here it is what it is, temporary.
 */
enum spf_match
spf_names_unknown(struct spf_check *c)
{
	spf_reason(c, "the client's names: %s", dns_status_text(DNS_TEMPORARY));
	return SPF_MATCH_TEMPERROR;
}

static enum spf_match
match_ptr(struct spf_check *c, const char *name)
{
	spf_find_names(c);
	for (size_t i = 0; i < c->nnames; i++)
		if (spf_is_within(c->names[i], name))
			return SPF_MATCH;
	return c->name_trouble ? spf_names_unknown(c) : SPF_NO_MATCH;
}

/* Section 5.2 */
static enum spf_match
match_include(struct spf_check *c, const char *name)
{
	switch (spf_check_domain(c, name, true)) {
	case AUTH_PASS:
		return SPF_MATCH;
	case AUTH_TEMPERROR:
		return SPF_MATCH_TEMPERROR;
	case AUTH_NONE:
		spf_reason(c, "%s has no SPF record", name);
		return SPF_MATCH_PERMERROR;
	case AUTH_PERMERROR:
		return SPF_MATCH_PERMERROR;
	default:
		return SPF_NO_MATCH;
	}
}

static enum spf_match
match_by_look_up(
    struct spf_check *c, const char *domain, const struct spf_term *t)
{
	char name[DNS_NAME_MAX + 1];
	enum spf_match target = spf_target(c, domain, t->target, name);

	if (target != SPF_MATCH)
		return target;
	switch (t->kind) {
	case SPF_INCLUDE:
		return match_include(c, name);
	case SPF_A:
		return match_a(c, name, t);
	case SPF_MX:
		return match_mx(c, name, t);
	case SPF_PTR:
		return match_ptr(c, name);
	default:
		return match_exists(c, name);
	}
}

enum spf_match
spf_match(struct spf_check *c, const char *domain, const struct spf_term *t)
{
	switch (t->kind) {
	case SPF_ALL:
		return SPF_MATCH;
	case SPF_IP4:
	case SPF_IP6:
		return is_in_network(&c->client, &t->network, t) ? SPF_MATCH
								 : SPF_NO_MATCH;
	default:
		return match_by_look_up(c, domain, t);
	}
}
