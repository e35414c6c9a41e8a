/* SPDX-License-Identifier: ISC */
/* Rules about MAIL: who sends, and how much. */
#include <inttypes.h>
#include <stdio.h>

#include "smtpd/policy_rules.h"

/* -- a login where one is needed: RFC 6409 section 4.3 -- */

static bool
takes_logins_only(const struct policy_facts *f)
{
	return policy_takes_logins_only(f->client->listener);
}

static enum verdict
judge_login(const struct policy_facts *f)
{
	return policy_may_relay(f->client) ? VERDICT_SENDER_OK
					   : VERDICT_LOGIN_NEEDED;
}

static void
write_client(const struct policy_facts *f, char out[POLICY_VALUE_MAX + 1])
{
	snprintf(out, POLICY_VALUE_MAX + 1, "%s",
	    f->client->logged_in        ? "logged in"
		: f->client->relay_from ? "in relay-from"
					: "not logged in");
}

/* -- and an address of that login: section 6.1 -- */

static bool
speaks_as_login(const struct policy_facts *f)
{
	return f->client->logged_in && !f->sender.null_path;
}

static enum verdict
judge_owned(const struct policy_facts *f)
{
	return f->sender.owned;
}

/* -- size: RFC 1870 section 6.1 -- */

static bool
declares_size(const struct policy_facts *f)
{
	return f->sender.declared_size > 0;
}

static enum verdict
judge_size(const struct policy_facts *f)
{
	return f->sender.declared_size > f->sender.max_size ? VERDICT_TOO_BIG
							    : VERDICT_SENDER_OK;
}

static void
write_size(const struct policy_facts *f, char out[POLICY_VALUE_MAX + 1])
{
	char most[POLICY_SIZE_MAX];

	policy_write_size(f->sender.max_size, most);
	snprintf(out, POLICY_VALUE_MAX + 1, "%s: %" PRIu64 " octets declared",
	    most, f->sender.declared_size);
}

static enum verdict
judge_room(const struct policy_facts *f)
{
	return f->sender.room;
}

/* -- a domain that an answer can reach: RFC 5321 section 5.1 -- */

static bool
needs_domain(const struct policy_facts *f)
{
	return f->sender.must_exist && f->sender.in_dns &&
	    policy_demands(f->client, TOLERATE_SENDER_DOMAIN);
}

static enum verdict
judge_domain(const struct policy_facts *f)
{
	return f->sender.domain;
}

static void
write_sender(const struct policy_facts *f, char out[POLICY_VALUE_MAX + 1])
{
	snprintf(out, POLICY_VALUE_MAX + 1, "<%s>", f->sender.address);
}

const struct policy_rule policy_sender_rules[] = {
    {"login", "relay-from", takes_logins_only, NEED_NOTHING, judge_login,
	write_client},
    {"sender-owned", "postrider-user(8)", speaks_as_login, NEED_OWNED,
	judge_owned, write_sender},
    {"declared-size", "max-message-size", declares_size, NEED_NOTHING,
	judge_size, write_size},
    {"room", "spool-reserve", declares_size, NEED_ROOM, judge_room, NULL},
    {"sender-domain", "sender-domain", needs_domain, NEED_DOMAIN, judge_domain,
	write_sender},
    {.name = NULL},
};
