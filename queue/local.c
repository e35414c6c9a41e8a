/* SPDX-License-Identifier: ISC */
#include "queue/local.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/protocol.h"
#include "common/verdict.h"
#include "common/peer.h"
#include "queue/dispatch.h"
#include "queue/queue.h"

enum {
	WINDOW = 32,          /* deliveries outstanding on a channel */
	VIRTUAL_CHANNELS = 2, /* a copy that syncs must not hold up all */
	SYSTEM_CHANNELS = 64,
	FEW = 2 * WINDOW,    /* that one user may always have here */
	PART = 4,            /* beyond: of the places that are free */
	STALL_MS = 5 * 1000, /* without an answer: it may hang */
	ANSWER_MS = 10 * 60 * 1000,
	IDLE_MS = 5000
};

struct delivery {
	struct delivery *next;
	struct attempt *a;
	size_t index;
	uint64_t serial;
};

struct deliveries { /* first in, first out */
	struct delivery *first, *last;
	size_t n;
};

/* A connection, made when it is needed, with what is to go over it. */
struct channel {
	struct channel *next;
	struct peer peer;
	bool connected;
	enum route_kind kind;
	char *user; /* of a system channel */
	struct deliveries waiting, sent;
	bool stalled;       /* no answer for a while */
	struct timer timer; /* no answer; or nothing to do */
};

static struct channel virtuals[VIRTUAL_CHANNELS];
static struct channel *systems;
static size_t nsystems;
static struct deliveries crowd; /* system users without a channel yet */
static uint64_t serial;

static void serve_crowd(void);

static void
put(struct deliveries *list, struct delivery *d)
{
	d->next = NULL;
	if (list->last != NULL)
		list->last->next = d;
	else
		list->first = d;
	list->last = d;
	list->n++;
}

static struct delivery *
take(struct deliveries *list)
{
	struct delivery *d = list->first;

	if (d == NULL)
		return NULL;
	list->first = d->next;
	if (list->first == NULL)
		list->last = NULL;
	list->n--;
	return d;
}

/* Answers come in any order, but most often in ours. */
static struct delivery *
take_serial(struct deliveries *list, uint64_t wanted)
{
	struct delivery *before = NULL, *d = list->first;

	for (; d != NULL && d->serial != wanted; d = d->next)
		before = d;
	if (d == NULL)
		return NULL;
	if (before != NULL)
		before->next = d->next;
	else
		list->first = d->next;
	if (list->last == d)
		list->last = before;
	list->n--;
	return d;
}

/* -- outcomes -- */

static const char *
target_of(const struct delivery *d)
{
	return d->a->work[d->index].target;
}

struct words {
	const char *text, *folder; /* each NULL: none */
};

static void
finish(struct delivery *d, enum route_kind kind, enum verdict verdict,
    const struct words *words, bool trouble)
{
	const char *text = words->text;
	const struct verdict_row *row = verdict_row(verdict);
	char relay[PROTOCOL_ADDRESS_MAX + 16];
	struct result result = {.dsn = row->enhanced,
	    .relay = relay,
	    .text = text != NULL && text[0] != '\0' ? text : row->text,
	    .trouble = trouble,
	    .folder = words->folder,
	    .state = RECIPIENT_FAILED};

	snprintf(relay, sizeof(relay), "%s:%s",
	    kind == ROUTE_SYSTEM ? "system" : "mailbox", target_of(d));
	if (verdict_is_success(verdict)) {
		result.state = RECIPIENT_DELIVERED;
		result.linked = kind == ROUTE_MAILBOX;
	} else if (verdict_is_temporary(verdict)) {
		result.state = RECIPIENT_PENDING;
	}
	attempt_result(d->a, d->index, &result);
	free(d);
}

static void
fail_all(struct deliveries *list, enum route_kind kind, const char *text)
{
	struct deliveries failed = *list;
	struct delivery *d;

	*list = (struct deliveries){0};
	while ((d = take(&failed)) != NULL)
		finish(d, kind, VERDICT_INTERNAL, &(struct words){text, NULL},
		    true);
}

/* -- channels -- */

static void send_some(struct channel *);

static void
channel_free(struct channel *c)
{
	struct channel **where = &systems;

	if (c->kind != ROUTE_SYSTEM)
		return;
	while (*where != c)
		where = &(*where)->next;
	*where = c->next;
	nsystems--;
	free(c->user);
	free(c);
}

static void
disconnect(struct channel *c)
{
	loop_timer_stop(&c->timer);
	if (c->connected)
		peer_end(&c->peer);
	c->connected = false;
}

/*
 * mailbox died, or will not talk.  What was sent may be done or not; it is
 * tried again soon, with a look whether it is there.  What crashes it must
 * not be sent again at once.
 */
static void
give_up(struct channel *c, const char *why)
{
	struct deliveries sent = c->sent, waiting = c->waiting;
	enum route_kind kind = c->kind;

	log_event(LEVEL_WARNING, "peer lost", log_text("what", "mailbox"),
	    log_text("user", c->user),
	    log_number("deliveries", (int64_t)sent.n), log_text("reason", why));
	disconnect(c);
	c->sent = c->waiting = (struct deliveries){0};
	channel_free(c);
	fail_all(&sent, kind, why);
	fail_all(&waiting, kind, why);
	serve_crowd();
}

static void
on_closed(struct peer *peer)
{
	struct channel *c = container_of(peer, struct channel, peer);

	if (c->sent.n + c->waiting.n > 0) {
		give_up(c, "mailbox closed the connection");
		return;
	}
	disconnect(c);
	channel_free(c);
	serve_crowd();
}

/*
 * A user's own folder may hang (a network, a file system of his own): his
 * mail must not come to hold all places.  Such a one leaves three of four to
 * the others, the next three of four of those, and so on.
 */
static bool
has_enough(const struct channel *c)
{
	size_t n = c != NULL ? c->sent.n + c->waiting.n : crowd.n;

	if (c != NULL && (c->kind != ROUTE_SYSTEM || !c->stalled))
		return false;
	return n >= FEW && n >= dispatch_free() / PART;
}

/* They come again. */
static void
send_away(struct delivery *d)
{
	attempt_withdrawn(d->a, d->index);
	free(d);
}

/* From now on, with an answer or a first question. */
static void
await(struct channel *c)
{
	c->stalled = false;
	loop_timer(&c->timer, c->sent.n > 0 ? STALL_MS : IDLE_MS);
}

static void
on_timer(struct timer *t)
{
	struct channel *c = container_of(t, struct channel, timer);

	if (c->sent.n == 0) {
		on_closed(&c->peer);
	} else if (c->stalled) {
		give_up(c, "mailbox does not answer");
	} else {
		c->stalled = true;
		loop_timer(&c->timer, ANSWER_MS - STALL_MS);
		while (c->waiting.n > 0 && has_enough(c))
			send_away(take(&c->waiting));
	}
}

static bool
on_packet(struct peer *peer, struct packet *p)
{
	struct channel *c = container_of(peer, struct channel, peer);
	const char *verdict, *text, *folder;
	uint64_t number;
	const struct attribute set[] = {
	    ATTRIBUTE_NUMBER("serial", &number),
	    ATTRIBUTE_TEXT("verdict", PROTOCOL_NAME_MAX, &verdict),
	    ATTRIBUTE_TEXT_OPTIONAL("text", PROTOCOL_TEXT_MAX, &text),
	    ATTRIBUTE_TEXT_OPTIONAL("folder", PROTOCOL_NAME_MAX, &folder),
	};
	struct delivery *d;

	if (!packet_read(p, "delivered", set, 4, 0) ||
	    (d = take_serial(&c->sent, number)) == NULL)
		return false;
	await(c);
	send_some(c);
	finish(d, c->kind, verdict_named(verdict),
	    &(struct words){text, folder}, false);
	return true;
}

static bool
introduce(struct channel *c)
{
	struct packet *p = malloc(sizeof(*p));
	const char *kind =
	    c->kind == ROUTE_SYSTEM ? "system-deliver" : "virtual-deliver";

	if (p == NULL)
		return false;
	memset(p->octets, 0, MAILBOX_RECORD);
	memcpy(p->octets, kind, strlen(kind));
	if (c->user != NULL)
		memcpy(
		    p->octets + MAILBOX_RECORD_KIND, c->user, strlen(c->user));
	p->len = MAILBOX_RECORD;
	p->nfds = 0;
	p->failed = false;
	peer_send(&c->peer, p);
	free(p);
	return true;
}

static bool
connect_channel(struct channel *c)
{
	int fd;

	if (c->connected)
		return true;
	fd = ipc_connect("mailbox");
	c->peer = (struct peer){
	    .role = "mailbox", .packet = on_packet, .closed = on_closed};
	if (fd == -1 || peer_begin(&c->peer, fd) == -1)
		return false;
	c->connected = true;
	return introduce(c);
}

static struct {
	const struct message *m;
	int content;
} at_hand = {.content = -1};

void
local_at_hand(const struct message *m, int content)
{
	at_hand.m = m;
	at_hand.content = content;
}

static int
content_of(const struct attempt *a)
{
	return a->m == at_hand.m ? at_hand.content
				 : spool_content(&queue.spool,
				       (enum spool_folder)a->m->folder, a->id);
}

/* -1: the content cannot be had now. */
static int
send_delivery(struct channel *c, struct delivery *d)
{
	static struct packet p;
	const struct attempt *a = d->a;
	int fd = content_of(a);

	if (fd == -1)
		return -1;
	d->serial = ++serial;
	packet_start(&p, "deliver");
	packet_number(&p, "serial", d->serial);
	packet_text(&p, "id", a->id);
	packet_text(&p, "mailbox", target_of(d));
	packet_number(&p, "time", (uint64_t)a->e.time);
	packet_number(&p, "micros", a->e.micros);
	packet_number(&p, "size", a->e.content);
	packet_number(&p, "wire", a->e.wire);
	packet_number(&p, "again", a->m->again);
	if (a->e.junk != NULL)
		packet_text(&p, "junk",
		    queue.config.junk_folder ? "folder" : "inbox");
	packet_attach(&p, fd);
	put(&c->sent, d);
	peer_send(&c->peer, &p);
	if (fd != at_hand.content)
		close(fd);
	return 0;
}

static void
send_some(struct channel *c)
{
	struct delivery *d;
	bool quiet = c->sent.n == 0;

	if (c->waiting.n == 0)
		return;
	if (!connect_channel(c)) {
		give_up(c, strerror(errno));
		return;
	}
	while (c->sent.n < WINDOW && (d = take(&c->waiting)) != NULL)
		if (send_delivery(c, d) == -1)
			finish(d, c->kind, VERDICT_INTERNAL,
			    &(struct words){strerror(errno), NULL}, true);
	/* More of them do not make it answer. */
	if (quiet)
		await(c);
}

static struct channel *
system_channel(const char *user)
{
	struct channel *c;

	for (c = systems; c != NULL; c = c->next)
		if (strcmp(c->user, user) == 0)
			return c;
	if (nsystems == SYSTEM_CHANNELS)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (c == NULL || (c->user = strdup(user)) == NULL) {
		free(c);
		return NULL;
	}
	c->kind = ROUTE_SYSTEM;
	c->next = systems;
	systems = c;
	nsystems++;
	return c;
}

static struct channel *
channel_for(const struct delivery *d)
{
	struct channel *c;

	if (d->a->work[d->index].kind == ROUTE_SYSTEM) {
		c = system_channel(target_of(d));
	} else {
		c = &virtuals[0];
		for (size_t i = 1; i < VIRTUAL_CHANNELS; i++)
			if (c->sent.n >= WINDOW / 2 &&
			    virtuals[i].sent.n + virtuals[i].waiting.n <
				c->sent.n + c->waiting.n)
				c = &virtuals[i];
		c->kind = ROUTE_MAILBOX;
	}
	if (c != NULL)
		c->timer.fire = on_timer;
	return c;
}

static void
serve_crowd(void)
{
	struct channel *c;

	while (crowd.first != NULL && (c = channel_for(crowd.first)) != NULL) {
		put(&c->waiting, take(&crowd));
		send_some(c);
	}
}

void
local_deliver(struct attempt *a, size_t index)
{
	struct delivery *d = calloc(1, sizeof(*d));
	struct channel *c;
	struct result none = {.state = RECIPIENT_PENDING,
	    .trouble = true,
	    .dsn = verdict_row(VERDICT_BUSY)->enhanced,
	    .text = "no memory"};

	if (d == NULL) {
		attempt_result(a, index, &none);
		return;
	}
	d->a = a;
	d->index = index;
	c = channel_for(d);
	if (has_enough(c)) {
		send_away(d);
	} else if (c == NULL) {
		put(&crowd, d);
	} else {
		put(&c->waiting, d);
		send_some(c);
	}
}
