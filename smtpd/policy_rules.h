/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_POLICY_RULES_H
#define SMTPD_POLICY_RULES_H

#include "smtpd/policy.h"

/*
 * A rule, one row of a step's table, which ends with a NULL name.  To add
 * one: its facts in policy.h, what must be asked for as an enum policy_need
 * and in facts.c, the row here, its verdict in common/verdict.h; smtpd(8)
 * tells a postmaster what loosens it.
 */
struct policy_rule {
	const char *name;
	const char
	    *keyword; /* what governs it: a keyword or an RFC's section */
	bool (*applies)(const struct policy_facts *); /* NULL: always */
	enum policy_need need; /* of judge and value, not of applies */
	/* A verdict of success lets pass. */
	enum verdict (*judge)(const struct policy_facts *);
	/* What was compared with what, for people; NULL: the name says it. */
	void (*value)(
	    const struct policy_facts *, char out[POLICY_VALUE_MAX + 1]);
};

extern const struct policy_rule policy_conduct_rules[], policy_hello_rules[],
    policy_sender_rules[], policy_recipient_rules[], policy_header_rules[],
    policy_content_rules[];

/* "50M", "1K", "1001" */
enum { POLICY_SIZE_MAX = 24 };
void policy_write_size(uint64_t octets, char out[POLICY_SIZE_MAX]);

/* Is it one of the ports for those who log in (RFC 6409)? */
bool policy_takes_logins_only(enum listener_kind);

#endif
