/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "common/protocol.h"
#include "queue/admin-verbs.h"
#include "queue/admin.h"
#include "queue/describe.h"
#include "queue/load.h"
#include "queue/queue.h"

/* On role-public: what waits, with what stands in its envelopes. */
enum { LISTED_A_TURN = 16, SORTED_MAX = 65536 };

struct listing {
	struct peer *peer;
	struct listing **where;
	int64_t uid;
	bool recipients;
	uint64_t *ids;
	size_t n, at, shown;
	struct timer turn;
};

static void
list_recipients(struct listing *l, const struct envelope *e)
{
	static struct packet p;
	size_t left = LISTED_RECIPIENTS;

	for (size_t i = 0; i < e->n && left > 0; i++) {
		if (e->recipients[i].state != RECIPIENT_PENDING)
			continue;
		describe_recipient(&p, e, i);
		peer_send(l->peer, &p);
		left--;
	}
}

static void
list_one(struct listing *l, uint64_t number)
{
	static struct packet p;
	struct message *m = message_numbered(number);
	struct envelope e;
	char id[FS_ID_SIZE];
	struct description d = {.id = id};

	if (m == NULL)
		return;
	message_id(m, id);
	if (load_peek(&queue.spool, id, m->folder, &e) != LOAD_MESSAGE)
		return;
	if (l->uid < 0 || e.uid == l->uid) {
		d.state = admin_state(m);
		d.attempts = m->attempts;
		d.next = admin_next(m);
		d.reason = describe_reason(&e, hold_rules());
		describe_message(&p, &d, &e);
		peer_send(l->peer, &p);
		if (l->recipients)
			list_recipients(l, &e);
		l->shown++;
	}
	envelope_free(&e);
}

static void
list_end(struct listing *l)
{
	static struct packet p;

	packet_start(&p, "end");
	packet_number(&p, "count", l->shown);
	peer_send(l->peer, &p);
	listing_free(l);
}

/* A turn's worth, and only while the peer keeps up. */
static void
list_some(struct timer *t)
{
	struct listing *l = container_of(t, struct listing, turn);

	for (int i = 0; i < LISTED_A_TURN && l->at < l->n; i++) {
		if (!peer_is_clear(l->peer))
			return; /* drained() goes on */
		list_one(l, l->ids[l->at++]);
	}
	if (l->at == l->n)
		list_end(l);
	else
		loop_timer(&l->turn, 0);
}

static void
on_drained(struct peer *peer)
{
	struct listing *l = peer->context;

	loop_timer(&l->turn, 0);
}

/* -- whose -- */

struct choice {
	struct message **messages;
	size_t n, room;
	bool all;
	uint32_t sender; /* of this uid's mail */
};

static void
choose(struct message *m, void *context)
{
	struct choice *c = context;

	/* Others' have the same hash now and then: the envelope tells. */
	if (c->n < c->room && (c->all || m->sender == c->sender))
		c->messages[c->n++] = m;
}

static int
by_age(const void *left, const void *right)
{
	const struct message *a = *(struct message *const *)left;
	const struct message *b = *(struct message *const *)right;

	if (a->born != b->born)
		return a->born < b->born ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

/*
 * Only one's own are even looked at, so that nobody keeps queue busy with
 * what others have in it.
 */
static bool
choose_ids(struct listing *l)
{
	char none[] = "";
	struct envelope own = {.uid = l->uid, .sender = none};
	struct choice c = {.all = l->uid < 0, .room = message_count()};

	c.sender = message_sender(&own);
	c.messages = reallocarray(NULL, c.room + 1, sizeof(struct message *));
	if (c.messages == NULL)
		return false;
	message_each(choose, &c);
	/* Sorting a million would hold up everybody's mail. */
	if (c.n > 1 && c.n <= SORTED_MAX)
		qsort(c.messages, c.n, sizeof(struct message *), by_age);
	l->ids = reallocarray(NULL, c.n + 1, sizeof(l->ids[0]));
	for (size_t i = 0; l->ids != NULL && i < c.n; i++)
		l->ids[l->n++] = c.messages[i]->id;
	free(c.messages);
	return l->ids != NULL;
}

struct listing *
listing_begin(
    struct peer *peer, int64_t uid, bool recipients, struct listing **where)
{
	struct listing *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->uid = uid;
	if (!choose_ids(l)) {
		free(l);
		return NULL;
	}
	l->peer = peer;
	l->recipients = recipients;
	l->where = where;
	l->turn.fire = list_some;
	peer->context = l;
	peer->drained = on_drained;
	loop_timer(&l->turn, 0);
	return l;
}

void
listing_free(struct listing *l)
{
	if (l == NULL)
		return;
	*l->where = NULL;
	l->peer->drained = NULL;
	loop_timer_stop(&l->turn);
	free(l->ids);
	free(l);
}
