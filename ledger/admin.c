/* SPDX-License-Identifier: ISC */
#include "ledger/admin.h"

#include <stdio.h>

#include "common/clock.h"
#include "common/protocol.h"
#include "ledger/journal.h"
#include "ledger/ledger.h"
#include "ledger/logins.h"

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
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT_OPTIONAL("client", PROTOCOL_NAME_MAX, &client),
	    ATTRIBUTE_TEXT_OPTIONAL("user", PROTOCOL_LOGIN_MAX, &user)};
	bool found;

	if (!packet_read(p, "forget", set, 2, 0) ||
	    (client == NULL) == (user == NULL))
		return false;
	found = client != NULL ? logins_forget_client(client)
			       : logins_forget_user(user);
	packet_start(&answer, found ? "done" : "failed");
	if (!found)
		packet_text(&answer, "reason", "nothing is counted there");
	peer_send(peer, &answer);
	journal_rewrite();
	ledger_changed();
	return true;
}

bool
admin_packet(struct peer *peer, struct packet *p)
{
	return packet_is(p, "failures") ? failures(peer, p) : forget(peer, p);
}
