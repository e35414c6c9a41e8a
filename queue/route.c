/* SPDX-License-Identifier: ISC */
#include "queue/route.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/protocol.h"
#include "common/peer.h"
#include "queue/envelope.h"
#include "queue/kept.h"

enum {
	WINDOW = 256, /* questions at a time; a power of two */
	ANSWER_MS = 30 * 1000,
	CHECK_MS = 5 * 1000,
	TRIES = 2
};

/* What is asked about the address, and with which other word. */
enum about {
	ABOUT_ROUTE,  /* where does it lead? */
	ABOUT_LOGIN,  /* may this login send as it? */
	ABOUT_REWRITE /* what instead of it, for an alias of this domain? */
};

struct question {
	struct question *next;
	route_answered *answered;
	void *asker;
	size_t index;
	unsigned tries;
	int64_t deadline;
	uint64_t serial;
	struct route route; /* an alias's targets, as they come */
	enum about about;
	bool null;   /* as route_ask() has it */
	char *other; /* a login or a domain, behind the address; or NULL */
	char address[];
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

void
route_free(struct route *route)
{
	for (size_t i = 0; i < route->n; i++)
		free(route->targets[i]);
	free(route->targets);
	free(route->reason);
	*route = (struct route){0};
}

static void
answer(struct question *q)
{
	q->answered(q->asker, q->index, &q->route);
	route_free(&q->route);
	free(q);
}

static void
answer_later(struct question *q)
{
	route_free(&q->route);
	q->route = (struct route){.kind = ROUTE_LATER,
	    .verdict = VERDICT_LOOKUP_FAILED,
	    .no_answer = true};
	answer(q);
}

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

static const char *const kinds[] = {
    [ROUTE_MAILBOX] = "mailbox",
    [ROUTE_SYSTEM] = "system",
    [ROUTE_ALIAS] = "alias",
    [ROUTE_REMOTE] = "remote",
    [ROUTE_UNKNOWN] = "unknown",
    [ROUTE_LATER] = "later",
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static bool
add_target(struct route *route, const char *target)
{
	char **more, *copy;

	if (route->n == ENVELOPE_RECIPIENTS_MAX)
		return true; /* the envelope would not take it either */
	more =
	    reallocarray(route->targets, route->n + 1, sizeof(*route->targets));
	if (more == NULL)
		return false;
	route->targets = more;
	copy = strdup(target);
	if (copy == NULL)
		return false;
	route->targets[route->n++] = copy;
	return true;
}

/* False: this answer makes no sense. */
static bool
note_answer(struct route *route, const char *kind, const char *target)
{
	size_t i = 0;

	while (i < KINDS && strcmp(kinds[i], kind) != 0)
		i++;
	if (i == KINDS || target == NULL || target[0] == '\0')
		return false;
	if (route->n > 0 && (i != ROUTE_ALIAS || route->kind != ROUTE_ALIAS))
		return false;
	route->kind = (enum route_kind)i;
	if (i != ROUTE_UNKNOWN && i != ROUTE_LATER)
		return add_target(route, target);
	route->verdict = verdict_named(target);
	/* "unknown" ends in a bounce: only a permanent verdict may say it. */
	if (verdict_is_success(route->verdict))
		route->verdict = VERDICT_INTERNAL;
	if (verdict_is_temporary(route->verdict))
		route->kind = ROUTE_LATER;
	return true;
}

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
	answer(q);
	send_some();
}

static bool
on_sender(struct packet *p)
{
	const char *verdict;
	uint64_t serial;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("serial", &serial),
	    ATTRIBUTE_TEXT("verdict", PROTOCOL_NAME_MAX, &verdict)};
	struct question *q;

	if (!packet_read(p, "sender", set, 2, 0) ||
	    (q = find_question(serial, ABOUT_LOGIN)) == NULL)
		return false;
	q->route.kind = ROUTE_SENDER;
	q->route.verdict = verdict_named(verdict);
	end_question(q);
	return true;
}

static bool
on_srs(struct packet *p)
{
	const char *verdict, *address, *reason;
	uint64_t serial;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("serial", &serial),
	    ATTRIBUTE_TEXT("verdict", PROTOCOL_NAME_MAX, &verdict),
	    ATTRIBUTE_TEXT_OPTIONAL("address", PROTOCOL_ADDRESS_MAX, &address),
	    ATTRIBUTE_TEXT_OPTIONAL("reason", PROTOCOL_TEXT_MAX, &reason)};
	struct question *q;
	struct route *r;

	if (!packet_read(p, "srs", set, 4, 0) ||
	    (q = find_question(serial, ABOUT_REWRITE)) == NULL)
		return false;
	r = &q->route;
	r->kind = ROUTE_SENDER;
	r->verdict = verdict_named(verdict);
	if (r->verdict != VERDICT_OK && !verdict_is_temporary(r->verdict))
		r->verdict = VERDICT_INTERNAL;
	if (address != NULL && !add_target(r, address))
		r->verdict = VERDICT_BUSY;
	r->reason = reason != NULL ? strdup(reason) : NULL;
	end_question(q);
	return true;
}

static bool
on_packet(struct peer *peer, struct packet *p)
{
	const char *kind, *target;
	uint64_t serial, more, keep;
	const struct attribute set[] = {
	    ATTRIBUTE_NUMBER("serial", &serial),
	    ATTRIBUTE_TEXT("kind", PROTOCOL_NAME_MAX, &kind),
	    ATTRIBUTE_TEXT_OPTIONAL("target", PROTOCOL_ADDRESS_MAX, &target),
	    ATTRIBUTE_NUMBER_OPTIONAL("more", &more),
	    ATTRIBUTE_NUMBER_OPTIONAL("keep", &keep),
	};
	struct question *q;

	(void)peer;
	if (packet_read(p, "changed", NULL, 0, 0)) {
		kept_forget();
		return true;
	}
	if (packet_is(p, "sender"))
		return on_sender(p);
	if (packet_is(p, "srs"))
		return on_srs(p);
	if (!packet_read(p, "route", set, 5, 0) ||
	    (q = find_question(serial, ABOUT_ROUTE)) == NULL)
		return false;
	if (!note_answer(&q->route, kind, target))
		return false;
	if (more == 1 && q->route.kind == ROUTE_ALIAS) {
		q->deadline = clock_monotonic_ms() + ANSWER_MS;
		return true;
	}
	if (keep == 1 &&
	    (q->route.kind == ROUTE_MAILBOX || q->route.kind == ROUTE_REMOTE))
		kept_add(q->address, &q->route);
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
			answer_later(q);
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
	    [ABOUT_REWRITE] = "srs"};
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
	packet_text(&p, "address", q->address);
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
			answer_later(q);
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

/* NULL without memory: it is answered. */
static struct question *
question_new(const char *address, const char *other, route_answered *answered,
    void *asker, size_t index)
{
	size_t n = strlen(address) + 1;
	size_t more = other != NULL ? strlen(other) + 1 : 0;
	struct question *q = calloc(1, sizeof(*q) + n + more);

	if (q == NULL) {
		struct route none = {.kind = ROUTE_LATER,
		    .verdict = VERDICT_BUSY,
		    .no_answer = true};

		answered(asker, index, &none);
		return NULL;
	}
	q->answered = answered;
	q->asker = asker;
	q->index = index;
	memcpy(q->address, address, n);
	if (other != NULL) {
		q->other = q->address + n;
		memcpy(q->other, other, more);
	}
	return q;
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
