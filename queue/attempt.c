/* SPDX-License-Identifier: ISC */
#include "queue/attempt-steps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/verdict.h"
#include "queue/budget.h"
#include "queue/dispatch.h"
#include "queue/hold.h"
#include "queue/load.h"
#include "queue/queue.h"
#include "queue/rewrite.h"

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

void
attempt_weigh(struct attempt *a, size_t octets)
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

bool
attempt_room(struct attempt *a)
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

void
attempt_step(struct attempt *a)
{
	if (a->unanswered > 0)
		return;
	if (a->unfinished == 0)
		attempt_finish(a);
}

void
attempt_settle(struct attempt *a, size_t index, const struct result *result)
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
	attempt_settle(a, index, result);
	a->unfinished--;
	/* Others are still out: what is known must not die with us. */
	if (a->unfinished > 0 || a->unanswered > 0)
		attempt_record(a);
	attempt_step(a);
}

void
attempt_park(struct attempt *a, size_t index)
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
	attempt_park(a, index);
	a->unfinished--;
	attempt_step(a);
}

void
attempt_settle_verdict(
    struct attempt *a, size_t index, enum verdict verdict, bool trouble)
{
	const struct verdict_row *row = verdict_row(verdict);
	struct result result = {.dsn = row->enhanced,
	    .text = row->text,
	    .trouble = trouble,
	    .state = verdict_is_temporary(verdict) ? RECIPIENT_PENDING
						   : RECIPIENT_FAILED};

	attempt_settle(a, index, &result);
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
	message_hold(m, reason != NULL);
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

/* -- begin -- */

static void
start(struct attempt *a)
{
	/* One more, so that no answer from within ends it half begun. */
	a->unanswered = 1;
	for (size_t i = 0; i < a->e.n; i++)
		if (a->e.recipients[i].state == RECIPIENT_PENDING)
			attempt_ask(a, i);
	if (--a->unanswered == 0)
		attempt_leave(a);
}

void
attempt_first(struct message *m, struct envelope *e, struct route *routes)
{
	struct attempt *a = NULL;

	message_is_of(m, message_sender(e), e->login != NULL);
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
		attempt_weigh(a, BUDGET_ENVELOPE + a->e.n * BUDGET_RECIPIENT);
	}
	if (a == NULL || !attempt_room(a)) {
		if (a != NULL)
			attempt_free(a);
		dispatch_wait(m, TROUBLE_MS);
		dispatch_done();
		return;
	}
	a->unanswered = a->e.n;
	for (size_t i = 0, n = a->e.n; i < n; i++)
		attempt_routed(a, i, &routes[i]);
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
	rewrite_free(a->rewrites);
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
	attempt_weigh(
	    a, budget_of_file(spool_envelope_size(&queue.spool, a->id)));
	switch (load_message(&queue.spool, a->id, m->folder, &a->e)) {
	case LOAD_MESSAGE:
		if (hold_applies(m, &a->e)) {
			attempt_free(a);
			dispatch_done();
			return NULL;
		}
		if (attempt_room(a))
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
