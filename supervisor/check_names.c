/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/dns.h"
#include "common/netaddr.h"
#include "common/self.h"
#include "supervisor/report.h"

enum { LOOKUP_MS = 5000 };

/* Others look our name up; RFC 5321 section 2.3.5 wants it to resolve. */
static void
look_up(const struct config *config)
{
	struct sockaddr_storage addresses[4];
	struct dns *dns = dns_open(config);
	enum dns_status status;
	size_t n;

	if (dns == NULL) {
		report_warning("no name service: %s", strerror(errno));
		return;
	}
	dns_deadline(dns, clock_monotonic_ms() + LOOKUP_MS);
	status =
	    dns_addresses(dns, config->hostname, AF_UNSPEC, addresses, 4, &n);
	if (status != DNS_FOUND)
		report_warning("host name %s has no address in the DNS: %s",
		    config->hostname, dns_status_text(status));
	dns_close(dns);
}

void
check_names(const struct config *config)
{
	if (strchr(config->hostname, '.') == NULL)
		report_error("host name \"%s\" is not a full name (RFC 5321 "
			     "section 2.3.5): set \"hostname\"",
		    config->hostname);
	else
		look_up(config);
	if (config->hostname_guessed)
		report_warning(
		    "\"hostname\" is not set; %s is taken", config->hostname);
	if (config->domains.n == 0)
		report_warning("no \"domain\": only those in the user "
			       "database have mail at home here");
	else
		report_note("what %s publishes: \"postrider-dns check %s\"",
		    config->domains.items[0], config->domains.items[0]);
}

static void
check_wide(const struct config_nets *nets, const char *what, const char *risk)
{
	char text[NETADDR_TEXT_MAX];

	for (size_t i = 0; i < nets->n; i++) {
		const struct config_net *net = &nets->items[i];

		netaddr_format(&net->address, text);
		if (net->prefix <
		    (net->address.ss_family == AF_INET ? 8U : 16U))
			report_warning(
			    "\"%s\" %s/%u: %s", what, text, net->prefix, risk);
	}
}

void
check_relaying(const struct config *config)
{
	check_wide(&config->relay_from, "relay-from",
	    "an open relay, which others will find and block");
	check_wide(&config->allow_plaintext_auth, "allow-plaintext-auth",
	    "passwords can be read on the way");
	check_wide(&config->proxy_from, "proxy-from",
	    "whoever is there can give himself any address");
}

/* What "trusted" promises is the postmaster's word; two slips show. */
void
check_resolvers(const struct config *config)
{
	const struct config_servers *servers = &config->dns_servers;
	char text[NETADDR_TEXT_MAX];
	size_t trusted = 0;

	for (size_t i = 0; i < servers->n; i++) {
		if (!servers->items[i].trusted)
			continue;
		trusted++;
		netaddr_format(&servers->items[i].address, text);
		if (!self_is_loopback(&servers->items[i].address))
			report_warning(
			    "\"dns-server\" %s is trusted and not on "
			    "this machine: who can change its answers "
			    "on the way turns DANE off or on",
			    text);
	}
	if (trusted > 0 && trusted < servers->n)
		report_warning("\"dns-server\": not all of them are trusted, "
			       "so DANE is not used");
}
