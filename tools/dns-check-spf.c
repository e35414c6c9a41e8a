/* SPDX-License-Identifier: ISC */
#include <stdio.h>

#include "common/netaddr.h"
#include "mailauth/spf.h"
#include "tools/dns-check.h"

/*
 * Asked as a receiver does, of the addresses that mail leaves from, and of
 * one that nobody has.
 */
static void
prepare(
    const struct check *c, struct spf_query *query, char *sender, size_t size)
{
	snprintf(sender, size, "postmaster@%s", c->domain);
	*query = (struct spf_query){
	    .helo = c->host, .sender = sender, .receiver = c->host};
}

/* What a result that is no pass means. */
static void
report_result(struct check *c, const char *subject, const char *address,
    const struct spf_result *r, const char *advice)
{
	bool trouble = r->result == AUTH_TEMPERROR;
	bool nothing = r->result == AUTH_NONE;

	if (r->result == AUTH_PASS)
		report_add(&c->report, FINDING_OK, subject, "%s passes (%s)",
		    address, r->mechanism);
	else if (trouble)
		report_add(
		    &c->report, FINDING_UNANSWERED, subject, "%s", r->reason);
	else if (nothing)
		report_add(&c->report, FINDING_ERROR, subject,
		    "none: publish \"%s\"", advice);
	else
		report_add(&c->report, FINDING_ERROR, subject, "%s: %s%s%s",
		    address, auth_result_name(r->result),
		    r->reason[0] != '\0' ? ": " : "", r->reason);
}

static void
check_address(struct check *c, const struct sockaddr_storage *address)
{
	char sender[CHECK_NAME_SIZE], subject[CHECK_NAME_SIZE];
	char text[NETADDR_TEXT_MAX];
	struct spf_query query;
	struct spf_result result;

	prepare(c, &query, sender, sizeof(sender));
	query.client = *address;
	netaddr_format(address, text);
	check_patience(c);
	spf_check_sender(&c->mailauth, &query, &result);
	snprintf(subject, sizeof(subject), "SPF %s", c->domain);
	report_result(c, subject, text, &result, "v=spf1 mx -all");
	if (dns_name_equal(c->host, c->domain))
		return;
	check_patience(c);
	spf_check_helo(&c->mailauth, &query, &result);
	snprintf(subject, sizeof(subject), "SPF %s", c->host);
	if (result.result == AUTH_NONE)
		report_add(&c->report, FINDING_WARNING, subject,
		    "none for the name that EHLO says, which counts for "
		    "bounces: publish \"v=spf1 a -all\"");
	else
		report_result(c, subject, text, &result, "v=spf1 a -all");
}

static void
check_stranger(struct check *c)
{
	char sender[CHECK_NAME_SIZE], subject[CHECK_NAME_SIZE];
	struct spf_query query;
	struct spf_result result;

	prepare(c, &query, sender, sizeof(sender));
	if (!netaddr_parse("203.0.113.253", 0, &query.client))
		return;
	check_patience(c);
	spf_check_sender(&c->mailauth, &query, &result);
	snprintf(subject, sizeof(subject), "SPF %s", c->domain);
	if (result.result == AUTH_PASS)
		report_add(&c->report, FINDING_ERROR, subject,
		    "every address passes (%s)", result.mechanism);
	else if (result.result == AUTH_NEUTRAL)
		report_add(&c->report, FINDING_WARNING, subject,
		    "it says nothing of other addresses: end it with \"-all\" "
		    "or \"~all\"");
}

void
check_spf(struct check *c)
{
	bool unknown = c->relayed && !c->addresses.named;

	if (unknown)
		report_add(&c->report, FINDING_NOTE, "SPF",
		    "the addresses of the relay host must pass; which they "
		    "are is not known here: say --ip");
	for (size_t i = 0; i < c->addresses.n && !unknown; i++)
		check_address(c, &c->addresses.items[i]);
	check_stranger(c);
}
