/* SPDX-License-Identifier: ISC */
#include "smtpd/tallies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ipc.h"
#include "common/protocol.h"
#include "smtpd/ledger.h"
#include "smtpd/session.h"

/* Whose tallies there are. */
static bool
is_counted(const struct session *s)
{
	return policy_is_stranger(&s->facts) &&
	    s->client.address.ss_family != AF_UNSPEC;
}

static void
add_dry(struct packet *p, const struct session *s)
{
	if (s->dry)
		packet_number(p, "dry", 1);
}

static void
read_rate(const struct packet *p, struct tallies_rate *rate)
{
	const char *verdict, *what;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("verdict", PROTOCOL_NAME_MAX, &verdict),
	    ATTRIBUTE_TEXT_OPTIONAL("what", TALLIES_WHAT_MAX, &what),
	    ATTRIBUTE_NUMBER_OPTIONAL("wait", &rate->wait)};

	if (!packet_read(p, "recipient", set, 3, 0)) {
		ledger_drop();
		return;
	}
	if (strcmp(verdict, "client-rate") == 0)
		rate->verdict = VERDICT_CLIENT_RATE;
	else if (strcmp(verdict, "mailbox-rate") == 0)
		rate->verdict = VERDICT_MAILBOX_RATE;
	if (what != NULL)
		snprintf(rate->what, sizeof(rate->what), "%s", what);
}

/* What an alias leads to may be several: they count as itself. */
static const char *
mailbox_of(const struct session *s, const char *address)
{
	const struct owners_place *place = &s->transaction.place;

	return place->mailbox[0] != '\0' ? place->mailbox : address;
}

/* NULL: the config's. */
static const char *
limit_of(const struct session *s)
{
	const char *limit = s->transaction.place.limit;

	return limit[0] != '\0' ? limit : NULL;
}

void
tallies_recipient(
    struct session *s, const char *address, struct tallies_rate *rate)
{
	struct packet p;

	*rate = (struct tallies_rate){.verdict = VERDICT_RECIPIENT_OK};
	if (!is_counted(s))
		return;
	packet_start(&p, "recipient");
	packet_text(&p, "client", s->client.text);
	if (!s->transaction.counted)
		packet_number(&p, "first", 1);
	if (address != NULL)
		packet_text(&p, "mailbox", mailbox_of(s, address));
	if (address != NULL && limit_of(s) != NULL)
		packet_text(&p, "limit", limit_of(s));
	add_dry(&p, s);
	if (p.failed || !ledger_ask(&p))
		return;
	read_rate(&p, rate);
	packet_close(&p);
	if (rate->verdict == VERDICT_RECIPIENT_OK)
		s->transaction.counted = true;
}

/* -- mailboxes -- */

static bool
make_room(struct tallies_mailboxes *m)
{
	size_t room = m->room > 0 ? 2 * m->room : 4;
	struct tallies_mailbox *grown;

	if (m->n < m->room)
		return true;
	grown = reallocarray(m->items, room, sizeof(*grown));
	if (grown == NULL)
		return false;
	m->items = grown;
	m->room = room;
	return true;
}

void
tallies_accepted(struct session *s, const char *address)
{
	struct tallies_mailboxes *m = &s->transaction.mailboxes;
	struct tallies_mailbox *new;

	if (!is_counted(s) || s->dry || !make_room(m))
		return;
	new = &m->items[m->n];
	new->name = strdup(mailbox_of(s, address));
	new->limit = limit_of(s) != NULL ? strdup(limit_of(s)) : NULL;
	if (new->name != NULL)
		m->n++;
	else
		free(new->limit);
}

void
tallies_forget(struct tallies_mailboxes *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->items[i].name);
		free(m->items[i].limit);
	}
	free(m->items);
	*m = (struct tallies_mailboxes){0};
}

static void
tell_mailboxes(const struct tallies_mailboxes *m)
{
	struct packet p;

	for (size_t i = 0; i < m->n; i++) {
		if (i == 0 || packet_is_full(&p))
			packet_start(&p, "accepted");
		else
			packet_also(&p, "accepted");
		packet_text(&p, "mailbox", m->items[i].name);
		if (m->items[i].limit != NULL)
			packet_text(&p, "limit", m->items[i].limit);
		if ((i + 1 == m->n || packet_is_full(&p)) && !p.failed)
			ledger_tell(&p);
	}
}

/* -- greylist, known clients -- */

uint64_t
tallies_grey(struct session *s, const char *key, const char *recipient)
{
	const char *verdict;
	uint64_t wait;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("verdict", PROTOCOL_NAME_MAX, &verdict),
	    ATTRIBUTE_NUMBER_OPTIONAL("wait", &wait)};
	struct packet p;
	bool good;

	if (!is_counted(s))
		return 0;
	packet_start(&p, "grey");
	packet_text(&p, "key", key);
	packet_text(&p, "client", s->client.text);
	packet_text(&p, "sender", s->transaction.sender_text);
	packet_text(&p, "recipient", recipient);
	add_dry(&p, s);
	if (p.failed || !ledger_ask(&p))
		return 0;
	good = packet_read(&p, "grey", set, 2, 0);
	packet_close(&p);
	if (!good)
		ledger_drop();
	return good ? wait : 0;
}

struct standing {
	uint64_t known, grudge;
};

static struct standing
ask_standing(struct session *s, const char *key)
{
	struct standing found = {0, 0};
	const struct attribute set[] = {ATTRIBUTE_NUMBER("known", &found.known),
	    ATTRIBUTE_NUMBER_OPTIONAL("grudge", &found.grudge)};
	struct packet p;
	bool good;

	if (!is_counted(s))
		return found;
	packet_start(&p, "known");
	packet_text(&p, "client", s->client.text);
	if (key != NULL)
		packet_text(&p, "key", key);
	if (p.failed || !ledger_ask(&p))
		return found;
	good = packet_read(&p, "known", set, 2, 0);
	packet_close(&p);
	if (good)
		return found;
	ledger_drop();
	return (struct standing){0, 0};
}

bool
tallies_known(struct session *s, const char *key)
{
	return ask_standing(s, key).known == 1;
}

uint64_t
tallies_grudge(struct session *s)
{
	return ask_standing(s, NULL).grudge;
}

/* -- what became of it -- */

void
tallies_ended(struct session *s, const char *key, enum tallies_result result)
{
	static const char *const names[] = {[TALLIES_TAKEN] = "taken",
	    [TALLIES_JUNK] = "junk",
	    [TALLIES_REFUSED] = "refused",
	    [TALLIES_UNKNOWN] = "unknown"};
	struct packet p;

	if (!is_counted(s) || s->dry)
		return;
	if (result == TALLIES_TAKEN || result == TALLIES_JUNK)
		tell_mailboxes(&s->transaction.mailboxes);
	packet_start(&p, "ended");
	packet_text(&p, "client", s->client.text);
	if (key != NULL)
		packet_text(&p, "key", key);
	packet_text(&p, "result", names[result]);
	if (!p.failed)
		ledger_tell(&p);
}

void
tallies_offence(struct session *s, const char *what)
{
	struct packet p;

	if (!is_counted(s) || s->dry)
		return;
	packet_start(&p, "bad");
	packet_text(&p, "client", s->client.text);
	packet_text(&p, "what", what);
	if (!p.failed)
		ledger_tell(&p);
}
