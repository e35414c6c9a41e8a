/* SPDX-License-Identifier: ISC */
#include "ledger/tallies.h"

#include <string.h>

#include "common/clock.h"
#include "common/protocol.h"
#include "ledger/clients.h"
#include "ledger/familiar.h"
#include "ledger/grey.h"
#include "ledger/ledger.h"
#include "ledger/mailboxes.h"

void
tallies_limit(const struct config *c)
{
	clients_limits = (struct clients_limits){
	    .tallies = {[CLIENTS_CONNECTIONS] = c->client_connections,
		[CLIENTS_MESSAGES] = c->client_messages,
		[CLIENTS_RECIPIENTS] = c->client_recipients,
		[CLIENTS_UNKNOWN] = c->unknown_recipients,
		[CLIENTS_OFFENCES] = c->offences},
	    .network = c->network_connections};
	familiar_memory = (uint32_t)c->client_memory;
	grey_limits = (struct grey_limits){.delay = (uint32_t)c->greylist_delay,
	    .window = (uint32_t)c->greylist_window,
	    .memory = (uint32_t)c->client_memory};
}

struct budgets_limits
tallies_budgets(void)
{
	const struct config *c = &ledger.config;

	return (struct budgets_limits){{[BUDGETS_MESSAGES] = c->login_messages,
	    [BUDGETS_RECIPIENTS] = c->login_recipients,
	    [BUDGETS_NEW] = c->login_new_recipients}};
}

/* -- role-gate -- */

static bool
connection(struct peer *peer, struct packet *p)
{
	static const char *const verdicts[] = {[CLIENTS_OK] = "ok",
	    [CLIENTS_CLIENT_RATE] = "client-rate",
	    [CLIENTS_NETWORK_RATE] = "network-rate",
	    [CLIENTS_GRUDGE] = "grudge"};
	static struct packet answer;
	const char *client;
	uint64_t serial;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("serial", &serial),
	    ATTRIBUTE_TEXT("client", PROTOCOL_NAME_MAX, &client)};
	time_t now = clock_now();
	enum clients_verdict verdict;
	uint32_t wait;
	bool known;

	if (!packet_read(p, "connection", set, 2, 0))
		return false;
	known = familiar_knows(client, NULL, now);
	verdict = clients_connection(client, known, now, &wait);
	packet_start(&answer, "connection");
	packet_number(&answer, "serial", serial);
	packet_text(&answer, "verdict", verdicts[verdict]);
	if (wait > 0)
		packet_number(&answer, "wait", wait);
	if (known)
		packet_number(&answer, "known", 1);
	peer_send(peer, &answer);
	return true;
}

static bool
is_word(const char *text)
{
	return *text != '\0' &&
	    text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

static bool
bad(struct packet *p)
{
	const char *client, *what;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("client", PROTOCOL_NAME_MAX, &client),
	    ATTRIBUTE_TEXT("what", PROTOCOL_NAME_MAX, &what)};
	time_t now = clock_now();

	if (!packet_read(p, "bad", set, 2, 0) || !is_word(what))
		return false;
	clients_offence(client, familiar_knows(client, NULL, now), what, now);
	return true;
}

bool
tallies_gate_packet(struct peer *peer, struct packet *p)
{
	bool good = packet_is(p, "bad") ? bad(p) : connection(peer, p);

	ledger_changed();
	return good;
}

/* -- role-smtpd -- */

/* what: the keyword of the limit, or NULL. */
static bool
answer(struct peer *peer, const char *verb, const char *verdict,
    const char *what, uint32_t wait)
{
	static struct packet answer;

	packet_start(&answer, verb);
	packet_text(&answer, "verdict", verdict);
	if (what != NULL)
		packet_text(&answer, "what", what);
	if (wait > 0)
		packet_number(&answer, "wait", wait);
	peer_send(peer, &answer);
	return true;
}

/* A user's own limit, or the config's; false: it is none. */
static bool
read_limit(const char *text, struct config_rate *rate)
{
	*rate = ledger.config.mailbox_messages;
	return text == NULL || config_parse_rate(text, rate);
}

static bool
recipient(struct peer *peer, struct packet *p)
{
	const char *client, *mailbox, *limit;
	uint64_t first, dry;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("client", PROTOCOL_NAME_MAX, &client),
	    ATTRIBUTE_NUMBER_OPTIONAL("first", &first),
	    ATTRIBUTE_TEXT_OPTIONAL("mailbox", MAILBOXES_NAME_MAX, &mailbox),
	    ATTRIBUTE_TEXT_OPTIONAL("limit", PROTOCOL_NAME_MAX, &limit),
	    ATTRIBUTE_NUMBER_OPTIONAL("dry", &dry)};
	time_t now = clock_now();
	struct config_rate rate;
	const char *what;
	uint32_t wait;
	bool known;

	if (!packet_read(p, "recipient", set, 5, 0) ||
	    !read_limit(limit, &rate))
		return false;
	known = familiar_knows(client, NULL, now);
	what = clients_check(client, known, first == 1, now, &wait);
	if (what != NULL)
		return answer(peer, "recipient", "client-rate", what, wait);
	wait = mailbox != NULL ? mailboxes_wait(mailbox, &rate, now) : 0;
	if (wait > 0)
		return answer(peer, "recipient", "mailbox-rate",
		    "mailbox-messages", wait);
	if (dry == 0)
		clients_recipient(client, known, first == 1, now);
	return answer(peer, "recipient", "ok", NULL, 0);
}

static bool
accepted(struct packet *p)
{
	const char *mailbox, *limit;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("mailbox", MAILBOXES_NAME_MAX, &mailbox),
	    ATTRIBUTE_TEXT_OPTIONAL("limit", PROTOCOL_NAME_MAX, &limit)};
	struct config_rate rate;

	if (!packet_read(p, "accepted", set, 2, 0) || !read_limit(limit, &rate))
		return false;
	mailboxes_count(mailbox, &rate, clock_now());
	return true;
}

static bool
grey(struct peer *peer, struct packet *p)
{
	struct grey_case g;
	uint64_t dry;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("key", FAMILIAR_KEY_MAX, &g.key),
	    ATTRIBUTE_TEXT("client", PROTOCOL_NAME_MAX, &g.client),
	    ATTRIBUTE_TEXT("sender", PROTOCOL_ADDRESS_MAX, &g.sender),
	    ATTRIBUTE_TEXT("recipient", PROTOCOL_ADDRESS_MAX, &g.recipient),
	    ATTRIBUTE_NUMBER_OPTIONAL("dry", &dry)};
	time_t now = clock_now();
	uint32_t wait = 0;

	if (!packet_read(p, "grey", set, 5, 0))
		return false;
	if (!familiar_knows(g.client, g.key, now))
		wait = grey_wait(&g, dry == 1, now);
	return answer(
	    peer, "grey", wait == 0 ? "ok" : "greylisted", NULL, wait);
}

static bool
known(struct peer *peer, struct packet *p)
{
	static struct packet said;
	const char *client, *key;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("client", PROTOCOL_NAME_MAX, &client),
	    ATTRIBUTE_TEXT_OPTIONAL("key", FAMILIAR_KEY_MAX, &key)};
	struct clients_view view;
	time_t now = clock_now();
	bool is_known;

	if (!packet_read(p, "known", set, 2, 0))
		return false;
	is_known = familiar_knows(client, key, now);
	packet_start(&said, "known");
	packet_number(&said, "known", is_known ? 1 : 0);
	if (clients_view(client, is_known, &view, now) && view.grudge > 0)
		packet_number(&said, "grudge", view.grudge);
	peer_send(peer, &said);
	return true;
}

static bool
ended(struct packet *p)
{
	const char *client, *key, *result;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("client", PROTOCOL_NAME_MAX, &client),
	    ATTRIBUTE_TEXT_OPTIONAL("key", FAMILIAR_KEY_MAX, &key),
	    ATTRIBUTE_TEXT("result", PROTOCOL_NAME_MAX, &result)};
	time_t now = clock_now();

	if (!packet_read(p, "ended", set, 3, 0))
		return false;
	if (strcmp(result, "unknown") == 0) {
		clients_unknown(client, familiar_knows(client, key, now), now);
	} else if (strcmp(result, "taken") == 0) {
		familiar_taken(client, key, now);
	} else if (strcmp(result, "junk") == 0) {
		familiar_junk(client, key, now);
		if (key != NULL)
			grey_unlearn(key);
	} else {
		return strcmp(result, "refused") == 0;
	}
	return true;
}

bool
tallies_smtpd_packet(struct peer *peer, struct packet *p)
{
	ledger_changed();
	if (packet_is(p, "recipient"))
		return recipient(peer, p);
	if (packet_is(p, "accepted"))
		return accepted(p);
	if (packet_is(p, "grey"))
		return grey(peer, p);
	if (packet_is(p, "known"))
		return known(peer, p);
	return packet_is(p, "bad") ? bad(p) : ended(p);
}

/* -- forgetting -- */

bool
tallies_forget_client(const char *client)
{
	bool counted = clients_forget(client);

	return familiar_forget(client) || counted;
}

bool
tallies_forget_user(const char *user)
{
	bool counted = mailboxes_forget(user);

	return budgets_forget(user) || counted;
}
