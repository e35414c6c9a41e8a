/* SPDX-License-Identifier: ISC */
#include "ledger/lookups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build.h"
#include "common/clock.h"
#include "common/peer.h"
#include "common/protocol.h"
#include "ledger/destinations.h"
#include "ledger/fetching.h"
#include "ledger/ledger.h"
#include "ledger/sts.h"

enum {
	WAIT_MS = 30000,
	REFRESH_ROWS = 500,
	REFRESHES = 4 /* that are under way at a time */
};

struct client { /* a worker of deliver */
	struct peer peer;
	struct client *next;
	struct timer patience;
	bool waits;
	char domain[STS_DOMAIN_MAX + 1]; /* for the policy of that one */
	char id[STS_ID_MAX + 1];
};

static struct client *clients;

/* Names are compared in lower case. */
static bool
fold(const char *name, char *out, size_t size)
{
	size_t n = strlen(name);

	if (n == 0 || n >= size)
		return false;
	for (size_t i = 0; i <= n; i++)
		out[i] = name[i] >= 'A' && name[i] <= 'Z'
		    ? (char)(name[i] - 'A' + 'a')
		    : name[i];
	return true;
}

/* -- policies -- */

static void
answer_sts(struct client *c, const char *id, const char *reason)
{
	static struct packet p;
	struct sts_view view;
	char *mx, *pattern, *rest;

	sts_view(c->domain, id, true, &view, clock_now());
	packet_start(&p, "sts");
	packet_text(&p, "mode", sts_mode_name(view.mode));
	if (view.has_policy && *view.id != '\0')
		packet_text(&p, "id", view.id);
	if (reason == NULL || view.has_policy)
		reason = *view.reason != '\0' ? view.reason : NULL;
	if (reason != NULL)
		packet_text(&p, "reason", reason);
	if (view.has_policy) {
		packet_number(&p, "age", view.age);
		packet_number(&p, "max-age", view.max_age);
		mx = strdup(view.mx);
		for (pattern = mx; pattern != NULL; pattern = rest) {
			rest = strchr(pattern, ' ');
			if (rest != NULL)
				*rest++ = '\0';
			if (*pattern != '\0')
				packet_text(&p, "mx", pattern);
		}
		free(mx);
	}
	c->waits = false;
	loop_timer_stop(&c->patience);
	peer_send(&c->peer, &p);
	ledger_changed();
}

static bool
others_wait(const char *domain)
{
	for (struct client *c = clients; c != NULL; c = c->next)
		if (c->waits && strcmp(c->domain, domain) == 0)
			return true;
	return false;
}

static void
out_of_patience(struct timer *t)
{
	struct client *c = container_of(t, struct client, patience);

	answer_sts(c, c->id, "not fetched in time");
	if (!others_wait(c->domain))
		fetching_leave(c->domain);
}

void
lookups_done(const char *domain)
{
	for (struct client *c = clients; c != NULL; c = c->next)
		if (c->waits && strcmp(c->domain, domain) == 0)
			answer_sts(c, c->id, NULL);
}

static void
wait_for_policy(struct client *c)
{
#ifdef HAVE_CURL
	c->waits = true;
	loop_timer(&c->patience, WAIT_MS);
	/* It may be done, and answered, at once. */
	if (!fetching_ask(c->domain, c->id) && c->waits)
		answer_sts(c, c->id, "cannot be fetched now");
#else
	answer_sts(c, c->id, "built without HTTPS");
#endif
}

static bool
sts(struct client *c, struct packet *p)
{
	const char *domain, *id;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("domain", STS_DOMAIN_MAX, &domain),
	    ATTRIBUTE_TEXT_OPTIONAL("id", STS_ID_MAX, &id)};

	if (c->waits || !packet_read(p, "sts", set, 2, 0) ||
	    !fold(domain, c->domain, sizeof(c->domain)))
		return false;
	snprintf(c->id, sizeof(c->id), "%s", id != NULL ? id : "");
	if (sts_needs_fetch(c->domain, id, clock_now()))
		wait_for_policy(c);
	else
		answer_sts(c, id, NULL);
	return true;
}

void
lookups_refresh(void)
{
	static size_t at;
	const char *domain;

	if (fetching_count() < REFRESHES &&
	    (domain = sts_refresh(&at, REFRESH_ROWS, clock_now())) != NULL)
		(void)fetching_ask(domain, "");
}

/* -- hosts -- */

static bool
destination(struct client *c, struct packet *p)
{
	static struct packet answer;
	char name[DESTINATION_NAME_MAX + 1];
	struct host_view v;
	const char *host;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("host", DESTINATION_NAME_MAX, &host)};

	if (!packet_read(p, "destination", set, 1, 0) ||
	    !fold(host, name, sizeof(name)))
		return false;
	packet_start(&answer, "destination");
	if (host_recall(name, &v)) {
		if (v.tls != HOST_NEVER)
			packet_text(
			    &answer, "tls", v.tls == HOST_YES ? "yes" : "no");
		if (v.protocol[0] != '\0')
			packet_text(&answer, "protocol", v.protocol);
		if (v.tls != HOST_NEVER)
			packet_number(&answer, "since", (uint64_t)v.since);
		if (v.broken != 0)
			packet_number(&answer, "broken", (uint64_t)v.broken);
	}
	peer_send(&c->peer, &answer);
	return true;
}

static bool
tls_named(const char *text, enum host_tls *tls)
{
	static const char *const names[] = {
	    [HOST_YES] = "yes", [HOST_NO] = "no", [HOST_BROKEN] = "broken"};

	for (int i = HOST_YES; i <= HOST_BROKEN; i++)
		if (strcmp(text, names[i]) == 0) {
			*tls = (enum host_tls)i;
			return true;
		}
	return false;
}

static void
keep_delivery(const char *domain, const char *host, const char *policy,
    const char *result, const char *reason)
{
	struct delivery_view v = {0};

	snprintf(v.host, sizeof(v.host), "%s", host);
	snprintf(v.policy, sizeof(v.policy), "%s", policy);
	snprintf(v.result, sizeof(v.result), "%s", result);
	if (reason != NULL)
		snprintf(v.reason, sizeof(v.reason), "%.*s",
		    DESTINATION_REASON_MAX, reason);
	delivery_remember(domain, &v, clock_now());
}

static bool
remember(struct client *c, struct packet *p)
{
	char name[DESTINATION_NAME_MAX + 1], folded[DESTINATION_NAME_MAX + 1];
	const char *host, *tls, *protocol, *domain, *policy, *result, *reason;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("host", DESTINATION_NAME_MAX, &host),
	    ATTRIBUTE_TEXT_OPTIONAL("tls", DESTINATION_WORD_MAX, &tls),
	    ATTRIBUTE_TEXT_OPTIONAL(
		"protocol", DESTINATION_WORD_MAX, &protocol),
	    ATTRIBUTE_TEXT_OPTIONAL("domain", DESTINATION_NAME_MAX, &domain),
	    ATTRIBUTE_TEXT_OPTIONAL("policy", DESTINATION_WORD_MAX, &policy),
	    ATTRIBUTE_TEXT_OPTIONAL("result", DESTINATION_WORD_MAX, &result),
	    ATTRIBUTE_TEXT_OPTIONAL("reason", PROTOCOL_TEXT_MAX, &reason)};
	enum host_tls could = HOST_NEVER;

	(void)c;
	if (!packet_read(p, "remember", set, 7, 0) ||
	    !fold(host, name, sizeof(name)) ||
	    (tls != NULL && !tls_named(tls, &could)) ||
	    (domain != NULL &&
		(policy == NULL || result == NULL ||
		    !fold(domain, folded, sizeof(folded)))))
		return false;
	if (could != HOST_NEVER)
		host_remember(
		    name, could, protocol != NULL ? protocol : "", clock_now());
	if (domain != NULL)
		keep_delivery(folded, name, policy, result, reason);
	ledger_changed();
	return true;
}

/* -- connections -- */

static bool
client_packet(struct peer *peer, struct packet *p)
{
	struct client *c = container_of(peer, struct client, peer);

	if (packet_is(p, "sts"))
		return sts(c, p);
	return packet_is(p, "remember") ? remember(c, p) : destination(c, p);
}

static void
client_closed(struct peer *peer)
{
	struct client *c = container_of(peer, struct client, peer), **at;

	for (at = &clients; *at != c;)
		at = &(*at)->next;
	*at = c->next;
	loop_timer_stop(&c->patience);
	peer_end(peer);
	if (c->waits && !others_wait(c->domain))
		fetching_leave(c->domain);
	free(c);
}

void
lookups_begin(const char *role, int fd)
{
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		close(fd);
		return;
	}
	c->peer = (struct peer){
	    .role = role, .packet = client_packet, .closed = client_closed};
	c->patience.fire = out_of_patience;
	if (peer_begin(&c->peer, fd) == -1) {
		free(c);
		return;
	}
	c->next = clients;
	clients = c;
}
