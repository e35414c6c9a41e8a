/* SPDX-License-Identifier: ISC */
#ifndef DELIVER_DANE_H
#define DELIVER_DANE_H

#include "common/dns.h"
#include "deliver/policy.h"
#include "deliver/route.h"

struct dane {
	enum policy_dane found;
	char base[DNS_NAME_MAX + 1]; /* the records' host: the name for SNI */
	struct dns_tlsa *records;    /* owned */
	size_t n;
};

/*
 * The TLSA records of a target, if they can be believed (RFC 7672 section 2):
 * the way there (the MX records, unless the config names the host), its
 * address and they themselves secure.
 */
void dane_look_up(struct dns *, const struct target *, struct dane *);
void dane_free(struct dane *);

#endif
