/* SPDX-License-Identifier: ISC */
#include "queue/attempt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/protocol.h"
#include "common/verdict.h"
#include "queue/budget.h"
#include "queue/dispatch.h"
#include "queue/hold.h"
#include "queue/load.h"
#include "queue/local.h"
#include "queue/queue.h"
#include "queue/remote.h"

enum {
	TROUBLE_MS = 5 * 1000, /* out of memory: look again */
	TROUBLE_DOUBLINGS = 8  /* a disk that cannot read */
};

static struct attempt *running;

static struct attempt *
attempt_new(struct message *m)
{
	struct attempt *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->m = m;
	a->began = clock_monotonic_ms();
	a->lines = BUF_INIT(ENVELOPE_FILE_MAX);
	message_id(m, a->id);
	envelope_init(&a->e);
	a->next = running;
	if (a->next != NULL)
		a->next->previous = a;
	running = a;
	return a;
}

struct attempt *
attempt_of(const struct message *m)
{
	struct attempt *a = m->state == MESSAGE_ACTIVE ? running : NULL;

	while (a != NULL && a->m != m)
		a = a->next;
	return a;
}

static void
weigh(struct attempt *a, size_t octets)
{
	a->weight += octets;
	budget_take(BUDGET_ATTEMPTS, octets);
}

static void
unweigh(struct attempt *a)
{
	bool spent = budget_is_spent(BUDGET_ATTEMPTS);

	budget_give(BUDGET_ATTEMPTS, a->weight);
	a->weight = 0;
	if (spent)
		dispatch_serve();
}

/* Room for the work of every recipient there is. */
static bool
make_room(struct attempt *a)
{
	size_t room = a->room;
	struct work *more;

	if (a->e.n <= room)
		return true;
	room = a->e.n > 2 * room ? a->e.n : 2 * room;
	more = reallocarray(a->work, room, sizeof(*more));
	if (more == NULL)
		return false;
	memset(more + a->room, 0, (room - a->room) * sizeof(*more));
	a->work = more;
	a->room = room;
	return true;
}

/* -- outcomes -- */

static void
step(struct attempt *a)
{
	if (a->unanswered > 0)
		return;
	if (a->unfinished == 0)
		attempt_finish(a);
}

static void
settle(struct attempt *a, size_t index, const struct result *result)
{
	struct result shared = *result;

	a->work[index].stage = WORK_DONE;
	if (result->trouble)
		a->trouble = true;
	else if (result->state == RECIPIENT_PENDING)
		a->deferred = true;
	if (result->state == RECIPIENT_PENDING && !result->host)
		a->singled_out = true;
	if (result->linked)
		a->linked = true;
	attempt_note(a, index, result);
	/*
	 * Who leads to the same place shares the outcome; what he asked about
	 * reports was not passed on.
	 */
	shared.relayed = result->state == RECIPIENT_DELIVERED &&
	    a->work[index].kind == ROUTE_REMOTE;
	for (size_t i = 0; i < a->e.n; i++)
		if (a->work[i].stage == WORK_SAME && a->work[i].same == index) {
			a->work[i].stage = WORK_DONE;
			attempt_note(a, i, &shared);
		}
}

void
attempt_result(struct attempt *a, size_t index, const struct result *result)
{
	settle(a, index, result);
	a->unfinished--;
	/* Others are still out: what is known must not die with us. */
	if (a->unfinished > 0 || a->unanswered > 0)
		attempt_record(a);
	step(a);
}

static void
park(struct attempt *a, size_t index)
{
	a->parked = true;
	a->work[index].stage = WORK_PARKED;
	for (size_t i = 0; i < a->e.n; i++)
		if (a->work[i].stage == WORK_SAME && a->work[i].same == index)
			a->work[i].stage = WORK_PARKED;
}

void
attempt_withdrawn(struct attempt *a, size_t index)
{
	park(a, index);
	a->unfinished--;
	step(a);
}

static void
settle_verdict(
    struct attempt *a, size_t index, enum verdict verdict, bool trouble)
{
	const struct verdict_row *row = verdict_row(verdict);
	struct result result = {.dsn = row->enhanced,
	    .text = row->text,
	    .trouble = trouble,
	    .state = verdict_is_temporary(verdict) ? RECIPIENT_PENDING
						   : RECIPIENT_FAILED};

	settle(a, index, &result);
}

/* -- at the postmaster's word -- */

static bool
record_word(struct attempt *a, const char *reason)
{
	struct message *m = a->m;

	if (reason != NULL) {
		if (!envelope_hold(&a->e, clock_now(), reason))
			return false;
		envelope_held_line(&a->lines, a->e.held_since, reason);
	} else {
		envelope_release(&a->e, clock_now());
		envelope_released_line(&a->lines, a->e.released);
	}
	attempt_record(a);
	if (reason != NULL)
		log_event(LEVEL_INFO, "held", log_text("id", a->id),
		    log_text("reason", reason));
	else
		log_event(LEVEL_INFO, "released", log_text("id", a->id));
	m->held = reason != NULL;
	return !a->unwritten;
}

bool
attempt_hold(struct attempt *a, const char *reason)
{
	return (a->m->held && a->e.held != NULL) || record_word(a, reason);
}

bool
attempt_unhold(struct attempt *a)
{
	return record_word(a, NULL);
}

/* -- routing -- */

static void on_route(void *, size_t, struct route *);

static void
ask(struct attempt *a, size_t index)
{
	a->work[index].stage = WORK_ROUTING;
	a->unanswered++;
	route_ask(a->e.recipients[index].address, on_route, a, index);
}

/* All of them or none. */
static bool
add_targets(struct attempt *a, size_t index, const struct route *route)
{
	struct envelope *e = &a->e;
	size_t first = e->n;

	for (size_t i = 0; i < route->n; i++)
		if (!envelope_has_leaf(e, route->targets[i]) &&
		    !envelope_add_recipient(e, route->targets[i], index))
			goto failed;
	if (make_room(a))
		return true;
failed:
	envelope_truncate(e, first);
	return false;
}

/*
 * An alias.  Its line goes before any outcome of the new recipients, so that
 * their numbers mean the same here and in the file.
 */
static void
expand(struct attempt *a, size_t index, const struct route *route)
{
	struct envelope *e = &a->e;
	struct outcome expanded = {
	    .state = RECIPIENT_EXPANDED, .when = clock_now()};
	size_t first = e->n;

	if (e->recipients[index].depth >= ENVELOPE_DEPTH_MAX) {
		settle_verdict(a, index, VERDICT_LOOP, false);
		return;
	}
	if (route->n > ENVELOPE_RECIPIENTS_MAX - e->n) {
		settle(a, index,
		    &(struct result){.state = RECIPIENT_FAILED,
			.dsn = "5.5.3", /* RFC 3463 section 3.6 */
			.text = "alias leads to too many recipients"});
		return;
	}
	if (!envelope_note(e, index, &expanded) ||
	    !add_targets(a, index, route)) {
		e->recipients[index].state = RECIPIENT_PENDING;
		settle_verdict(a, index, VERDICT_BUSY, true);
		return;
	}
	a->work[index].stage = WORK_DONE;
	weigh(a, (e->n - first) * BUDGET_RECIPIENT);
	envelope_expanded_line(&a->lines, e, index, first);
	log_event(LEVEL_INFO, "expanded", log_text("id", a->id),
	    log_address("to", e->recipients[index].address),
	    log_number("recipients", (int64_t)(e->n - first)));
	for (size_t i = first; i < e->n; i++)
		ask(a, i);
}

/* The name of a place where mail ends; NULL without memory. */
static char *
relay_name(enum route_kind kind, const char *target)
{
	const char *prefix = kind == ROUTE_SYSTEM ? "system:" : "mailbox:";
	size_t n = strlen(prefix) + strlen(target) + 1;
	char *name = malloc(n);

	if (name != NULL)
		snprintf(name, n, "%s%s", prefix, target);
	return name;
}

/*
 * Another recipient that leads to the same place, in this attempt or in one
 * before: several aliases may lead to one mailbox, which gets one copy.
 */
static bool
is_same(const struct attempt *a, size_t i, size_t index)
{
	const struct work *w = &a->work[i], *mine = &a->work[index];
	const struct recipient *r = &a->e.recipients[i];

	if (i == index || w->target == NULL || w->kind != mine->kind ||
	    w->hash != mine->hash || strcmp(w->target, mine->target) != 0)
		return false;
	if (mine->kind == ROUTE_REMOTE &&
	    strcmp(r->address, a->e.recipients[index].address) != 0)
		return false;
	return w->stage == WORK_LOCAL || w->stage == WORK_REMOTE ||
	    (w->stage == WORK_DONE && r->state == RECIPIENT_DELIVERED);
}

static bool
was_delivered(const struct attempt *a, const char *relay)
{
	for (size_t i = 0; i < a->e.n; i++) {
		const struct recipient *r = &a->e.recipients[i];

		if (r->state == RECIPIENT_DELIVERED && r->relay != NULL &&
		    strcmp(r->relay, relay) == 0)
			return true;
	}
	return false;
}

static void
settle_same(struct attempt *a, size_t index, const char *relay, bool relayed)
{
	const struct verdict_row *row = verdict_row(VERDICT_OK);
	struct result result = {.state = RECIPIENT_DELIVERED,
	    .dsn = row->enhanced,
	    .relay = relay,
	    .relayed = relayed,
	    .text = "delivered there already"};

	settle(a, index, &result);
}

/* True: it needs no delivery of its own. */
static bool
collapse(struct attempt *a, size_t index)
{
	struct work *w = &a->work[index];

	for (size_t i = 0; i < a->e.n; i++) {
		if (!is_same(a, i, index))
			continue;
		if (a->work[i].stage == WORK_DONE) {
			settle_same(a, index, a->e.recipients[i].relay, true);
			return true;
		}
		w->stage = WORK_SAME;
		w->same = i;
		return true;
	}
	return false;
}

static void
deliver_local(struct attempt *a, size_t index)
{
	struct work *w = &a->work[index];
	char *relay = relay_name(w->kind, w->target);

	if (relay != NULL && was_delivered(a, relay)) {
		settle_same(a, index, relay, false);
	} else {
		w->stage = WORK_LOCAL;
		a->unfinished++;
		local_deliver(a, index);
	}
	free(relay);
}

static void
lead(struct attempt *a, size_t index, struct route *route)
{
	struct work *w = &a->work[index];

	free(w->target);
	w->kind = route->kind;
	w->target = route->targets[0];
	w->hash = envelope_hash(w->target);
	route->targets[0] = NULL;
	if (collapse(a, index))
		return;
	if (w->kind == ROUTE_REMOTE)
		w->stage = WORK_REMOTE;
	else
		deliver_local(a, index);
}

/* Whether its domain is ours is not known of a message met at start. */
static void
learn_place(const struct attempt *a, size_t index, enum route_kind kind)
{
	struct domain *domain = a->m->domain;
	const char *at = strrchr(a->e.recipients[index].address, '@');

	if (domain == NULL || at == NULL || strcmp(at + 1, domain->name) != 0)
		return;
	if (kind == ROUTE_MAILBOX || kind == ROUTE_SYSTEM)
		dispatch_learn_local(domain);
	else if (kind == ROUTE_REMOTE)
		domain->local = false;
}

static void
follow(struct attempt *a, size_t index, struct route *route)
{
	learn_place(a, index, route->kind);
	switch (route->kind) {
	case ROUTE_MAILBOX:
	case ROUTE_SYSTEM:
	case ROUTE_REMOTE:
		lead(a, index, route);
		break;
	case ROUTE_ALIAS:
		if (envelope_loops(&a->e, index))
			settle_verdict(a, index, VERDICT_LOOP, false);
		else
			expand(a, index, route);
		break;
	default:
		settle_verdict(a, index, route->verdict, route->no_answer);
	}
}

/* -- remote recipients, by domain -- */

static const struct attempt *sorted;

static int
by_domain(const void *left, const void *right)
{
	size_t i = *(const size_t *)left, j = *(const size_t *)right;
	int order = strcmp(sorted->work[i].target, sorted->work[j].target);

	return order != 0 ? order : i < j ? -1 : 1;
}

/*
 * No job may go there now.  A message for this domain alone is parked and
 * nothing is recorded of it; one for several waits its own time where the
 * destination rests.
 */
static void
put_by(struct attempt *a, struct domain *domain, const size_t *index, size_t n,
    bool alone)
{
	const struct destination *d = domain->destination;
	struct result result = {.state = RECIPIENT_PENDING, .host = true};

	a->unfinished -= n;
	if (alone || !pace_rests(&d->pace) || d->text == NULL) {
		for (size_t i = 0; i < n; i++)
			park(a, index[i]);
		return;
	}
	result.dsn = d->dsn;
	result.text = d->text;
	for (size_t i = 0; i < n; i++)
		settle(a, index[i], &result);
}

static void
deliver_domain(struct attempt *a, const size_t *index, size_t n, bool alone)
{
	const char *name = a->work[index[0]].target;
	struct domain *domain = domain_hold(name);

	switch (remote_deliver(a, domain, index, n, alone)) {
	case REMOTE_TAKEN:
		break;
	case REMOTE_CLOSED:
		put_by(a, domain, index, n, alone);
		break;
	case REMOTE_NO_MEMORY:
		a->unfinished -= n;
		for (size_t i = 0; i < n; i++)
			settle_verdict(a, index[i], VERDICT_BUSY, true);
	}
	if (domain != NULL)
		domain_release(domain);
}

/* The recipients of that domain, from the first on. */
static size_t
group(const struct attempt *a, const size_t *index, size_t n)
{
	const char *domain = a->work[index[0]].target;
	size_t i = 1;

	while (i < n && strcmp(a->work[index[i]].target, domain) == 0)
		i++;
	return i;
}

static void
deliver_remote(struct attempt *a)
{
	size_t n = 0, part;
	size_t *index = reallocarray(NULL, a->e.n, sizeof(*index));

	for (size_t i = 0; i < a->e.n; i++)
		if (a->work[i].stage == WORK_REMOTE && index != NULL)
			index[n++] = i;
		else if (a->work[i].stage == WORK_REMOTE)
			settle_verdict(a, i, VERDICT_BUSY, true);
	sorted = a;
	if (n > 1)
		qsort(index, n, sizeof(*index), by_domain);
	/* One more: an answer from within must not end it here. */
	a->unfinished += n + 1;
	for (size_t i = 0; i < n; i += part) {
		part = group(a, index + i, n - i);
		deliver_domain(a, index + i, part, part == n);
	}
	a->unfinished--;
	free(index);
	attempt_drop_ticket(a);
}

static void
on_route(void *asker, size_t index, struct route *route)
{
	struct attempt *a = asker;

	follow(a, index, route);
	if (--a->unanswered > 0)
		return;
	deliver_remote(a);
	step(a);
}

/* -- begin -- */

static void
start(struct attempt *a)
{
	/* One more, so that no answer from within ends it half begun. */
	a->unanswered = 1;
	for (size_t i = 0; i < a->e.n; i++)
		if (a->e.recipients[i].state == RECIPIENT_PENDING)
			ask(a, i);
	if (--a->unanswered == 0) {
		deliver_remote(a);
		step(a);
	}
}

void
attempt_first(struct message *m, struct envelope *e, struct route *routes)
{
	struct attempt *a = NULL;

	m->sender = message_sender(e);
	if (hold_applies(m, e))
		return;
	if (!dispatch_take(m)) {
		dispatch_wait(m, 0);
		return;
	}
	a = attempt_new(m);
	if (a != NULL) {
		a->e = *e;
		envelope_init(e);
		weigh(a, BUDGET_ENVELOPE + a->e.n * BUDGET_RECIPIENT);
	}
	if (a == NULL || !make_room(a)) {
		if (a != NULL)
			attempt_free(a);
		dispatch_wait(m, TROUBLE_MS);
		dispatch_done();
		return;
	}
	a->unanswered = a->e.n;
	for (size_t i = 0, n = a->e.n; i < n; i++)
		on_route(a, i, &routes[i]);
}

void
attempt_drop_ticket(struct attempt *a)
{
	struct destination *d = a->ticket;

	if (d == NULL)
		return;
	a->ticket = NULL;
	destination_move(d, STAGE_TICKET, STAGE_NONE);
	destination_stir(d, clock_monotonic_ms());
	destination_settle(d);
	dispatch_serve();
}

void
attempt_free(struct attempt *a)
{
	attempt_drop_ticket(a);
	if (a->next != NULL)
		a->next->previous = a->previous;
	if (a->previous != NULL)
		a->previous->next = a->next;
	else
		running = a->next;
	for (size_t i = 0; i < a->room; i++)
		free(a->work[i].target);
	free(a->work);
	buf_free(&a->lines);
	envelope_free(&a->e);
	unweigh(a);
	free(a);
}

/* The message is gone from the spool, or was set aside. */
static void
lose(struct attempt *a)
{
	message_drop(a->m);
	attempt_free(a);
	dispatch_done();
}

static void
come_back(struct message *m)
{
	dispatch_wait(m, TROUBLE_MS);
	dispatch_done();
}

/* A disk that cannot read it now is not asked again and again. */
static void
come_back_later(struct attempt *a)
{
	struct message *m = a->m;

	if (m->troubles == 0)
		log_event(LEVEL_ERROR, "cannot read", log_text("id", a->id),
		    log_text("reason", strerror(errno)));
	attempt_free(a);
	if (m->troubles < TROUBLE_DOUBLINGS)
		m->troubles++;
	dispatch_wait(m, (int64_t)TROUBLE_MS << (m->troubles - 1));
	dispatch_done();
}

/* NULL: it waits, or is lost. */
static struct attempt *
attempt_load(struct message *m, struct destination *ticket)
{
	struct attempt *a = attempt_new(m);

	if (a == NULL) {
		if (ticket != NULL)
			destination_move(ticket, STAGE_TICKET, STAGE_NONE);
		come_back(m);
		return NULL;
	}
	a->ticket = ticket;
	weigh(a, budget_of_file(spool_envelope_size(&queue.spool, a->id)));
	switch (load_message(&queue.spool, a->id, m->folder, &a->e)) {
	case LOAD_MESSAGE:
		if (hold_applies(m, &a->e)) {
			attempt_free(a);
			dispatch_done();
			return NULL;
		}
		if (make_room(a))
			return a;
		break;
	case LOAD_LATER:
		come_back_later(a);
		return NULL;
	default:
		lose(a);
		return NULL;
	}
	attempt_free(a);
	come_back(m);
	return NULL;
}

void
attempt_begin(struct message *m, struct destination *ticket)
{
	struct attempt *a = attempt_load(m, ticket);

	if (a == NULL)
		return;
	if (m->doomed)
		attempt_finish(a); /* it could not be removed before */
	else
		start(a);
}

/* Of who was never tried, the destination's last words are the reason. */
static void
borrow_words(struct attempt *a)
{
	const struct destination *d =
	    a->m->domain != NULL ? a->m->domain->destination : NULL;
	struct outcome outcome = {.state = RECIPIENT_PENDING};

	if (d == NULL || d->text == NULL)
		return;
	outcome.when = d->when;
	outcome.dsn = d->dsn;
	outcome.text = d->text;
	for (size_t i = 0; i < a->e.n; i++)
		if (a->e.recipients[i].state == RECIPIENT_PENDING &&
		    a->e.recipients[i].text == NULL)
			(void)envelope_note(&a->e, i, &outcome);
}

void
attempt_look(struct message *m)
{
	struct attempt *a = attempt_load(m, NULL);

	if (a == NULL)
		return;
	a->look = a->parked = true;
	borrow_words(a);
	attempt_finish(a);
}
