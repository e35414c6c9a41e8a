/* SPDX-License-Identifier: ISC */
#include "deliver/demand.h"

#include <stdio.h>
#include <string.h>

#include "common/dns_read.h"
#include "common/netaddr.h"

enum {
	DANE_EE = 3,          /* RFC 7671 section 5.1: names do not count */
	SUBMISSIONS = 465,    /* RFC 8314: TLS at once */
	BROKEN_SECONDS = 3600 /* TLS is not tried again before */
};

/* -- facts -- */

static void
gather(struct demand *d, const struct route *r, const struct target *t,
    struct sts *sts, struct policy_facts *f)
{
	struct deliver *deliver = r->deliver;

	dane_look_up(deliver->dns, t, &d->dane);
	*f = (struct policy_facts){.relay = r->relay,
	    .relay_tls = deliver->config.relay_tls,
	    .dane = d->dane.found,
	    .implicit = netaddr_port(&t->address) == SUBMISSIONS};
	if (d->dane.found == DANE_USABLE || d->dane.found == DANE_UNANSWERED)
		return; /* nothing else counts */
	if (d->domain != NULL && !sts->known) {
		sts_look_up(deliver, d->domain, sts);
		sts->known = true;
	}
	if (d->domain != NULL) {
		f->sts = sts->mode;
		f->sts_listed = sts_lists(&sts->answer, t->host);
	}
	ledger_destination(&deliver->ledger, t->host, &d->memory);
	f->broken = d->memory.broken && d->memory.age < BROKEN_SECONDS;
}

/* -- what is asked of a handshake -- */

static void
add_name(struct demand *d, const char *name)
{
	if (name[0] != '\0')
		d->names[d->tls.nnames++] = name;
}

/* A DANE-TA certificate may bear the domain, too (RFC 7672 section 3.2.2). */
static void
demand_dane(struct demand *d, const struct route *r)
{
	d->tls.policy = TLS_DANE;
	d->tls.server_name = d->dane.base;
	add_name(d, r->domain);
	add_name(d, r->canonical);
	for (size_t i = 0; i < d->dane.n; i++) {
		const struct dns_tlsa *from = &d->dane.records[i];

		d->records[i] = (struct tls_record){from->usage, from->selector,
		    from->matching, from->data, from->len};
	}
	d->tls.records = d->records;
	d->tls.nrecords = d->dane.n;
}

/* Who forges the relay host's MX records must not choose the name, too. */
static void
demand_relay(struct demand *d, const struct route *r)
{
	char name[DNS_NAME_MAX + 1];

	config_relay_name(&r->deliver->config, name, sizeof(name));
	dns_name_normalise(name, d->relay);
	d->tls.policy = TLS_NAMES;
	add_name(d, d->relay);
	if (r->secure)
		add_name(d, d->host);
}

static void
demand_handshake(struct demand *d, const struct route *r)
{
	d->tls = (struct tls_demand){.policy = TLS_ANY, .names = d->names};
	if (d->host[0] != '[')
		d->tls.server_name = d->host;
	switch (d->policy.level) {
	case POLICY_DANE:
		demand_dane(d, r);
		break;
	case POLICY_STS:
		d->tls.policy = TLS_NAMES;
		add_name(d, d->host);
		break;
	case POLICY_PKIX:
		demand_relay(d, r);
		break;
	default:
		break;
	}
}

void
demand_find(struct demand *d, const struct route *r, const struct target *t,
    struct sts *sts)
{
	struct policy_facts facts;

	d->memory = (struct ledger_memory){.tls = false};
	d->domain = r->relay || r->domain[0] == '\0' ? NULL : r->domain;
	dns_name_normalise(t->host, d->host);
	gather(d, r, t, sts, &facts);
	policy_decide(&facts, &d->policy);
	demand_handshake(d, r);
}

void
demand_free(struct demand *d)
{
	dane_free(&d->dane);
}

void
demand_nothing(struct demand *d)
{
	d->policy.level = POLICY_CLEAR;
	d->policy.reason = "TLS with this host failed";
}

/* -- whether two ask the same -- */

static uint64_t
digest(uint64_t hash, const void *octets, size_t n)
{
	const unsigned char *at = octets;

	while (n-- > 0)
		hash = (hash ^ *at++) * 1099511628211u; /* FNV-1a */
	return hash;
}

static uint64_t
digest_records(const struct demand *d)
{
	uint64_t hash = 14695981039346656037u;
	bool names = false;

	for (size_t i = 0; i < d->dane.n; i++) {
		const struct dns_tlsa *r = &d->dane.records[i];
		const unsigned char kind[] = {
		    r->usage, r->selector, r->matching};

		hash = digest(hash, kind, sizeof(kind));
		hash = digest(hash, &r->len, sizeof(r->len));
		hash = digest(hash, r->data, r->len);
		names = names || r->usage != DANE_EE;
	}
	for (size_t i = 0; names && i < d->tls.nnames; i++)
		hash = digest(hash, d->names[i], strlen(d->names[i]) + 1);
	return hash;
}

void
demand_mark(const struct demand *d, struct demand_mark *mark)
{
	*mark = (struct demand_mark){.level = d->policy.level,
	    .source = d->policy.source,
	    .implicit = d->policy.implicit};
	if (d->policy.level == POLICY_DANE)
		mark->records = digest_records(d);
}

bool
demand_mark_equal(const struct demand_mark *a, const struct demand_mark *b)
{
	return a->level == b->level && strcmp(a->source, b->source) == 0 &&
	    a->implicit == b->implicit && a->records == b->records;
}
