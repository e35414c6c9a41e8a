/* SPDX-License-Identifier: ISC */
#include "deliver/demand.h"

#include <stdio.h>
#include <string.h>

#include "common/dns_read.h"
#include "common/netaddr.h"

enum {
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
