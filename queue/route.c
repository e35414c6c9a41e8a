/* SPDX-License-Identifier: ISC */
#include "queue/route.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/peer.h"
#include "common/protocol.h"
#include "queue/kept.h"
#include "queue/question.h"

enum {
	WINDOW = 256, /* questions at a time; a power of two */
	ANSWER_MS = 30 * 1000,
	CHECK_MS = 5 * 1000,
	TRIES = 2
};

static struct {
	struct peer peer;
	bool connected;
	struct question *slots[WINDOW]; /* by serial */
	size_t asked;                   /* slots in use */
	uint64_t serial;
	struct question *first, *last; /* waiting for a slot */
	struct timer timer;
} userdb;

static void send_some(void);

static void
wait_in_line(struct question *q)
{
	q->next = NULL;
	if (userdb.last != NULL)
		userdb.last->next = q;
	else
		userdb.first = q;
	userdb.last = q;
}

static struct question *
next_in_line(void)
{
	struct question *q = userdb.first;

	if (q == NULL)
		return NULL;
	userdb.first = q->next;
	if (userdb.first == NULL)
		userdb.last = NULL;
	return q;
}

static struct question *
take_slot(uint64_t serial)
{
	struct question *q = userdb.slots[serial % WINDOW];

	if (q == NULL || q->serial != serial)
		return NULL;
	userdb.slots[serial % WINDOW] = NULL;
	userdb.asked--;
	return q;
}

/* -- answers -- */

/* NULL: nobody has asked that. */
static struct question *
find_question(uint64_t serial, enum about about)
{
	struct question *q = userdb.slots[serial % WINDOW];

	return q != NULL && q->serial == serial && q->about == about ? q : NULL;
}

static void
end_question(struct question *q)
{
	take_slot(q->serial);
	question_answer(q);
	send_some();
}

static bool
on_packet(struct peer *peer, struct packet *p)
{
	struct answered a;
	struct question *q;

	(void)peer;
	if (packet_read(p, "changed", NULL, 0, 0)) {
		kept_forget();
		return true;
	}
	q = question_read(p, find_question, &a);
	if (q == NULL)
		return false;
	if (a.more) {
		q->deadline = clock_monotonic_ms() + ANSWER_MS;
		return true;
	}
	if (a.keep)
		kept_add(q->other != NULL ? q->other : q->address, &q->route);
	end_question(q);
	return true;
}

/* -- the connection -- */

/* It died or was dropped: ask again once, then give up. */
static void
on_closed(struct peer *peer)
{
	struct question *again = NULL, *q;

	peer_end(peer);
	userdb.connected = false;
	kept_forget();
	for (size_t i = 0; i < WINDOW; i++) {
		q = userdb.slots[i];
		if (q == NULL)
			continue;
		take_slot(q->serial);
		route_free(&q->route);
		q->next = again;
		again = q;
	}
	while ((q = again) != NULL) {
		again = q->next;
		if (q->tries < TRIES)
			wait_in_line(q);
		else
			question_answer_later(q);
	}
	send_some();
}

static bool
connect_userdb(void)
{
	int fd;

	if (userdb.connected)
		return true;
	fd = ipc_connect("userdb");
	userdb.peer = (struct peer){.role = "userdb",
	    .packet = on_packet,
	    .closed = on_closed,
	    .most = 4 * WINDOW};
	if (fd == -1 || peer_begin(&userdb.peer, fd) == -1) {
		log_errno(LEVEL_WARNING, "cannot connect", "userdb");
		return false;
	}
	userdb.connected = true;
	return true;
}

static void
send_question(struct question *q)
{
	static const char *const verbs[] = {[ABOUT_ROUTE] = "route",
	    [ABOUT_LOGIN] = "sender",
	    [ABOUT_REWRITE] = "srs",
	    [ABOUT_LIMITS] = "budget"};
	static struct packet p;

	while (userdb.slots[userdb.serial % WINDOW] != NULL)
		userdb.serial++;
	q->serial = userdb.serial++;
	q->tries++;
	q->deadline = clock_monotonic_ms() + ANSWER_MS;
	userdb.slots[q->serial % WINDOW] = q;
	userdb.asked++;
	packet_start(&p, verbs[q->about]);
	packet_number(&p, "serial", q->serial);
	if (q->about == ABOUT_LOGIN)
		packet_text(&p, "user", q->other);
	packet_text(&p, q->about == ABOUT_LIMITS ? "user" : "address",
	    q->address);
	if (q->about == ABOUT_REWRITE)
		packet_text(&p, "domain", q->other);
	if (q->null)
		packet_number(&p, "null", 1);
	peer_send(&userdb.peer, &p);
}

static void
check_deadlines(struct timer *t)
{
	int64_t now = clock_monotonic_ms();
	bool late = false;

	for (size_t i = 0; i < WINDOW; i++)
		if (userdb.slots[i] != NULL &&
		    userdb.slots[i]->deadline <= now) {
			userdb.slots[i]->tries = TRIES;
			late = true;
		}
	if (late) {
		log_event(LEVEL_WARNING, "peer lost",
		    log_text("what", "userdb"),
		    log_text("reason", "no answer"));
		on_closed(&userdb.peer);
	}
	if (userdb.asked > 0)
		loop_timer(t, CHECK_MS);
}

static void
send_some(void)
{
	struct question *q;

	if (userdb.first == NULL)
		return;
	if (!connect_userdb()) {
		while ((q = next_in_line()) != NULL)
			question_answer_later(q);
		return;
	}
	while (userdb.asked < WINDOW && (q = next_in_line()) != NULL)
		send_question(q);
	if (userdb.timer.slot == 0) {
		userdb.timer.fire = check_deadlines;
		loop_timer(&userdb.timer, CHECK_MS);
	}
}

/* Never answered from within: the asker is still asking. */
static void
send_soon(struct timer *t)
{
	(void)t;
	send_some();
}

static struct timer soon = {.fire = send_soon};

static void
ask_soon(void)
{
	if (userdb.connected)
		send_some();
	else if (soon.slot == 0)
		loop_timer(&soon, 0);
}

/* What is kept is true for as long as userdb says nothing, and is there. */
static bool
is_kept(const char *address, struct route *route)
{
	return userdb.connected && ipc_is_quiet(userdb.peer.watch.fd) &&
	    kept_find(address, route);
}

static void
ask(struct question *q)
{
	wait_in_line(q);
	ask_soon();
}

void
route_ask(const char *address, bool null, route_answered *answered, void *asker,
    size_t index)
{
	struct question *q;
	struct route kept;

	if (is_kept(address, &kept)) {
		answered(asker, index, &kept);
		route_free(&kept);
		return;
	}
	q = question_new(address, NULL, answered, asker, index);
	if (q == NULL)
		return;
	q->null = null;
	ask(q);
}

void
route_ask_sender(const char *login, const char *address,
    route_answered *answered, void *asker)
{
	struct question *q = question_new(address, login, answered, asker, 0);

	if (q == NULL)
		return;
	q->about = ABOUT_LOGIN;
	ask(q);
}

/* Under a name that no address has. */
enum { LIMITS_KEY = PROTOCOL_LOGIN_MAX + 8 };

void
route_ask_limits(const char *login, route_answered *answered, void *asker)
{
	struct question *q;
	struct route kept;
	char key[LIMITS_KEY];

	snprintf(key, sizeof(key), "limits %s", login);
	if (is_kept(key, &kept)) {
		answered(asker, 0, &kept);
		route_free(&kept);
		return;
	}
	q = question_new(login, key, answered, asker, 0);
	if (q == NULL)
		return;
	q->about = ABOUT_LIMITS;
	ask(q);
}

void
route_ask_srs(const char *sender, const char *domain, route_answered *answered,
    void *asker, size_t index)
{
	struct question *q =
	    question_new(sender, domain, answered, asker, index);

	if (q == NULL)
		return;
	q->about = ABOUT_REWRITE;
	ask(q);
}
