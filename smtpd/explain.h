/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_EXPLAIN_H
#define SMTPD_EXPLAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "smtpd/policy.h"
#include "smtpd/worker.h"

/*
 * postrider explain FROM TO: what a session with that client would be told,
 * and which rule says so.  The facts are gathered as a session gathers them
 * (smtpd/facts.h), of the same owners, which count nothing.
 */
struct explain {
	const char *from, *to;           /* as they were written */
	const char *helo;                /* NULL: not said */
	const char *login;               /* NULL: a stranger on port 25 */
	struct sockaddr_storage address; /* AF_UNSPEC: not said */
	uint64_t size;                   /* 0: not said */
	bool json;
};

/* The arguments behind the options; false: bad, and that was said. */
bool explain_read(struct explain *, int argc, char **argv);

/* We are in the folder of smtpd.  The exit code: the verdict's. */
int explain_run(struct service *, const struct explain *);

/* -- explain_spf.c -- */

/*
 * SPF of the sender, for people.  True: whatever DMARC says, it is not SPF
 * that refuses the message or makes it junk.
 */
struct session;
bool explain_spf(struct session *, char value[POLICY_VALUE_MAX + 1]);

/* -- explain_print.c -- */

/* For the observer; context is the struct explain. */
void explain_step(const struct explain *, const char *step);
void explain_rule(void *context, const struct policy_told *);

/* The end: what is answered at which step; rule: that decided, or "". */
struct explain_answer {
	const char *step, *rule, *verdict; /* verdict: its name */
	int smtp;
	const char *enhanced, *text;
};
void explain_end(const struct explain *, const struct explain_answer *);

#endif
