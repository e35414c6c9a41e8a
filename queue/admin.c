/* SPDX-License-Identifier: ISC */
#include "queue/admin.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "queue/admin-verbs.h"
#include "queue/destination.h"

enum { PIECES_A_TURN = 8, KEPT_MAX = 64 };

static const char *const states[] = {
    [MESSAGE_UNSYNCED] = "incoming",
    [MESSAGE_WAITING] = "waiting",
    [MESSAGE_READY] = "ready",
    [MESSAGE_HELD] = "held",
    [MESSAGE_ACTIVE] = "active",
};

const char *
admin_state(const struct message *m)
{
	return states[m->state];
}

int64_t
admin_next(const struct message *m)
{
	int64_t now = clock_monotonic_ms(), wait = 0;

	if (m->state == MESSAGE_WAITING)
		wait = m->due.at - now;
	else if (m->state == MESSAGE_READY && m->domain != NULL &&
	    m->domain->destination != NULL)
		wait = destination_wait(m->domain->destination, now);
	return wait > 0 ? (int64_t)clock_now() + (wait + 999) / 1000 : 0;
}

void
admin_send_count(struct admin *a, const char *verb, size_t count)
{
	static struct packet p;

	packet_start(&p, verb);
	packet_number(&p, "count", count);
	peer_send(&a->peer, &p);
}

void
admin_send_unknown(struct admin *a, const char *id)
{
	static struct packet p;

	packet_start(&p, "unknown");
	packet_text(&p, "id", id);
	peer_send(&a->peer, &p);
}

/* -- long answers -- */

static void
send_some(struct timer *t)
{
	struct admin *a = container_of(t, struct admin, turn);

	for (int i = 0; i < PIECES_A_TURN; i++) {
		if (!peer_is_clear(&a->peer))
			return; /* drained() goes on */
		if (!a->more(a)) {
			a->more = NULL;
			free(a->ids);
			a->ids = NULL;
			return;
		}
	}
	loop_timer(&a->turn, 0);
}

static void
on_drained(struct peer *peer)
{
	struct admin *a = container_of(peer, struct admin, peer);

	if (a->more != NULL)
		loop_timer(&a->turn, 0);
}

void
admin_stream(struct admin *a, bool (*more)(struct admin *))
{
	a->at = 0;
	a->more = more;
	a->turn.fire = send_some;
	loop_timer(&a->turn, 0);
}

/* -- the connection -- */

static const struct command {
	const char *verb;
	admin_verb *handle;
} commands[] = {
    {"index", admin_on_index},
    {"attempt", admin_on_attempt},
    {"cat", admin_on_cat},
    {"destinations", admin_on_destinations},
    {"hosts", admin_on_hosts},
    {"rules", admin_on_rules},
    {"held", admin_on_held},
    {"flush", admin_on_flush},
    {"requeue", admin_on_requeue},
    {"delete", admin_on_delete},
    {"hold", admin_on_hold},
    {"release", admin_on_release},
    {"rule", admin_on_rule},
    {"rule-end", admin_on_rule_end},
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static bool
on_packet(struct peer *peer, struct packet *p)
{
	struct admin *a = container_of(peer, struct admin, peer);

	if (a->more != NULL || a->wishes)
		return false; /* one request at a time */
	for (size_t i = 0; i < COMMANDS; i++)
		if (packet_is(p, commands[i].verb))
			return commands[i].handle(a, p);
	return false;
}

static void
on_closed(struct peer *peer)
{
	struct admin *a = container_of(peer, struct admin, peer);

	loop_timer_stop(&a->turn);
	if (a->wishes)
		hold_forget(&a->wish);
	peer_end(peer);
	free(a->ids);
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
	    .drained = on_drained,
	    .most = KEPT_MAX};
	if (peer_begin(&a->peer, fd) == -1) {
		log_errno(LEVEL_ERROR, "cannot watch", "role-admin");
		free(a);
	}
}
