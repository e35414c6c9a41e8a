/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "common/netaddr.h"
#include "common/self.h"
#include "tools/dns-check.h"

enum { ADDRESSES_MAX = 16, NAMES_MAX = 8 };

/* -- the host's own name -- */

static bool
is_ours(const struct check *c, const struct sockaddr_storage *address)
{
	for (size_t i = 0; i < c->addresses.n; i++)
		if (netaddr_equal(&c->addresses.items[i], address))
			return true;
	return !self_is_loopback(address) && self_is_local(address);
}

static void
check_address(struct check *c, const char *subject,
    const struct sockaddr_storage *address)
{
	char text[NETADDR_TEXT_MAX];

	netaddr_format(address, text);
	if (is_ours(c, address))
		report_add(&c->report, FINDING_OK, subject,
		    "%s is this machine", text);
	else
		report_add(&c->report, FINDING_WARNING, subject,
		    "%s is not this machine; behind address translation, say "
		    "--ip %s",
		    text, text);
}

void
check_host(struct check *c)
{
	struct sockaddr_storage found[ADDRESSES_MAX];
	char subject[CHECK_NAME_SIZE], target[DNS_NAME_MAX + 1];
	enum dns_status status;
	size_t n;

	check_patience(c);
	snprintf(subject, sizeof(subject), "host %s", c->host);
	status =
	    dns_addresses(c->dns, c->host, AF_UNSPEC, found, ADDRESSES_MAX, &n);
	if (report_unanswered(&c->report, status, subject))
		return;
	if (status != DNS_FOUND)
		report_add(&c->report, FINDING_ERROR, subject,
		    "no address: publish its A record, and AAAA with IPv6");
	for (size_t i = 0; i < n; i++)
		check_address(c, subject, &found[i]);
	if (dns_alias(c->dns, c->host, target) == DNS_FOUND)
		report_add(&c->report, FINDING_ERROR, subject,
		    "a CNAME to %s: an MX must not lead to an alias (RFC 2181 "
		    "section 10.3)",
		    target);
}

/* -- MX -- */

static void
judge_mx(struct check *c, const char *subject)
{
	const struct dns_mx *ours = NULL;

	for (size_t i = 0; i < c->nmx && ours == NULL; i++)
		if (dns_name_equal(c->mx[i].host, c->host))
			ours = &c->mx[i];
	if (ours == NULL) {
		report_add(&c->report, FINDING_ERROR, subject,
		    "none leads here: publish \"%s. MX 10 %s.\"", c->domain,
		    c->host);
		return;
	}
	if (ours->preference > c->mx[0].preference)
		report_add(&c->report, FINDING_WARNING, subject,
		    "%s is preferred to %s", c->mx[0].host, c->host);
	else
		report_add(
		    &c->report, FINDING_OK, subject, "leads to %s", c->host);
	for (size_t i = 0; i < c->nmx; i++)
		if (&c->mx[i] != ours)
			report_add(&c->report, FINDING_NOTE, subject,
			    "%s takes mail for the domain, too", c->mx[i].host);
}

void
check_mx(struct check *c)
{
	char subject[CHECK_NAME_SIZE];
	enum dns_status status;

	check_patience(c);
	snprintf(subject, sizeof(subject), "MX %s", c->domain);
	status = dns_mx(c->dns, c->domain, c->mx, CHECK_MX_MAX, &c->nmx);
	if (report_unanswered(&c->report, status, subject))
		return;
	if (status == DNS_FOUND && c->nmx == 1 && c->mx[0].host[0] == '\0') {
		report_add(&c->report, FINDING_ERROR, subject,
		    "says that the domain takes no mail (RFC 7505)");
		c->nmx = 0;
		return;
	}
	judge_mx(c, subject);
}

/* -- PTR -- */

static bool
has_name(char (*names)[DNS_NAME_MAX + 1], size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (dns_name_equal(names[i], name))
			return true;
	return false;
}

/* There is one that leads back. */
static void
judge_name(struct check *c, const char *subject,
    const struct sockaddr_storage *address, const char *confirmed)
{
	char names[NAMES_MAX][DNS_NAME_MAX + 1];
	struct sockaddr_storage back[ADDRESSES_MAX];
	bool agrees = false;
	size_t n, m;

	(void)dns_ptr(c->dns, address, names, NAMES_MAX, &n);
	if (has_name(names, n, c->host)) {
		(void)dns_addresses(c->dns, c->host, address->ss_family, back,
		    ADDRESSES_MAX, &m);
		for (size_t i = 0; i < m; i++)
			agrees |= netaddr_equal(&back[i], address);
	}
	if (agrees)
		report_add(&c->report, FINDING_OK, subject,
		    "%s, and back; it is what EHLO says", c->host);
	else
		report_add(&c->report, FINDING_WARNING, subject,
		    "%s, while EHLO says %s: let both say the same", confirmed,
		    c->host);
}

static void
worsen(struct check *c, enum finding finding)
{
	if (finding > c->names)
		c->names = finding;
}

static void
check_ptr_of(struct check *c, const struct sockaddr_storage *address)
{
	char subject[CHECK_NAME_SIZE], text[NETADDR_TEXT_MAX];
	char names[NAMES_MAX][DNS_NAME_MAX + 1], confirmed[DNS_NAME_MAX + 1];
	enum dns_status status;
	size_t n;

	check_patience(c);
	netaddr_format(address, text);
	snprintf(subject, sizeof(subject), "PTR %s", text);
	status = dns_ptr(c->dns, address, names, NAMES_MAX, &n);
	if (status == DNS_FOUND)
		status = dns_confirmed_name(c->dns, address, confirmed);
	if (report_unanswered(&c->report, status, subject)) {
		worsen(c, FINDING_UNANSWERED);
	} else if (n == 0) {
		worsen(c, FINDING_ERROR);
		report_add(&c->report, FINDING_ERROR, subject,
		    "none: ask who gave you the address to publish %s",
		    c->host);
	} else if (status != DNS_FOUND || confirmed[0] == '\0') {
		worsen(c, FINDING_ERROR);
		report_add(&c->report, FINDING_ERROR, subject,
		    "%s, which does not lead back to the address", names[0]);
	} else {
		judge_name(c, subject, address, confirmed);
	}
}

void
check_ptr(struct check *c)
{
	c->names = FINDING_OK;
	if (c->relayed) {
		report_add(&c->report, FINDING_NOTE, "PTR",
		    "mail leaves by the relay host: its owner's business");
		return;
	}
	if (c->addresses.private && c->addresses.n == 0)
		report_add(&c->report, FINDING_WARNING, "address",
		    "%s is not of the Internet: say --ip and the address that "
		    "others see",
		    c->addresses.private_text);
	else if (c->addresses.n == 0)
		report_add(&c->report, FINDING_WARNING, "address",
		    "there is none that mail could leave from: say --ip");
	for (size_t i = 0; i < c->addresses.n; i++)
		check_ptr_of(c, &c->addresses.items[i]);
}
