/* SPDX-License-Identifier: ISC */
#include "ledger/admin.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/protocol.h"
#include "ledger/destinations.h"
#include "ledger/fold.h"
#include "ledger/journal.h"
#include "ledger/ledger.h"
#include "ledger/logins.h"
#include "ledger/report_rows.h"
#include "ledger/sts.h"
#include "ledger/tallies.h"

static void
add_event(struct packet *p, const char *name, const struct logins_event *e)
{
	char client[PREFIX_TEXT_MAX] = "-", text[PREFIX_TEXT_MAX + 32];

	if (e->client.version != 0)
		prefix_format(&e->client, client);
	snprintf(text, sizeof(text), "%lld %s", (long long)e->when, client);
	packet_text(p, name, text);
}

static bool
failures(struct peer *peer, struct packet *p)
{
	static struct packet answer;
	static struct logins_failures f;
	const char *user;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("user", PROTOCOL_LOGIN_MAX, &user)};

	if (!packet_read(p, "failures", set, 1, 0))
		return false;
	logins_failures(user, &f, clock_now());
	packet_start(&answer, "failures");
	packet_number(&answer, "count", f.count);
	if (f.wait > 0)
		packet_number(&answer, "wait", f.wait);
	for (size_t i = 0; i < f.nrecent; i++)
		add_event(&answer, "failed", &f.recent[i]);
	for (size_t i = 0; i < f.nknown; i++)
		add_event(&answer, "known", &f.known[i]);
	peer_send(peer, &answer);
	return true;
}

static bool
forget(struct peer *peer, struct packet *p)
{
	static struct packet answer;
	const char *client, *user;
	uint64_t budget;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT_OPTIONAL("client", PROTOCOL_NAME_MAX, &client),
	    ATTRIBUTE_TEXT_OPTIONAL("user", PROTOCOL_LOGIN_MAX, &user),
	    ATTRIBUTE_NUMBER_OPTIONAL("budget", &budget)};
	bool found;

	if (!packet_read(p, "forget", set, 3, 0) ||
	    (client == NULL) == (user == NULL))
		return false;
	if (budget == 1 && user != NULL)
		found = budgets_forget(user);
	else if (client != NULL)
		found = logins_forget_client(client) |
		    tallies_forget_client(client);
	else
		found = logins_forget_user(user) | tallies_forget_user(user);
	packet_start(&answer, found ? "done" : "failed");
	if (!found)
		packet_text(&answer, "reason", "nothing is counted there");
	journal_rewrite();
	/* Whoever hears of it relies on it, whoever dies next. */
	journal_flush(clock_now());
	peer_send(peer, &answer);
	ledger_changed();
	return true;
}

/* -- what is known of a domain -- */

struct date {
	char text[32];
};

static struct date
date_of(time_t when)
{
	struct date d = {""};
	struct tm tm;

	if (gmtime_r(&when, &tm) != NULL)
		strftime(d.text, sizeof(d.text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return d;
}

__attribute__((format(printf, 2, 3))) static void
add_line(struct packet *p, const char *format, ...)
{
	char line[STS_MX_OCTETS_MAX + 64];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	packet_text(p, "line", line);
}

static void
add_sts(struct packet *p, const char *domain, time_t now)
{
	struct sts_view v;

	sts_view(domain, NULL, false, &v, now);
	if (!v.has_policy) {
		add_line(p, "MTA-STS: no policy is known: %s", v.reason);
		return;
	}
	add_line(p,
	    "MTA-STS: the policy says %s; it has the id %s, was fetched at %s "
	    "and is good until %s",
	    sts_mode_name(v.mode), *v.id != '\0' ? v.id : "-",
	    date_of(now - (time_t)v.age).text,
	    date_of(now - (time_t)v.age + (time_t)v.max_age).text);
	if (*v.mx != '\0')
		add_line(p, "MTA-STS: the policy names %s", v.mx);
	if (*v.reason != '\0')
		add_line(p, "MTA-STS: %s", v.reason);
}

static void
add_host(struct packet *p, const char *host)
{
	struct host_view v;

	if (!host_recall(host, &v))
		return;
	if (v.tls == HOST_YES)
		add_line(p, "%s does TLS (%s), since %s", host,
		    *v.protocol != '\0' ? v.protocol : "-",
		    date_of(v.since).text);
	else if (v.tls == HOST_NO)
		add_line(
		    p, "%s does no TLS, since %s", host, date_of(v.since).text);
	if (v.broken != 0)
		add_line(p, "a handshake with %s failed at %s", host,
		    date_of(v.broken).text);
}

static const char *
under(const char *policy)
{
	if (strcmp(policy, "dane") == 0)
		return "under DANE";
	return strcmp(policy, "sts") == 0 ? "under MTA-STS"
					  : "without a policy";
}

static void
add_delivery(struct packet *p, const struct delivery_view *v)
{
	add_line(p, "at %s mail %s %s, %s%s%s", date_of(v->when).text,
	    strcmp(v->result, "ok") == 0 ? "could go to" : "was held back from",
	    v->host, under(v->policy), *v->reason != '\0' ? ": " : "",
	    v->reason);
}

static bool
tls_policy(struct peer *peer, struct packet *p)
{
	static struct packet answer;
	struct delivery_view v;
	const char *domain;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("domain", DESTINATION_NAME_MAX, &domain)};
	char folded[DESTINATION_NAME_MAX + 1];

	if (!packet_read(p, "tls-policy", set, 1, 0))
		return false;
	fold(domain, folded, DESTINATION_NAME_MAX);
	packet_start(&answer, "tls-policy");
	add_sts(&answer, folded, clock_now());
	if (delivery_recall(folded, &v)) {
		add_delivery(&answer, &v);
		add_host(&answer, v.host);
	}
	peer_send(peer, &answer);
	return true;
}

bool
admin_packet(struct peer *peer, struct packet *p)
{
	if (report_is_verb(p))
		return report_packet(peer, p);
	if (packet_is(p, "tls-policy"))
		return tls_policy(peer, p);
	if (packet_is(p, "tallies"))
		return tallies_packet(peer, p);
	return packet_is(p, "failures") ? failures(peer, p) : forget(peer, p);
}
