/* SPDX-License-Identifier: ISC */
#include "queue/destination.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/loop.h"
#include "queue/envelope.h"
#include "queue/queue.h"
#include "queue/random.h"

enum {
	BUCKETS = 4096,
	KEPT_DOMAINS = 4096, /* that nothing refers to */
	TEXT_MAX = 400       /* of the last word that is kept */
};

static struct domain *domains[BUCKETS];
static struct destination *destinations[BUCKETS];

/* Domains that nothing refers to, the one left last at the newer end. */
static struct {
	struct domain *oldest, *newest;
	size_t n;
} kept;

static unsigned
most(void)
{
	return (unsigned)queue.config.destination_concurrency;
}

static struct domain **
domain_bucket(const char *name)
{
	return &domains[envelope_hash(name) % BUCKETS];
}

static struct destination **
destination_bucket(const char *name)
{
	return &destinations[envelope_hash(name) % BUCKETS];
}

/* -- destinations -- */

static struct destination *
destination_named(const char *name)
{
	struct destination *d = *destination_bucket(name);

	while (d != NULL && strcmp(d->name, name) != 0)
		d = d->chain;
	return d;
}

static struct destination *
destination_get(const char *name)
{
	struct destination *d = destination_named(name);
	size_t n = strlen(name) + 1;

	if (d != NULL || (d = calloc(1, sizeof(*d) + n)) == NULL)
		return d;
	memcpy(d->name, name, n);
	d->chain = *destination_bucket(name);
	*destination_bucket(name) = d;
	return d;
}

void
destination_settle(struct destination *d)
{
	struct destination **where = destination_bucket(d->name);

	if (d->domains > 0 || destination_in_memory(d) > 0 || d->lanes.n > 0 ||
	    d->has_turn)
		return;
	destination_stir(d, 0);
	while (*where != d)
		where = &(*where)->chain;
	*where = d->chain;
	free(d->text);
	free(d);
}

static void
lead_to(struct domain *domain, struct destination *d)
{
	struct destination *before = domain->destination;

	if (d != NULL)
		d->domains++;
	domain->destination = d;
	if (before != NULL && --before->domains == 0)
		destination_settle(before);
}

struct destination *
domain_destination(struct domain *domain)
{
	const char *relay = queue.config.relay_host;
	struct destination *d = domain->destination;

	if (d == NULL) {
		d = destination_get(relay != NULL ? relay : domain->name);
		if (d != NULL)
			lead_to(domain, d);
	}
	return d;
}

/* -- domains -- */

static void
unkeep(struct domain *domain)
{
	if (domain->older != NULL)
		domain->older->newer = domain->newer;
	else
		kept.oldest = domain->newer;
	if (domain->newer != NULL)
		domain->newer->older = domain->older;
	else
		kept.newest = domain->older;
	domain->older = domain->newer = NULL;
	kept.n--;
}

static void
forget(struct domain *domain)
{
	struct domain **where = domain_bucket(domain->name);

	unkeep(domain);
	lead_to(domain, NULL);
	while (*where != domain)
		where = &(*where)->chain;
	*where = domain->chain;
	free(domain);
}

static void
keep(struct domain *domain)
{
	domain->older = kept.newest;
	if (kept.newest != NULL)
		kept.newest->newer = domain;
	else
		kept.oldest = domain;
	kept.newest = domain;
	if (++kept.n > KEPT_DOMAINS)
		forget(kept.oldest);
}

struct domain *
domain_find(const char *name)
{
	struct domain *domain = *domain_bucket(name);

	while (domain != NULL && strcmp(domain->name, name) != 0)
		domain = domain->chain;
	return domain;
}

struct domain *
domain_hold(const char *name)
{
	struct domain *domain = domain_find(name);
	size_t n = strlen(name) + 1;

	if (domain != NULL) {
		domain_use(domain);
		return domain;
	}
	domain = calloc(1, sizeof(*domain) + n);
	if (domain == NULL)
		return NULL;
	memcpy(domain->name, name, n);
	domain->uses = 1;
	domain->chain = *domain_bucket(name);
	*domain_bucket(name) = domain;
	return domain;
}

void
domain_use(struct domain *domain)
{
	if (domain->uses++ == 0)
		unkeep(domain);
}

void
domain_release(struct domain *domain)
{
	if (--domain->uses == 0)
		keep(domain);
}

/* -- who leads where -- */

void
domain_lead(struct domain *domain, const char *name)
{
	struct destination *d = name != NULL ? destination_get(name) : NULL;

	if (d != NULL || name == NULL)
		lead_to(domain, d);
}

void
domain_lead_all(void)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct domain *d = domains[i]; d != NULL; d = d->chain)
			lead_to(d, NULL);
}

/* -- what is heard -- */

static void
remember(struct destination *d, const struct heard *heard)
{
	free(d->text);
	d->text = heard->good ? NULL : strndup(heard->text, TEXT_MAX);
	snprintf(d->dsn, sizeof(d->dsn), "%s", heard->good ? "" : heard->dsn);
	d->when = clock_now();
}

void
destination_heard(struct destination *d, const struct heard *heard, int64_t now)
{
	struct retry_policy policy = queue_policy();

	if (heard->good)
		pace_success(&d->pace, most(), heard->started);
	else
		pace_trouble(&d->pace, heard->trouble, heard->started, now,
		    &policy, random_bits());
	destination_stand(d,
	    heard->good || heard->trouble == PACE_RATE ? STANDING_PROVEN
						       : STANDING_SUSPECT);
	if (!heard->good || d->text != NULL)
		remember(d, heard);
	destination_stir(d, now);
}

void
destination_open(struct destination *d, int64_t now)
{
	pace_reset(&d->pace);
	destination_stir(d, now);
}

/* -- for people -- */

enum destination_state
destination_state(const struct destination *d)
{
	if (pace_rests(&d->pace))
		return DESTINATION_RESTING;
	if (d->pace.pause > 0)
		return DESTINATION_PAUSED;
	if (d->lanes.n + d->at[STAGE_PREPARED] > 0)
		return DESTINATION_LIMITED;
	return DESTINATION_OPEN;
}

const char *
destination_state_name(enum destination_state state)
{
	static const char *const names[] = {
	    [DESTINATION_OPEN] = "open",
	    [DESTINATION_LIMITED] = "limited",
	    [DESTINATION_PAUSED] = "paused",
	    [DESTINATION_RESTING] = "resting",
	};

	return names[state];
}

struct destination *
destination_find(const char *name)
{
	struct domain *domain = domain_find(name);

	if (domain != NULL && domain->destination != NULL)
		return domain->destination;
	return destination_named(name);
}

int64_t
destination_wait(const struct destination *d, int64_t now)
{
	return d->pace.opens > now ? d->pace.opens - now : 0;
}

unsigned
destination_window(const struct destination *d)
{
	unsigned window = d->pace.window > 0 ? d->pace.window : PACE_WINDOW;

	return window < most() ? window : most();
}

void
destination_each(void (*call)(struct destination *, void *), void *context)
{
	struct destination *d, *next;

	for (size_t i = 0; i < BUCKETS; i++)
		for (d = destinations[i]; d != NULL; d = next) {
			next = d->chain;
			call(d, context);
		}
}
