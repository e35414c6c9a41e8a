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
	KEPT_DOMAINS = 4096, /* that nothing refers to */
	TEXT_MAX = 400       /* of the last word that is kept */
};

static struct name_table domains, destinations;

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

/* -- destinations -- */

static struct destination *
destination_named(const char *name)
{
	return (struct destination *)name_table_find(&destinations, name);
}

static struct destination *
destination_get(const char *name)
{
	struct destination *d = destination_named(name);
	size_t n = strlen(name) + 1;

	if (d != NULL || (d = calloc(1, sizeof(*d) + n)) == NULL)
		return d;
	memcpy(d->name, name, n);
	d->named.name = d->name;
	if (name_table_add(&destinations, &d->named))
		return d;
	free(d);
	return NULL;
}

void
destination_settle(struct destination *d)
{
	if (d->domains > 0 || destination_in_memory(d) > 0 || d->lanes.n > 0 ||
	    d->has_turn)
		return;
	destination_stir(d, 0);
	name_table_remove(&destinations, &d->named);
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
	unkeep(domain);
	lead_to(domain, NULL);
	name_table_remove(&domains, &domain->named);
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
	return (struct domain *)name_table_find(&domains, name);
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
	domain->named.name = domain->name;
	domain->uses = 1;
	if (name_table_add(&domains, &domain->named))
		return domain;
	free(domain);
	return NULL;
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

static void
lead_anew(struct named *domain, void *context)
{
	(void)context;
	lead_to((struct domain *)domain, NULL);
}

void
domain_lead_all(void)
{
	name_table_each(&domains, lead_anew, NULL);
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

struct each {
	void (*call)(struct destination *, void *);
	void *context;
};

static void
call_for(struct named *d, void *context)
{
	const struct each *each = context;

	each->call((struct destination *)d, each->context);
}

void
destination_each(void (*call)(struct destination *, void *), void *context)
{
	struct each each = {call, context};

	name_table_each(&destinations, call_for, &each);
}
