/* SPDX-License-Identifier: ISC */
#include "queue/intake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "queue/budget.h"
#include "queue/client.h"
#include "queue/queue.h"
#include "queue/room.h"

/*
 * Anybody on this machine may connect to role-public: so many, so many of one
 * uid, and none that says nothing for an hour.
 */
enum {
	PUBLIC_MAX = 512,
	PUBLIC_OF_ONE = 64,
	PUBLIC_SILENCE_MS = 60 * 60 * 1000
};

static struct client *clients;
static size_t busy;
void (*clients_idle)(void);

size_t
clients_busy(void)
{
	return busy;
}

void
client_state(struct client *c, enum client_state state)
{
	bool was = c->state > CLIENT_AHEAD, is = state > CLIENT_AHEAD;

	c->state = state;
	if (!was && is)
		busy++;
	if (was && !is && --busy == 0 && clients_idle != NULL)
		clients_idle();
}

void
routing_release(struct routing *r)
{
	r->client = NULL;
	if (r->unanswered > 0)
		return;
	for (size_t i = 0; i < r->n; i++)
		route_free(&r->routes[i]);
	free(r->limits);
	free(r);
}

void
client_settle(struct client *c, bool taken)
{
	if (c->promised)
		room_settle(c->size, taken);
	c->promised = false;
	if (c->scratch)
		room_settle(c->size, false);
	c->scratch = false;
}

void
client_reset(struct client *c)
{
	char id[FS_ID_SIZE];

	if (c->state == CLIENT_COMMITTED && c->message != NULL) {
		message_id(c->message, id);
		if (spool_remove(&queue.spool, SPOOL_NEW, id, false) == -1)
			log_event(LEVEL_ERROR, "cannot remove",
			    log_text("id", id),
			    log_text("reason", strerror(errno)));
		message_drop(c->message);
	}
	c->message = NULL;
	client_settle(c, false);
	yield_stop(&c->yield);
	budget_give(BUDGET_CLIENTS, c->weight);
	c->weight = 0;
	spool_forget(&queue.spool, &c->reception);
	if (c->routing != NULL)
		routing_release(c->routing);
	c->routing = NULL;
	envelope_free(&c->envelope);
	client_forget_facts(c);
	c->relays = false;
	c->verdict = VERDICT_OK;
	client_state(c, CLIENT_IDLE);
}

/*
 * Every local user may send mail out, but a speaker is no user: broken in
 * where it has no chroot (inetd), it would be an open relay.
 */
static bool
is_speaker(uid_t uid)
{
	for (size_t i = 0; i < queue.nspeakers; i++)
		if (queue.speakers[i] == uid)
			return true;
	return false;
}

static bool
may_come(uid_t uid)
{
	size_t all = 0, own = 0;

	if (is_speaker(uid))
		return false;
	for (struct client *c = clients; c != NULL; c = c->next) {
		all += c->role == CLIENT_PUBLIC;
		own += c->role == CLIENT_PUBLIC && c->uid == uid;
	}
	return uid == 0 || (all < PUBLIC_MAX && own < PUBLIC_OF_ONE);
}

static void
enlist(struct client *c)
{
	c->next = clients;
	if (c->next != NULL)
		c->next->previous = c;
	clients = c;
}

static void
delist(struct client *c)
{
	if (c->next != NULL)
		c->next->previous = c->previous;
	if (c->previous != NULL)
		c->previous->next = c->next;
	else if (clients == c)
		clients = c->next;
}

static void
client_free(struct client *c)
{
	delist(c);
	loop_timer_stop(&c->silence);
	client_reset(c);
	listing_free(c->listing);
	free(c->login);
	free(c->app);
	free(c);
}

static void
on_closed(struct peer *peer)
{
	struct client *c = container_of(peer, struct client, peer);

	peer_end(peer);
	client_free(c);
}

/* Who uses its file has locked it (common/submit.c). */
void
clients_withdraw(void)
{
	struct client *next;

	for (struct client *c = clients; c != NULL; c = next) {
		next = c->next;
		if (c->state != CLIENT_AHEAD)
			continue;
		if (flock(c->reception.reader, LOCK_EX | LOCK_NB) == 0)
			on_closed(&c->peer);
		else
			client_state(c, CLIENT_OPEN);
	}
}

void
client_refuse(struct client *c, enum verdict verdict, const char *address)
{
	static struct packet p;

	packet_start(&p, "refused");
	packet_text(&p, "verdict", verdict_row(verdict)->name);
	if (address != NULL)
		packet_text(&p, "address", address);
	client_reset(c);
	peer_send(&c->peer, &p);
}

static enum verdict
verdict_of_errno(int reason)
{
	switch (reason) {
	case ENOSPC:
	case EDQUOT:
		return VERDICT_DISK_FULL;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return VERDICT_BUSY;
	default:
		return VERDICT_INTERNAL;
	}
}

void
client_refuse_errno(struct client *c, const char *what)
{
	int reason = errno;

	if (!room_failed(reason))
		log_event(LEVEL_ERROR, "cannot take message",
		    log_text("id", c->reception.id), log_text("what", what),
		    log_text("reason", strerror(reason)));
	client_refuse(c, verdict_of_errno(reason), NULL);
}

/* -- open -- */

/*
 * Whether this is the connection of a client that may relay: the kernel is
 * asked, not smtpd, so that a broken-in smtpd is no open relay.
 */
static bool
is_relay_client(int fd)
{
	struct sockaddr_storage peer;
	socklen_t n = sizeof(peer), size = sizeof(int);
	int type = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == -1 ||
	    type != SOCK_STREAM ||
	    getpeername(fd, (struct sockaddr *)&peer, &n) == -1 ||
	    (peer.ss_family != AF_INET && peer.ss_family != AF_INET6))
		return false;
	return config_net_contains(&queue.config.relay_from, &peer);
}

static bool
on_room(struct client *c, struct packet *p)
{
	static struct packet answer;
	uint64_t size;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("size", &size)};
	enum verdict verdict;

	if (!packet_read(p, "room", set, 1, 0))
		return false;
	verdict = room_for(size) ? VERDICT_OK : VERDICT_DISK_FULL;
	if (client_is_full(c))
		verdict = VERDICT_TOO_MUCH_HELD;
	packet_start(&answer, "room");
	packet_text(&answer, "verdict", verdict_row(verdict)->name);
	peer_send(&c->peer, &answer);
	return true;
}

/*
 * What is left is for our own reports.  What nobody may send nobody may
 * reserve either, to keep others out.
 */
static bool
find_room(struct client *c)
{
	if (c->role == CLIENT_REPORT)
		return true;
	if (c->size > queue.config.max_message_size)
		c->size = queue.config.max_message_size;
	if (!room_for(c->size))
		return false;
	room_promise(c->size);
	c->promised = true;
	return true;
}

static void
open_message(struct client *c)
{
	static struct packet answer;
	int writer;

	if (queue.draining) {
		client_refuse(c, VERDICT_BUSY, NULL);
		return;
	}
	if (client_is_full(c)) {
		client_refuse(c, VERDICT_TOO_MUCH_HELD, NULL);
		return;
	}
	if (!find_room(c)) {
		client_refuse(c, VERDICT_DISK_FULL, NULL);
		return;
	}
	if (spool_receive(&queue.spool, &c->reception, &writer) == -1) {
		client_refuse_errno(c, "open");
		return;
	}
	c->opened_us = clock_now_us();
	client_state(c, c->ahead ? CLIENT_AHEAD : CLIENT_OPEN);
	packet_start(&answer, "opened");
	packet_text(&answer, "id", c->reception.id);
	packet_number(&answer, "time", (uint64_t)c->opened_us / 1000000);
	packet_attach(&answer, writer);
	packet_attach(&answer, c->reception.reader);
	peer_send(&c->peer, &answer);
	close(writer);
}

static void
go_on(struct yield *y)
{
	open_message(container_of(y, struct client, yield));
}

static bool
on_open(struct client *c, struct packet *p)
{
	uint64_t client_fd, ahead;
	const struct attribute set[] = {
	    ATTRIBUTE_NUMBER_OPTIONAL("client-fd", &client_fd),
	    ATTRIBUTE_NUMBER_OPTIONAL("size", &c->size),
	    ATTRIBUTE_NUMBER_OPTIONAL("ahead", &ahead)};

	if (!packet_read(p, "open", set, 3, p->nfds) ||
	    p->nfds != (client_fd == 1))
		return false;
	c->ahead = ahead == 1;
	c->relays = c->role != CLIENT_SMTPD ||
	    (client_fd == 1 && is_relay_client(p->fds[0]));
	if (c->role != CLIENT_REPORT && yield_wait(&c->yield, go_on))
		client_state(c, CLIENT_YIELD);
	else
		open_message(c);
	return true;
}

static bool
on_abort(struct client *c, struct packet *p)
{
	if (!packet_read(p, "abort", NULL, 0, 0))
		return false;
	client_reset(c);
	return true;
}

/* -- the conversation -- */

/* mailq: everything for root and for who runs the suite, else one's own. */
static bool
on_list(struct client *c, struct packet *p)
{
	bool all = c->uid == 0 || c->uid == geteuid();

	if (c->role != CLIENT_PUBLIC || c->listing != NULL ||
	    !packet_read(p, "list", NULL, 0, 0))
		return false;
	c->listing = listing_begin(
	    &c->peer, all ? -1 : (int64_t)c->uid, true, &c->listing);
	return c->listing != NULL;
}

static void
on_silence(struct timer *t)
{
	struct client *c = container_of(t, struct client, silence);

	log_event(LEVEL_WARNING, "peer dropped", log_text("role", c->peer.role),
	    log_number("uid", c->uid), log_text("reason", "says nothing"));
	on_closed(&c->peer);
}

static const struct command {
	const char *verb;
	unsigned states; /* bits by enum client_state */
	bool (*handle)(struct client *, struct packet *);
} commands[] = {
    {"room", 1u << CLIENT_IDLE | 1u << CLIENT_AHEAD, on_room},
    {"open", 1u << CLIENT_IDLE, on_open},
    {"scratch", 1u << CLIENT_OPEN | 1u << CLIENT_AHEAD, client_on_scratch},
    {"commit", 1u << CLIENT_OPEN | 1u << CLIENT_AHEAD, client_on_commit},
    {"sign", 1u << CLIENT_ENVELOPE, client_on_sign},
    {"more", 1u << CLIENT_ENVELOPE, client_on_more},
    {"recipient", 1u << CLIENT_ENVELOPE, client_on_recipient},
    {"end", 1u << CLIENT_ENVELOPE, client_on_end},
    {"synced", 1u << CLIENT_COMMITTED, client_on_synced},
    {"abort", ~0u, on_abort},
    {"list", 1u << CLIENT_IDLE, on_list},
};

static bool
on_packet(struct peer *peer, struct packet *p)
{
	struct client *c = container_of(peer, struct client, peer);

	if (c->role == CLIENT_PUBLIC)
		loop_timer(&c->silence, PUBLIC_SILENCE_MS);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (packet_is(p, commands[i].verb))
			return (commands[i].states & 1u << c->state) != 0 &&
			    commands[i].handle(c, p);
	return false;
}

static const char *const roles[] = {
    [CLIENT_SMTPD] = "role-smtpd",
    [CLIENT_LOGIN] = "login",
    [CLIENT_PUBLIC] = "role-public",
    [CLIENT_REPORT] = "report",
};

/* Without memory for it, nobody is told the app password. */
static bool
keep_login(struct client *c, const char *login, const char *app)
{
	c->login = login != NULL ? strdup(login) : NULL;
	c->app = app != NULL ? strdup(app) : NULL;
	return login == NULL || c->login != NULL;
}

void
client_begin(
    enum client_role role, int fd, const char *login, const char *app)
{
	struct client *c = calloc(1, sizeof(*c));
	pid_t pid;

	if (c == NULL) {
		close(fd);
		return;
	}
	*c = (struct client){.role = role,
	    .peer = {.role = roles[role],
		.packet = on_packet,
		.closed = on_closed},
	    .reception = {.reader = -1}};
	envelope_init(&c->envelope);
	if (!keep_login(c, login, app)) {
		close(fd);
		client_free(c);
		return;
	}
	c->silence.fire = on_silence;
	if (role == CLIENT_PUBLIC &&
	    (ipc_peer(fd, &c->uid, &pid) == -1 || !may_come(c->uid))) {
		close(fd);
		client_free(c);
		return;
	}
	if (peer_begin(&c->peer, fd) == -1) {
		log_errno(LEVEL_ERROR, "cannot watch", roles[role]);
		client_free(c);
		return;
	}
	enlist(c);
	if (role == CLIENT_PUBLIC)
		loop_timer(&c->silence, PUBLIC_SILENCE_MS);
}
