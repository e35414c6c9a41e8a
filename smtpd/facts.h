/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_FACTS_H
#define SMTPD_FACTS_H

#include "smtpd/policy.h"

/*
 * What the rules of a step (smtpd/policy.h) must know, out of the session,
 * its transaction and the config.  What the owners and the DNS must be asked
 * for is gathered when a rule needs it.
 *
 * The facts point into the session, and at the text that is given.
 */
struct session;

/* The rest of the conduct is for whoever has noticed it. */
struct policy_facts facts_of_conduct(struct session *);

/* name: HELO's or EHLO's argument */
struct policy_facts facts_of_hello(struct session *, const char *name);

/* The transaction has its sender. */
struct policy_facts facts_of_sender(struct session *);

struct policy_facts facts_of_recipient(struct session *, const char *address);

/* What the header section says. */
struct policy_facts facts_of_header(struct session *, const struct submitted *);

#endif
