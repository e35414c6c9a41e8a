/* SPDX-License-Identifier: ISC */
#include "deliver/policy.h"

enum {
	USAGE_TA = 2, /* RFC 7218's names: DANE-TA */
	USAGE_EE = 3, /* DANE-EE */
	SELECTOR_MAX = 1,
	MATCHING_FULL = 0,
	MATCHING_SHA256 = 1,
	MATCHING_SHA512 = 2
};

bool
policy_usable(const struct dns_tlsa *r)
{
	static const size_t length[] = {
	    [MATCHING_SHA256] = 32, [MATCHING_SHA512] = 64};

	if ((r->usage != USAGE_TA && r->usage != USAGE_EE) ||
	    r->selector > SELECTOR_MAX || r->matching > MATCHING_SHA512)
		return false;
	return r->matching == MATCHING_FULL || r->len == length[r->matching];
}

static void
set(struct policy *p, enum policy_level level, const char *source,
    const char *reason)
{
	p->level = level;
	p->source = source;
	p->reason = reason;
}

/* Why there is no DANE; shown where there is nothing else to say either. */
static const char *const without_dane[] = {
    [DANE_NOT_ASKED] = "an address has no TLS policy",
    [DANE_NO_RESOLVER] =
	"no TLS policy; DANE needs dns-server with \"trusted\"",
    [DANE_MX_INSECURE] = "no TLS policy; the MX records are not signed",
    [DANE_HOST_INSECURE] = "no TLS policy; the host's address is not signed",
    [DANE_RECORD_INSECURE] =
	"no TLS policy; the host's TLSA records are not signed",
    [DANE_NONE] = "no TLS policy; the host has no TLSA records",
    [DANE_UNUSABLE] = "the host has TLSA records, none of a usable kind",
};

static void
decide_relay(const struct policy_facts *f, struct policy *p)
{
	switch (f->relay_tls) {
	case RELAY_TLS_VERIFIED:
		set(p, POLICY_PKIX, "relay", "relay-tls verified");
		break;
	case RELAY_TLS_REQUIRED:
		set(p, POLICY_TLS, "relay", "relay-tls required");
		break;
	case RELAY_TLS_OPPORTUNISTIC:
		set(p, POLICY_ANY, "relay", "relay-tls opportunistic");
	}
}

static const char *
why_testing(const struct policy_facts *f)
{
	return f->sts_listed ? "the domain tests an MTA-STS policy"
			     : "the domain tests an MTA-STS policy, which does "
			       "not name this host";
}

static void
decide_sts(const struct policy_facts *f, struct policy *p)
{
	switch (f->sts) {
	case STS_ENFORCE:
		if (f->sts_listed)
			set(p, POLICY_STS, "sts",
			    "the domain enforces an MTA-STS policy");
		else
			set(p, POLICY_REFUSE, "sts",
			    "the domain's MTA-STS policy does not name it");
		break;
	case STS_UNKNOWN:
		set(p, POLICY_REFUSE, "sts",
		    "the domain's MTA-STS policy cannot be had now");
		break;
	case STS_TESTING:
		set(p, POLICY_ANY, "sts", why_testing(f));
		break;
	case STS_NONE:
		set(p, POLICY_ANY, "none", without_dane[f->dane]);
	}
}

void
policy_decide(const struct policy_facts *f, struct policy *p)
{
	p->implicit = f->implicit;
	if (f->dane == DANE_UNANSWERED) {
		set(p, POLICY_REFUSE, "dane",
		    "its TLSA records cannot be looked up");
		return;
	}
	if (f->dane == DANE_USABLE) {
		set(p, POLICY_DANE, "dane", "the host has TLSA records");
		return;
	}
	if (f->relay)
		decide_relay(f, p);
	else
		decide_sts(f, p);
	/* They demand TLS still (RFC 7672 section 2.2). */
	if (f->dane == DANE_UNUSABLE && p->level == POLICY_ANY)
		set(p, POLICY_TLS, "dane", without_dane[DANE_UNUSABLE]);
	if (p->level == POLICY_ANY && f->broken && !f->implicit)
		set(p, POLICY_CLEAR, p->source,
		    "TLS with this host failed lately");
}

/*
 * Who has no policy gets the message in the clear rather than late.  But where
 * somebody speaks on the line between us and the server nothing is said at
 * all, and where TLS begins at once there is nothing to go back to.
 */
enum policy_step
policy_after(const struct policy *p, enum policy_event event)
{
	static const enum policy_step steps[POLICY_EVENTS] = {
	    [EVENT_NOT_OFFERED] = STEP_CLEAR,
	    [EVENT_DENIED] = STEP_CLEAR,
	    [EVENT_BROKEN] = STEP_AGAIN,
	    [EVENT_UNVERIFIED] = STEP_AGAIN,
	    [EVENT_INJECTED] = STEP_DEFER,
	};

	if (p->level != POLICY_ANY || p->implicit)
		return STEP_DEFER;
	return steps[event];
}

const char *
policy_verifier(enum policy_level level)
{
	static const char *const names[POLICY_LEVELS] = {
	    [POLICY_PKIX] = "pkix",
	    [POLICY_STS] = "sts",
	    [POLICY_DANE] = "dane",
	};

	return names[level] != NULL ? names[level] : "no";
}
