/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/address.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/protocol.h"
#include "queue/attempt.h"
#include "queue/budget.h"
#include "queue/client.h"
#include "queue/local.h"
#include "queue/queue.h"
#include "queue/room.h"
#include "queue/signer.h"

/* -- the envelope -- */

/* It goes into files, logs and headers: only what is an address (A8). */
static bool
is_address(const char *text)
{
	struct address address;

	return address_parse(text, ADDRESS_UTF8 | ADDRESS_BARE, &address) ==
	    NULL;
}

static void
note_verdict(struct client *c, enum verdict verdict, size_t recipient)
{
	if (verdict <= c->verdict)
		return;
	c->verdict = verdict;
	c->refused = recipient;
}

static bool
copy_texts(struct client *c, const char *sender, const char *client,
    const char *helo, const char *protocol)
{
	struct envelope *e = &c->envelope;

	e->sender = strdup(sender);
	e->client = strdup(client);
	e->helo = strdup(helo);
	e->protocol = strdup(protocol);
	if (c->login != NULL && (e->login = strdup(c->login)) == NULL)
		return false;
	return e->sender != NULL && e->client != NULL && e->helo != NULL &&
	    e->protocol != NULL;
}

/* Mail is judged where it comes in, by smtpd: with a login or without. */
static bool
may_judge(const struct client *c)
{
	return c->role == CLIENT_SMTPD || c->role == CLIENT_LOGIN;
}

bool
client_on_commit(struct client *c, struct packet *p)
{
	struct envelope *e = &c->envelope;
	const char *id, *sender, *body, *client, *helo, *protocol;
	const char *ret, *envid, *junk, *hold;
	uint64_t utf8;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("id", PROTOCOL_ID_MAX, &id),
	    ATTRIBUTE_TEXT("sender", PROTOCOL_ADDRESS_MAX, &sender),
	    ATTRIBUTE_NUMBER("start", &e->start),
	    ATTRIBUTE_NUMBER("wire", &e->wire),
	    ATTRIBUTE_TEXT("body", PROTOCOL_NAME_MAX, &body),
	    ATTRIBUTE_NUMBER("utf8", &utf8),
	    ATTRIBUTE_TEXT("client", PROTOCOL_TEXT_MAX, &client),
	    ATTRIBUTE_TEXT("helo", PROTOCOL_TEXT_MAX, &helo),
	    ATTRIBUTE_TEXT("protocol", PROTOCOL_NAME_MAX, &protocol),
	    ATTRIBUTE_TEXT_OPTIONAL("ret", PROTOCOL_NAME_MAX, &ret),
	    ATTRIBUTE_TEXT_OPTIONAL("envid", DSN_ENVID_MAX, &envid),
	    ATTRIBUTE_TEXT_OPTIONAL("junk", ENVELOPE_JUNK_MAX, &junk),
	    ATTRIBUTE_TEXT_OPTIONAL("hold", PROTOCOL_TEXT_MAX, &hold),
	};

	if (!packet_read(p, "commit", set, sizeof(set) / sizeof(set[0]), 0) ||
	    strcmp(id, c->reception.id) != 0 || utf8 > 1)
		return false;
	if (strcmp(body, "8bitmime") != 0 && strcmp(body, "7bit") != 0)
		return false;
	if ((ret != NULL && !dsn_read_ret(ret, &e->ret)) ||
	    (envid != NULL && !dsn_is_envid(envid)) ||
	    (junk != NULL && (!may_judge(c) || !envelope_is_junk(junk))) ||
	    (hold != NULL && !may_judge(c)))
		return false;
	e->eight_bit = body[0] == '8';
	e->utf8 = utf8 == 1;
	e->uid = c->role == CLIENT_PUBLIC ? (int64_t)c->uid : -1;
	if (c->state == CLIENT_AHEAD)
		c->opened_us = clock_now_us();
	e->time = c->opened_us / 1000000;
	e->micros = (uint32_t)(c->opened_us % 1000000);
	client_state(c, CLIENT_ENVELOPE);
	if (!copy_texts(c, sender, client, helo, protocol) ||
	    (envid != NULL && (e->envid = strdup(envid)) == NULL) ||
	    (junk != NULL && (e->junk = strdup(junk)) == NULL) ||
	    (hold != NULL && !envelope_hold(e, e->time, hold)))
		note_verdict(c, VERDICT_BUSY, SIZE_MAX);
	else if (sender[0] != '\0' && !is_address(sender))
		note_verdict(c, VERDICT_BAD_SENDER, SIZE_MAX);
	return true;
}

bool
client_on_recipient(struct client *c, struct packet *p)
{
	const char *address, *notify;
	struct dsn_recipient asked = {.notify = 0};
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("address", PROTOCOL_ADDRESS_MAX, &address),
	    ATTRIBUTE_TEXT_OPTIONAL("notify", PROTOCOL_NAME_MAX, &notify),
	    ATTRIBUTE_TEXT_OPTIONAL("orcpt", DSN_ORCPT_MAX, &asked.orcpt),
	};

	if (!packet_read(p, "recipient", set, 3, 0) ||
	    (notify != NULL && !dsn_read_notify(notify, &asked.notify)) ||
	    (asked.orcpt != NULL && !dsn_is_orcpt(asked.orcpt)))
		return false;
	budget_take(BUDGET_CLIENTS, BUDGET_RECIPIENT);
	c->weight += BUDGET_RECIPIENT;
	if (c->envelope.n == ENVELOPE_RECIPIENTS_MAX)
		note_verdict(c, VERDICT_TOO_MANY_RECIPIENTS, SIZE_MAX);
	else if (budget_is_spent(BUDGET_CLIENTS) && c->role != CLIENT_REPORT)
		note_verdict(c, VERDICT_BUSY, SIZE_MAX);
	else if (!envelope_add_recipient(&c->envelope,
		     is_address(address) ? address : "?", c->envelope.n) ||
	    !envelope_ask(&c->envelope, c->envelope.n - 1, &asked))
		note_verdict(c, VERDICT_BUSY, SIZE_MAX);
	else if (!is_address(address))
		note_verdict(c, VERDICT_BAD_RECIPIENT, SIZE_MAX);
	return true;
}

/* Facts of the file against what the client said of it. */
static enum verdict
check_content(struct client *c)
{
	enum { TRACE_ROOM = 65536 }; /* the headers that we put on top */
	struct envelope *e = &c->envelope;
	struct stat status;

	/* -1: a file system without leases; nobody can do better there. */
	if (fs_no_writer(c->reception.reader) == 0) {
		log_event(LEVEL_ERROR, "still written",
		    log_text("id", c->reception.id));
		return VERDICT_INTERNAL;
	}
	if (fstat(c->reception.reader, &status) == -1)
		return VERDICT_INTERNAL;
	e->content = (uint64_t)status.st_size;
	if (e->start > e->content || e->wire < e->content ||
	    e->wire - e->content > e->content)
		return VERDICT_INTERNAL;
	/* Its octets are on the disk; may they stay, and is there room for
	 * the envelope? */
	if (c->role != CLIENT_REPORT && !room_for(0))
		return VERDICT_DISK_FULL;
	/* Who failed with many recipients must be told of all. */
	if (c->role != CLIENT_REPORT && e->wire > TRACE_ROOM &&
	    e->wire - TRACE_ROOM > queue.config.max_message_size)
		return VERDICT_TOO_BIG;
	return VERDICT_OK;
}

static void judge_routes(struct client *);

static void
answered(struct routing *r)
{
	if (--r->unanswered > 0)
		return;
	if (r->client != NULL)
		judge_routes(r->client);
	else
		routing_release(r);
}

static void
on_route(void *asker, size_t index, struct route *route)
{
	struct routing *r = asker;

	r->routes[index] = *route;
	*route = (struct route){0};
	answered(r);
}

static void
on_sender(void *asker, size_t index, struct route *route)
{
	struct routing *r = asker;

	(void)index;
	r->sender = route->verdict;
	answered(r);
}

static void
ask_routes(struct client *c)
{
	bool sender = client_asks_sender(c), limits = client_is_counted(c);
	size_t n = c->envelope.n;
	struct routing *r = calloc(1, sizeof(*r) + n * sizeof(r->routes[0]));

	if (r == NULL) {
		client_refuse(c, VERDICT_BUSY, NULL);
		return;
	}
	*r = (struct routing){.client = c, .n = n, .unanswered = n + sender + limits};
	c->routing = r;
	client_state(c, CLIENT_ROUTING);
	/* Answers may come from within; unanswered counts them all, so that
	 * only the last question's may be the last. */
	if (sender)
		route_ask_sender(c->login, c->facts->from, on_sender, r);
	if (limits)
		client_ask_limits(c, answered);
	for (size_t i = 0; i < n; i++)
		route_ask(c->envelope.recipients[i].address,
		    c->envelope.sender[0] == '\0', on_route, r, i);
}

bool
client_on_end(struct client *c, struct packet *p)
{
	uint64_t count;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("count", &count)};
	size_t n = c->envelope.n;

	if (!packet_read(p, "end", set, 1, 0))
		return false;
	if (c->facts_open ||
	    (c->verdict == VERDICT_OK && (count != n || n == 0)))
		return false;
	if (c->verdict == VERDICT_OK)
		note_verdict(c, check_content(c), SIZE_MAX);
	if (c->verdict != VERDICT_OK)
		client_refuse(c, c->verdict, NULL);
	else
		ask_routes(c);
	return true;
}

/* -- commit -- */

/*
 * What is known now to fail is refused now, so that no bounce is owed.  A
 * recipient that is not surely local counts as remote for who may not relay.
 */
static enum verdict
judge_route(const struct client *c, const struct route *route)
{
	switch (route->kind) {
	case ROUTE_REMOTE:
		return c->relays ? VERDICT_OK : VERDICT_RELAY_DENIED;
	case ROUTE_UNKNOWN:
		return route->verdict;
	case ROUTE_LATER:
		return c->relays && !route->no_answer ? VERDICT_OK
						      : route->verdict;
	default:
		return VERDICT_OK;
	}
}

static void
log_accepted(const struct client *c)
{
	const struct envelope *e = &c->envelope;
	char uid[24], domain[SIGNATURE_TAG_MAX + 1] = "";

	if (e->nsignatures > 0)
		signature_tag(e->signatures[0], "d", domain);
	snprintf(uid, sizeof(uid), "%lld", (long long)e->uid);
	log_event(LEVEL_INFO, "queued", log_text("id", c->reception.id),
	    log_address("from", e->sender), log_text("auth", e->login),
	    log_text("uid", e->uid >= 0 ? uid : NULL),
	    log_text("junk", e->junk), log_number("size", (int64_t)e->content),
	    log_number("recipients", (int64_t)e->n),
	    log_text("signed", domain[0] != '\0' ? domain : NULL),
	    log_text("unsigned", c->unsigned_because));
}

static void
send_committed(struct client *c, int envelope)
{
	static struct packet p;

	packet_start(&p, "committed");
	packet_attach(&p, envelope);
	peer_send(&c->peer, &p);
}

void
client_commit(struct client *c)
{
	struct buf text = BUF_INIT(ENVELOPE_FILE_MAX);
	int envelope = -1, rc = -1;

	/* In the index before it has names: the scan must not take it up. */
	c->message = message_add(c->reception.id);
	errno = ENOMEM;
	if (c->message != NULL && envelope_format(&c->envelope, &text))
		rc = spool_commit(&queue.spool, &c->reception, text.data,
		    text.len, &envelope);
	c->envelope.whole = text.len;
	buf_free(&text);
	if (rc == -1) {
		int saved = errno;

		if (c->message != NULL)
			message_drop(c->message);
		c->message = NULL;
		errno = saved;
		client_refuse_errno(c, "commit");
		return;
	}
	c->message->state = MESSAGE_UNSYNCED;
	client_settle(c, true);
	room_worked();
	client_state(c, CLIENT_COMMITTED);
	send_committed(c, envelope);
	close(envelope);
}

static void
on_signed(void *asker, const struct signing *signing)
{
	struct routing *r = asker;
	struct client *c = r->client;

	r->unanswered--;
	if (c == NULL)
		routing_release(r);
	else if (client_take_signatures(c, signing))
		client_spend(c);
	else
		client_refuse(c, VERDICT_CANNOT_SIGN, NULL);
}

static void
sign(struct client *c)
{
	struct dkim_facts *facts = c->facts;

	c->facts = NULL;
	c->routing->unanswered++;
	signer_ask(facts, on_signed, c->routing);
}

static void
judge_routes(struct client *c)
{
	for (size_t i = 0; i < c->envelope.n; i++)
		note_verdict(c, judge_route(c, &c->routing->routes[i]), i);
	if (c->verdict != VERDICT_OK) {
		char address[PROTOCOL_ADDRESS_MAX + 1] = "";

		strncat(address, c->envelope.recipients[c->refused].address,
		    PROTOCOL_ADDRESS_MAX);
		client_refuse(c, c->verdict, address);
		return;
	}
	if (!client_signs(c))
		client_spend(c);
	else if (verdict_is_temporary(c->routing->sender))
		client_refuse(c, VERDICT_LOOKUP_FAILED, NULL);
	else
		sign(c);
}

/* Now it is ours. */
bool
client_on_synced(struct client *c, struct packet *p)
{
	struct message *m = c->message;

	if (!packet_read(p, "synced", NULL, 0, 0))
		return false;
	log_accepted(c);
	c->message = NULL;
	local_at_hand(m, c->reception.reader);
	attempt_first(m, &c->envelope, c->routing->routes);
	local_at_hand(NULL, -1);
	client_reset(c);
	return true;
}
