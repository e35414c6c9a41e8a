/* SPDX-License-Identifier: ISC */
#ifndef DELIVER_POLICY_H
#define DELIVER_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/config.h"
#include "common/dns.h"

/*
 * What is demanded of a host before a message goes to it, and what is to be
 * done when it does not meet that: DANE (RFC 7672) before MTA-STS (RFC 8461)
 * before whatever can be had (RFC 7435).  Pure: facts in, verdicts out.
 */

/* What the DNS has of TLSA records, and whether that can be believed. */
enum policy_dane {
	DANE_NOT_ASKED,       /* an address literal */
	DANE_NO_RESOLVER,     /* no name server validates for us */
	DANE_MX_INSECURE,     /* whoever forged the MX would pass */
	DANE_HOST_INSECURE,   /* so its zone has no secure TLSA records */
	DANE_RECORD_INSECURE, /* TLSA records, but nobody vouches for them */
	DANE_NONE,
	DANE_USABLE,
	DANE_UNUSABLE,  /* none of a kind that SMTP knows */
	DANE_UNANSWERED /* bogus, SERVFAIL or silence: perhaps an attack */
};

/* The domain's MTA-STS policy. */
enum policy_sts {
	STS_NONE,    /* or expired, or never fetched */
	STS_TESTING, /* failures are to be told, not acted upon */
	STS_ENFORCE,
	STS_UNKNOWN /* it says that it has one, and we cannot have it now */
};

struct policy_facts {
	bool relay; /* it is relay-host: the config decides, not the domain */
	enum relay_tls relay_tls;
	enum policy_dane dane;
	enum policy_sts sts;
	bool sts_listed; /* the policy names this host */
	bool implicit;   /* a port where TLS begins at once */
	bool broken;     /* TLS with it failed lately */
};

enum policy_level {
	POLICY_REFUSE, /* the host is not to be used now */
	POLICY_CLEAR,  /* no TLS */
	POLICY_ANY,    /* TLS if it works, with whoever it is */
	POLICY_TLS,    /* TLS, with whoever it is */
	POLICY_PKIX,   /* the relay host, verified by its name */
	POLICY_STS,    /* the same for a domain's MX */
	POLICY_DANE,   /* verified by its TLSA records */
	POLICY_LEVELS
};

struct policy {
	enum policy_level level;
	const char *source; /* static: none|dane|sts, or relay: the config's */
	const char *reason; /* static, for log lines and bounces */
	bool implicit;
};

void policy_decide(const struct policy_facts *, struct policy *);

/* What can go wrong on the way to TLS. */
enum policy_event {
	EVENT_NOT_OFFERED, /* no STARTTLS in the reply to EHLO */
	EVENT_DENIED,      /* a 4yz or 5yz reply to STARTTLS */
	EVENT_BROKEN,      /* no handshake, or nothing works behind it */
	EVENT_UNVERIFIED,  /* the handshake shows somebody else */
	EVENT_INJECTED,    /* octets between the 220 and the handshake (A4) */
	POLICY_EVENTS
};

enum policy_step {
	STEP_CLEAR, /* go on without TLS on this connection */
	STEP_AGAIN, /* connect again, and do without TLS */
	STEP_DEFER  /* this host gets nothing now */
};

enum policy_step policy_after(const struct policy *, enum policy_event);

/* For verified=: who vouches for the peer under this level; "no". */
const char *policy_verifier(enum policy_level);

/* SMTP uses DANE-TA and DANE-EE alone (RFC 7672 section 3.1). */
bool policy_usable(const struct dns_tlsa *);

#endif
