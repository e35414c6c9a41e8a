/* SPDX-License-Identifier: ISC */
/* role-admin: the numbers, for people. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/protocol.h"
#include "ledger/clients.h"
#include "ledger/familiar.h"
#include "ledger/ledger.h"
#include "ledger/mailboxes.h"
#include "ledger/tallies.h"

enum { LINE_MAX_OCTETS = 200 };

static const char *const budget_names[] = {
    [BUDGETS_MESSAGES] = "login-messages",
    [BUDGETS_RECIPIENTS] = "login-recipients",
    [BUDGETS_NEW] = "login-new-recipients"};

static const char *const client_names[] = {
    [CLIENTS_CONNECTIONS] = "client-connections",
    [CLIENTS_MESSAGES] = "client-messages",
    [CLIENTS_RECIPIENTS] = "client-recipients",
    [CLIENTS_UNKNOWN] = "unknown-recipients",
    [CLIENTS_OFFENCES] = "offences"};

__attribute__((format(printf, 2, 3))) static void
add_line(struct packet *p, const char *format, ...)
{
	char line[LINE_MAX_OCTETS];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	packet_text(p, "line", line);
}

/* 60/1m as the config would have it. */
struct length {
	char text[32];
};

static struct length
length_of(uint64_t seconds)
{
	static const struct {
		char letter;
		unsigned seconds;
	} units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
	struct length s;
	size_t i = 0;

	while (seconds % units[i].seconds != 0)
		i++;
	snprintf(s.text, sizeof(s.text), "%" PRIu64 "%c",
	    seconds / units[i].seconds, units[i].letter);
	return s;
}

/* What is long is told in whole minutes, the last one counted. */
static struct length
wait_of(uint32_t seconds)
{
	return length_of(
	    seconds < 120 ? seconds : ((uint64_t)seconds + 59) / 60 * 60);
}

static void
add_tally(struct packet *p, const char *name, uint64_t count,
    const struct config_rate *rate, unsigned times)
{
	if (rate->count == 0)
		add_line(p, "%s: no limit", name);
	else
		add_line(p, "%s: %" PRIu64 " of %" PRIu64 " in %s", name, count,
		    rate->count * times, length_of(rate->span).text);
}

static void
add_known(struct packet *p, const char *client, time_t now)
{
	struct familiar_view view;
	char date[32] = "";
	struct tm tm;

	if (!familiar_view(client, &view, now)) {
		add_line(p, "not known");
		return;
	}
	if (gmtime_r(&view.last, &tm) != NULL)
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm);
	add_line(p, "known: mail was taken from it at about %s", date);
}

static void
add_client(struct packet *p, const char *client, time_t now)
{
	bool known = familiar_knows(client, NULL, now);
	struct clients_view view;
	char network[PREFIX_TEXT_MAX];

	if (!clients_view(client, known, &view, now)) {
		add_line(p, "no IP address");
		return;
	}
	add_known(p, client, now);
	for (int i = 0; i < CLIENTS_TALLIES; i++)
		add_tally(p, client_names[i], view.tallies[i],
		    &clients_limits.tallies[i], known ? CLIENTS_KNOWN : 1);
	prefix_format(&view.network, network);
	add_line(p, "network: %s", network);
	add_tally(
	    p, "network-connections", view.around, &clients_limits.network, 1);
	if (view.shut > 0)
		add_line(p,
		    "its recipients are put off for %s: too many did not exist",
		    wait_of(view.shut).text);
	if (view.grudge > 0)
		add_line(p,
		    "refused for %s: too many offences, grudge number %u",
		    wait_of(view.grudge).text, view.grudges);
}

static void
add_user(struct packet *p, const char *user,
    const struct budgets_limits *limits, const struct config_rate *mailbox,
    time_t now)
{
	uint64_t counts[BUDGETS_TALLIES];

	budgets_view(user, limits, counts, now);
	for (int i = 0; i < BUDGETS_TALLIES; i++)
		add_tally(p, budget_names[i], counts[i], &limits->tallies[i], 1);
	add_tally(p, "mailbox-messages", mailboxes_view(user, mailbox, now),
	    mailbox, 1);
}

bool
tallies_packet(struct peer *peer, struct packet *p)
{
	static struct packet answer;
	const char *client, *user, *own, *limit;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT_OPTIONAL("client", PROTOCOL_NAME_MAX, &client),
	    ATTRIBUTE_TEXT_OPTIONAL("user", PROTOCOL_LOGIN_MAX, &user),
	    ATTRIBUTE_TEXT_OPTIONAL("limits", PROTOCOL_LIMITS_MAX, &own),
	    ATTRIBUTE_TEXT_OPTIONAL("limit", PROTOCOL_NAME_MAX, &limit)};
	struct config_rate mailbox = ledger.config.mailbox_messages;
	struct budgets_limits limits;

	if (!packet_read(p, "tallies", set, 4, 0) ||
	    (client == NULL) == (user == NULL) ||
	    !tallies_read_limits(own, &limits) ||
	    (limit != NULL && !config_parse_rate(limit, &mailbox)))
		return false;
	packet_start(&answer, "tallies");
	if (client != NULL)
		add_client(&answer, client, clock_now());
	else
		add_user(&answer, user, &limits, &mailbox, clock_now());
	peer_send(peer, &answer);
	return true;
}
