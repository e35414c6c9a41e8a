/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "common/address.h"
#include "common/dns_read.h"
#include "common/netaddr.h"
#include "common/program.h"
#include "tools/dns-house.h"
#include "tools/dns-keys.h"
#include "tools/dns-policy.h"
#include "tools/dns-zone.h"

enum { NAME_SIZE = DNS_NAME_MAX + 128, POLICY_TEXT_MAX = 16384 };

struct show {
	const struct request *request;
	const char *host, *domain;
	struct house_addresses addresses, arrivals;
	struct zone zone;
	int code;
};

/* -- the way here, and the way out -- */

static void
show_mx(struct show *s)
{
	zone_note(&s->zone, "Mail for the domain comes to this machine.");
	zone_record(&s->zone, s->domain, "MX", "10 %s.", s->host);
	for (size_t i = 0; i < s->request->nmx; i++)
		if (!dns_name_equal(s->request->mx[i], s->host))
			zone_record(&s->zone, s->domain, "MX", "20 %s.",
			    s->request->mx[i]);
}

static void
show_private(struct show *s)
{
	if (s->addresses.private)
		zone_note(&s->zone,
		    "%s is this machine's, but not of the Internet: say with\n"
		    "--ip which address others see.",
		    s->addresses.private_text);
	if (s->addresses.n == 0)
		zone_note(&s->zone, "%s. A ...", s->host);
}

static void
show_addresses(struct show *s)
{
	char text[NETADDR_TEXT_MAX], name[DNS_NAME_MAX + 1];
	const struct house_addresses *list = &s->arrivals;

	zone_gap(&s->zone);
	zone_note(&s->zone, "The machine's name leads to it.");
	for (size_t i = 0; i < list->n; i++) {
		netaddr_format(&list->items[i], text);
		zone_record(&s->zone, s->host,
		    list->items[i].ss_family == AF_INET ? "A" : "AAAA", "%s",
		    text);
	}
	show_private(s);
	list = &s->addresses;
	zone_gap(&s->zone);
	zone_note(&s->zone,
	    "And its addresses back to the name: for the provider's panel.\n"
	    "Without that, others take little mail from here.");
	for (size_t i = 0; i < list->n; i++)
		if (dns_reverse_name(&list->items[i], name))
			zone_record(&s->zone, name, "PTR", "%s.", s->host);
}

/* -- who may send -- */

static void
show_spf_of(struct show *s, const char *name, const char *mechanism)
{
	struct buf record = BUF_INIT(POLICY_TEXT_MAX);
	char text[NETADDR_TEXT_MAX];
	const struct house_addresses *list = &s->addresses;

	buf_addf(&record, "v=spf1 %s", mechanism);
	for (size_t i = 0; i < list->n && list->named; i++) {
		netaddr_format(&list->items[i], text);
		buf_addf(&record, " ip%c:%s",
		    list->items[i].ss_family == AF_INET ? '4' : '6', text);
	}
	buf_adds(&record, " -all");
	if (buf_text(&record) != NULL)
		zone_text(&s->zone, name, record.data);
	buf_free(&record);
}

static void
show_spf(struct show *s)
{
	char relay[DNS_NAME_MAX + 1];

	zone_gap(&s->zone);
	zone_note(&s->zone, "SPF: nobody else sends for these names.");
	config_relay_name(s->request->config, relay, sizeof(relay));
	if (relay[0] != '\0')
		zone_note(&s->zone,
		    "Mail leaves by %s: add what its owner\n"
		    "says, such as include:..., before -all.",
		    relay);
	show_spf_of(s, s->domain, "mx");
	if (!dns_name_equal(s->domain, s->host))
		show_spf_of(s, s->host, "a");
}

/* Retired keys have their records already, and lose them in a while. */
static void
show_dkim(struct show *s)
{
	static struct house_keys keys;
	const char *why = house_read_keys(s->request, &keys);
	char name[NAME_SIZE];

	zone_gap(&s->zone);
	zone_note(&s->zone, "DKIM: the keys that signatures are checked with.");
	if (why != NULL)
		zone_note(&s->zone, "They were not looked at: %s.", why);
	else if (keys.n == 0)
		zone_note(&s->zone,
		    "There are none: say \"postrider-key dkim %s\".",
		    s->domain);
	for (size_t i = 0; i < keys.n; i++) {
		if (keys.items[i].state == SELECTOR_RETIRED)
			continue;
		snprintf(name, sizeof(name), "%s._domainkey.%s",
		    keys.items[i].selector, keys.domain);
		zone_text(&s->zone, name, keys.items[i].record);
	}
}

/* A report's address of another domain needs that domain's word. */
static void
show_reports_elsewhere(struct show *s, const char *address)
{
	const char *other = strrchr(address, '@') + 1;
	char name[NAME_SIZE];

	if (zone_has(&s->zone, other))
		return;
	zone_note(&s->zone, "Its owner takes reports for another domain.");
	snprintf(name, sizeof(name), "%s._report._dmarc.%s", s->domain, other);
	zone_text(&s->zone, name, "v=DMARC1;");
}

static void
show_dmarc(struct show *s, const char *reports)
{
	char name[NAME_SIZE], text[NAME_SIZE + 512];

	zone_gap(&s->zone);
	zone_note(&s->zone,
	    "DMARC: begin with p=none and read the reports\n"
	    "(postrider-report read). When only your own hosts send for the\n"
	    "domain, and pass, say p=quarantine, and some weeks later "
	    "p=reject.");
	snprintf(name, sizeof(name), "_dmarc.%s", s->domain);
	snprintf(
	    text, sizeof(text), "v=DMARC1; p=none; rua=mailto:%s", reports);
	zone_text(&s->zone, name, text);
	show_reports_elsewhere(s, reports);
}

/* -- TLS -- */

static void
show_sts(struct show *s)
{
	struct buf policy = BUF_INIT(POLICY_TEXT_MAX);
	char name[NAME_SIZE], text[64], id[STS_ID_MAX + 1];

	zone_gap(&s->zone);
	zone_note(&s->zone,
	    "MTA-STS: others use TLS on the way here. Only with the policy on "
	    "a\n"
	    "web server (postrider-dns files); when it changes, so does the "
	    "id.");
	if (policy_write(s->request, &policy) && policy_id(&policy, id)) {
		snprintf(name, sizeof(name), "_mta-sts.%s", s->domain);
		snprintf(text, sizeof(text), "v=STSv1; id=%s", id);
		zone_text(&s->zone, name, text);
	} else {
		s->code = program_fail(EX_SOFTWARE, "no id for the policy");
	}
	buf_free(&policy);
}

static void
show_tls_reports(struct show *s, const char *reports)
{
	char name[NAME_SIZE], text[NAME_SIZE + 512];

	zone_gap(&s->zone);
	zone_note(&s->zone, "TLS-RPT: others tell where TLS failed.");
	snprintf(name, sizeof(name), "_smtp._tls.%s", s->domain);
	snprintf(text, sizeof(text), "v=TLSRPTv1; rua=mailto:%s", reports);
	zone_text(&s->zone, name, text);
}

static void
show_tlsa(struct show *s)
{
	const struct config_certificates *list =
	    &s->request->config->certificates;
	char name[NAME_SIZE];

	zone_gap(&s->zone);
	zone_note(&s->zone,
	    "DANE: only where the zone is signed (DNSSEC), and the key stays "
	    "the\n"
	    "same when the certificate is renewed (certbot --reuse-key).");
	snprintf(name, sizeof(name), "_25._tcp.%s", s->host);
	for (size_t i = 0; i < list->n; i++) {
		struct house_certificate c;

		if (!house_read_certificate(&list->items[i], &c)) {
			zone_note(&s->zone, "%s: %s", c.path, c.problem);
			continue;
		}
		if (certificate_covers(c.chain, s->host))
			zone_record(&s->zone, name, "TLSA", "3 1 1 %s", c.id);
		house_free_certificate(&c);
	}
}

/* -- for mail programs -- */

static void
show_services(struct show *s)
{
	static const struct {
		const char *label;
		enum listener_kind kind;
	} services[] = {
	    {"_submissions", LISTENER_SUBMISSIONS},
	    {"_submission", LISTENER_SUBMISSION},
	    {"_pop3s", LISTENER_POP3S},
	    {"_pop3", LISTENER_POP3},
	};
	char name[NAME_SIZE];
	bool told = false;

	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		unsigned port =
		    house_port(s->request->config, services[i].kind);

		if (port == 0)
			continue;
		if (!told) {
			zone_gap(&s->zone);
			zone_note(&s->zone,
			    "Where mail programs find it "
			    "(RFC 6186, RFC 8314).");
			told = true;
		}
		snprintf(name, sizeof(name), "%s._tcp.%s", services[i].label,
		    s->domain);
		zone_record(&s->zone, name, "SRV", "%d 1 %u %s.",
		    listener_begins_with_tls(services[i].kind) ? 0 : 10, port,
		    s->host);
	}
}

static void
show_web(struct show *s)
{
	static const char *const labels[] = {
	    "mta-sts", "autoconfig", "autodiscover"};
	char name[NAME_SIZE];

	zone_gap(&s->zone);
	zone_note(&s->zone,
	    "The web server with what \"postrider-dns files\" writes; it needs "
	    "a\n"
	    "certificate for these names.%s",
	    s->request->web == NULL ? " Say its name with --web." : "");
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		snprintf(name, sizeof(name), "%s.%s", labels[i], s->domain);
		if (s->request->web != NULL)
			zone_record(
			    &s->zone, name, "CNAME", "%s.", s->request->web);
		else
			zone_note(&s->zone, "%s. CNAME ...", name);
	}
}

int
dns_show(const struct request *r)
{
	struct show s = {.request = r,
	    .host = r->config->hostname,
	    .domain = r->domain,
	    .zone = {.domain = r->domain, .json = r->json}};
	char reports[ADDRESS_TEXT_MAX + 1];

	snprintf(reports, sizeof(reports), "postmaster@%s", r->domain);
	if (r->reports != NULL)
		snprintf(reports, sizeof(reports), "%s", r->reports);
	house_find_addresses(r, &s.addresses);
	house_find_arrivals(r, &s.addresses, &s.arrivals);
	zone_begin(&s.zone);
	show_mx(&s);
	show_addresses(&s);
	show_spf(&s);
	show_dkim(&s);
	show_dmarc(&s, reports);
	show_sts(&s);
	show_tls_reports(&s, reports);
	show_tlsa(&s);
	show_services(&s);
	show_web(&s);
	zone_end(&s.zone);
	return s.code;
}
