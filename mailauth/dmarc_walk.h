/* SPDX-License-Identifier: ISC */
#ifndef MAILAUTH_DMARC_WALK_H
#define MAILAUTH_DMARC_WALK_H

#include "mailauth/dmarc.h"

/*
 * The DNS tree walk (RFC 9989 section 4.10): from a domain up to its
 * top-level domain, in at most DMARC_WALK_MAX questions.  What was asked once
 * is remembered by the walker, for all the walks of one message.
 */
struct dmarc_place {
	char domain[DNS_NAME_MAX + 1];
	bool trouble;      /* the DNS did not tell */
	bool found;        /* there is a DMARC record, and but one */
	const char *wrong; /* no policy can be taken from it, and why */
	struct dmarc_record record;
	struct dmarc_place *next;
};

struct dmarc_walker {
	const struct mailauth *mailauth;
	struct dmarc_place *places; /* owned */
};

struct dmarc_walk {
	const char *start;
	size_t n; /* places, from the start on */
	const struct dmarc_place *place[DMARC_WALK_MAX];
	bool trouble; /* it ended early, at a place that did not tell */
};

/*
 * A domain as it is compared and asked for: A-labels, lower case, no dot at
 * its end.  False: it is none.
 */
bool dmarc_normalise(const char *domain, char out[DNS_NAME_MAX + 1]);

/* What stands there; domain is normalised.  NULL without memory. */
const struct dmarc_place *dmarc_place_at(
    struct dmarc_walker *, const char *domain);

/* start is normalised, and stays the caller's as long as the walk. */
void dmarc_walk_from(
    struct dmarc_walker *, const char *start, struct dmarc_walk *);
void dmarc_walker_free(struct dmarc_walker *);

/*
 * The organizational domain of the start of a walk without trouble (section
 * 4.10.2): a part of that name.
 */
const char *dmarc_walk_organization(const struct dmarc_walk *);

/*
 * Where the record is that applies to the start (section 4.10.1): the start
 * itself, its organizational domain, or the public suffix above it.  NULL:
 * nowhere.  Of a walk with trouble only what holds in spite of that.
 */
const struct dmarc_place *dmarc_walk_policy(const struct dmarc_walk *);

/* Is name the domain, or a name below it? */
bool dmarc_is_within(const char *name, const char *domain);

#endif
