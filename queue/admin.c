/* SPDX-License-Identifier: ISC */
#include "queue/admin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/protocol.h"
#include "queue/describe.h"
#include "queue/dispatch.h"
#include "queue/load.h"
#include "queue/message.h"
#include "queue/queue.h"

enum { LISTED_A_TURN = 64 };

struct listing {
	struct peer *peer;
	struct listing **where;
	int64_t uid;
	bool recipients;
	uint64_t *ids;
	size_t n, at, shown;
	struct timer turn;
};

struct admin {
	struct peer peer;
	struct listing *listing;
};

static const char *const states[] = {
    [MESSAGE_UNSYNCED] = "incoming",
    [MESSAGE_WAITING] = "waiting",
    [MESSAGE_READY] = "ready",
    [MESSAGE_HELD] = "held",
    [MESSAGE_ACTIVE] = "active",
};

static struct description
describe(const struct message *m, char id[FS_ID_SIZE])
{
	struct description d = {
	    .id = id, .state = states[m->state], .attempts = m->attempts};
	int64_t wait = m->due.at - clock_monotonic_ms();

	message_id(m, id);
	if (m->state == MESSAGE_WAITING && wait > 0)
		d.next = (int64_t)clock_now() + (wait + 999) / 1000;
	return d;
}

/* -- list -- */

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
	struct description d;

	if (m == NULL)
		return;
	d = describe(m, id);
	if (load_peek(&queue.spool, id, (enum spool_folder)m->folder, &e) !=
	    LOAD_MESSAGE)
		return;
	if (l->uid < 0 || e.uid == l->uid) {
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

struct listing *
listing_begin(
    struct peer *peer, int64_t uid, bool recipients, struct listing **where)
{
	struct listing *l = calloc(1, sizeof(*l));

	if (l == NULL || message_ids(&l->ids, &l->n) == -1) {
		free(l);
		return NULL;
	}
	l->peer = peer;
	l->uid = uid;
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

/* -- one message -- */

static void
answer_unknown(struct admin *a, const char *id)
{
	static struct packet p;

	packet_start(&p, "unknown");
	packet_text(&p, "id", id);
	peer_send(&a->peer, &p);
}

static void
answer_count(struct admin *a, const char *verb, size_t count)
{
	static struct packet p;

	packet_start(&p, verb);
	packet_number(&p, "count", count);
	peer_send(&a->peer, &p);
}

/* False: malformed.  *m is NULL when there is no such message: answered. */
static bool
read_id(struct admin *a, struct packet *p, const char *verb, struct message **m)
{
	const char *id;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("id", PROTOCOL_ID_MAX, &id)};

	if (!packet_read(p, verb, set, 1, 0))
		return false;
	*m = message_find(id);
	if (*m == NULL)
		answer_unknown(a, id);
	return true;
}

static bool
on_list(struct admin *a, struct packet *p)
{
	if (a->listing != NULL || !packet_read(p, "list", NULL, 0, 0))
		return false;
	a->listing = listing_begin(&a->peer, -1, false, &a->listing);
	return a->listing != NULL;
}

static bool
on_show(struct admin *a, struct packet *p)
{
	static struct packet answer;
	struct message *m;
	struct envelope e;
	struct description d;
	char id[FS_ID_SIZE];

	if (!read_id(a, p, "show", &m))
		return false;
	if (m == NULL)
		return true;
	d = describe(m, id);
	if (load_peek(&queue.spool, id, (enum spool_folder)m->folder, &e) !=
	    LOAD_MESSAGE) {
		answer_unknown(a, id);
		return true;
	}
	describe_message(&answer, &d, &e);
	peer_send(&a->peer, &answer);
	for (size_t i = 0; i < e.n; i++) {
		describe_recipient(&answer, &e, i);
		peer_send(&a->peer, &answer);
	}
	answer_count(a, "end", e.n);
	envelope_free(&e);
	return true;
}

static bool
on_cat(struct admin *a, struct packet *p)
{
	static struct packet answer;
	struct message *m;
	char id[FS_ID_SIZE];
	int fd;

	if (!read_id(a, p, "cat", &m))
		return false;
	if (m == NULL)
		return true;
	message_id(m, id);
	fd = spool_content(&queue.spool, (enum spool_folder)m->folder, id);
	if (fd == -1) {
		answer_unknown(a, id);
		return true;
	}
	packet_start(&answer, "content");
	packet_attach(&answer, fd);
	peer_send(&a->peer, &answer);
	close(fd);
	return true;
}

static bool
on_flush(struct admin *a, struct packet *p)
{
	struct message *m;
	bool waits;

	if (packet_read(p, "flush", NULL, 0, 0)) {
		answer_count(a, "flushed", dispatch_flush());
		return true;
	}
	if (!read_id(a, p, "flush", &m))
		return false;
	if (m == NULL)
		return true;
	waits = dispatch_flush_one(m);
	answer_count(a, "flushed", waits);
	return true;
}

static bool
on_delete(struct admin *a, struct packet *p)
{
	struct message *m;
	char id[FS_ID_SIZE];

	if (!read_id(a, p, "delete", &m))
		return false;
	if (m == NULL)
		return true;
	message_id(m, id);
	if (m->state == MESSAGE_UNSYNCED) {
		answer_unknown(a, id); /* it is not ours yet */
		return true;
	}
	if (m->state == MESSAGE_ACTIVE) {
		m->doomed = true;
		answer_count(a, "deleted", 1);
		return true;
	}
	if (spool_remove(
		&queue.spool, (enum spool_folder)m->folder, id, true) == -1) {
		log_event(LEVEL_ERROR, "cannot remove", log_text("id", id),
		    log_text("reason", strerror(errno)));
		answer_count(a, "deleted", 0);
		return true;
	}
	log_event(LEVEL_INFO, "removed", log_text("id", id),
	    log_text("reason", "deleted by the postmaster"));
	dispatch_forget(m);
	message_drop(m);
	answer_count(a, "deleted", 1);
	return true;
}

/* -- the connection -- */

static const struct command {
	const char *verb;
	bool (*handle)(struct admin *, struct packet *);
} commands[] = {
    {"list", on_list},
    {"show", on_show},
    {"cat", on_cat},
    {"flush", on_flush},
    {"delete", on_delete},
};

static bool
on_packet(struct peer *peer, struct packet *p)
{
	struct admin *a = container_of(peer, struct admin, peer);

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (packet_is(p, commands[i].verb))
			return commands[i].handle(a, p);
	return false;
}

static void
on_closed(struct peer *peer)
{
	struct admin *a = container_of(peer, struct admin, peer);

	listing_free(a->listing);
	peer_end(peer);
	free(a);
}

void
admin_begin(int fd)
{
	struct admin *a = calloc(1, sizeof(*a));

	if (a == NULL) {
		close(fd);
		return;
	}
	a->peer = (struct peer){.role = "role-admin",
	    .packet = on_packet,
	    .closed = on_closed,
	    .most = ENVELOPE_RECIPIENTS_MAX + 512};
	if (peer_begin(&a->peer, fd) == -1) {
		log_errno(LEVEL_ERROR, "cannot watch", "role-admin");
		free(a);
	}
}
