/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "smtpd/session.h"

enum {
	LOOKUP_MS = 3000,
	KEEP_MS = 60000, /* how long the last client's name is remembered */
	REST_MS = 300000 /* no look-ups after the DNS was found dead */
};

/* A worker's memory of its last client: many connect again at once. */
static struct {
	struct sockaddr_storage address;
	char name[DNS_NAME_MAX + 1];
	bool unclear;
	int64_t until, dead_until;
} last;

/* Who hands it over knows better whom a proxy speaks for. */
static void
find_address(struct session *s, int fd)
{
	struct sockaddr_storage *address = &s->client.address;
	socklen_t n = sizeof(*address);

	if (getpeername(fd, (struct sockaddr *)address, &n) == -1)
		address->ss_family = AF_UNSPEC;
	if (s->arrival == NULL)
		return;
	/* That has no port, which content filters are told. */
	if (netaddr_equal(address, &s->arrival->client))
		return;
	*address = s->arrival->client;
}

static bool
is_proxied(const struct session *s)
{
	return s->arrival != NULL && s->arrival->proxied;
}

void
client_know(struct session *s)
{
	struct client *c = &s->client;

	if (c->address.ss_family != AF_INET &&
	    c->address.ss_family != AF_INET6) {
		c->address = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
		snprintf(c->text, sizeof(c->text), "unknown");
		return;
	}
	netaddr_unmap(&c->address);
	netaddr_format(&c->address, c->text);
	s->facts.tolerated = config_tolerates(s->config, &c->address);
	/* queue asks the kernel for the address, which knows the proxy's. */
	s->facts.relay_from = !is_proxied(s) &&
	    config_net_contains(&s->config->relay_from, &c->address);
	s->facts.trusted =
	    config_net_contains(&s->config->trust_client, &c->address);
	s->plaintext_auth =
	    config_net_contains(&s->config->allow_plaintext_auth, &c->address);
}

void
client_init(struct session *s, int fd)
{
	struct sockaddr_storage *local = &s->client.local;
	socklen_t n = sizeof(*local);

	find_address(s, fd);
	if (getsockname(fd, (struct sockaddr *)local, &n) == -1)
		local->ss_family = AF_UNSPEC;
	netaddr_unmap(local);
	client_know(s);
}

static void
look_up(struct session *s)
{
	int64_t now = clock_monotonic_ms();
	enum dns_status status;

	if (netaddr_equal(&last.address, &s->client.address) &&
	    now < last.until) {
		memcpy(s->client.name, last.name, sizeof(last.name));
		s->client.name_unclear = last.unclear;
		return;
	}
	s->client.name_unclear = true;
	if (now < last.dead_until)
		return;
	dns_deadline(s->dns, now + LOOKUP_MS);
	status = dns_confirmed_name(s->dns, &s->client.address, s->client.name);
	now = clock_monotonic_ms();
	if (status == DNS_TEMPORARY)
		last.dead_until = now + REST_MS;
	s->client.name_unclear = status == DNS_TEMPORARY ||
	    status == DNS_BROKEN;
	last.unclear = s->client.name_unclear;
	last.address = s->client.address;
	memcpy(last.name, s->client.name, sizeof(last.name));
	last.until = now + KEEP_MS;
}

const char *
client_name(struct session *s)
{
	struct client *c = &s->client;

	if (!c->named && s->dns != NULL && c->address.ss_family != AF_UNSPEC)
		look_up(s);
	else if (!c->named)
		c->name_unclear = true;
	c->named = true;
	/* A name in the DNS may hold any octet (A8). */
	if (address_check_domain(c->name, 0) != NULL || c->name[0] == '[')
		c->name[0] = '\0';
	return c->name;
}

const struct lists_result *
client_lists(struct session *s)
{
	struct client *c = &s->client;

	if (c->looked_up)
		return &c->lists;
	c->looked_up = true;
	if (s->arrival == NULL) {
		lists_look_up(s->config, s->dns, &c->address, &c->lists);
		return &c->lists;
	}
	c->lists.score = s->arrival->score;
	snprintf(c->lists.names, sizeof(c->lists.names), "%.*s",
	    LISTS_NAMES_MAX, s->arrival->lists);
	return &c->lists;
}
