/* SPDX-License-Identifier: ISC */
#ifndef DELIVER_ROUTE_H
#define DELIVER_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/dns.h"
#include "deliver/deliver.h"
#include "deliver/job.h"

/*
 * The hosts of a domain in the order in which they are to be tried (RFC 5321
 * section 5.1, RFC 7505), resolved one preference at a time: all hosts of one
 * preference are known before the first of them is connected to, so that our
 * own place among them is seen in time (A11).
 */
enum { ROUTE_TARGETS_MAX = 32, ROUTE_GROUPS_MAX = 10 };

struct target {
	char host[DNS_NAME_MAX + 1];     /* or an address literal */
	struct sockaddr_storage address; /* with port */
	char relay[JOB_RELAY_MAX];       /* host[address]:port */
	/* where the host's aliases lead; "" when it is an address literal */
	char canonical[DNS_NAME_MAX + 1];
	bool way_secure; /* by DNSSEC: that this is a host of the domain */
	bool secure;     /* the same of its address */
};

struct route {
	struct deliver *deliver;
	struct outcome *failure;         /* why there is no (further) target */
	bool relay;                      /* relay-host: its port, no PTR rule */
	struct sockaddr_storage literal; /* family 0: there are hosts */
	/* What the MX records were asked for, and where aliases led from
	 * there; "" when nothing was asked, and then that is secure. */
	char domain[DNS_NAME_MAX + 1], canonical[DNS_NAME_MAX + 1];
	bool secure;
	size_t n, next;  /* hosts */
	unsigned groups; /* preferences resolved so far */
	struct dns_mx hosts[DNS_RECORDS_MAX];
	size_t ntargets, at; /* of the present preference */
	struct target targets[ROUTE_TARGETS_MAX];
};

/*
 * Where mail for this domain goes.  False when nowhere: *failure says why.
 * What goes wrong later on is noted there, too, by job_host_failed's rule.
 */
bool route_find(struct route *, struct deliver *, const char *domain,
    struct outcome *failure);

/* The next to try; NULL at the end. */
const struct target *route_next(struct route *);

/*
 * The best MX host, of several the first by name: that is what domains with
 * the same provider have in common.  "" for relay-host and for literals.
 */
void route_best(const struct route *, char mx[DNS_NAME_MAX + 1]);

/* If that target is among those of the first preference: the next, then. */
void route_prefer(struct route *, const struct target *);

/* Address and port. */
bool target_is_same(const struct target *, const struct target *);

/*
 * That target's host is not to be used at that port: its other addresses are
 * left out of what is still to be tried.
 */
void route_leave_out(struct route *, const struct target *);

/* -- the rules, pure -- */

/* Equal preferences in random order; random(n) gives 0 to n - 1. */
void route_shuffle(struct dns_mx *, size_t n, uint32_t (*random)(uint32_t n));

/*
 * How many hosts are left when this name is ours: those of a better
 * preference than any that bears it.
 */
size_t route_before(const struct dns_mx *, size_t n, const char *hostname);

/* How many hosts from the first on share its preference. */
size_t route_group(const struct dns_mx *, size_t n);

/* IPv6 and IPv4 by turns, so that one dead family is not tried at length. */
void route_alternate(struct sockaddr_storage *, size_t n);

#endif
