/* SPDX-License-Identifier: ISC */
#include "queue/attempt-steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/verdict.h"
#include "queue/budget.h"
#include "queue/dispatch.h"
#include "queue/local.h"
#include "queue/remote.h"
#include "queue/rewrite.h"

void
attempt_ask(struct attempt *a, size_t index)
{
	a->work[index].stage = WORK_ROUTING;
	a->unanswered++;
	route_ask(a->e.recipients[index].address, a->e.sender[0] == '\0',
	    attempt_routed, a, index);
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
	if (attempt_room(a))
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
		attempt_settle_verdict(a, index, VERDICT_LOOP, false);
		return;
	}
	if (route->n > ENVELOPE_RECIPIENTS_MAX - e->n) {
		attempt_settle(a, index,
		    &(struct result){.state = RECIPIENT_FAILED,
			.dsn = "5.5.3", /* RFC 3463 section 3.6 */
			.text = "alias leads to too many recipients"});
		return;
	}
	if (!envelope_note(e, index, &expanded) ||
	    !add_targets(a, index, route)) {
		e->recipients[index].state = RECIPIENT_PENDING;
		attempt_settle_verdict(a, index, VERDICT_BUSY, true);
		return;
	}
	a->work[index].stage = WORK_DONE;
	attempt_weigh(a, (e->n - first) * BUDGET_RECIPIENT);
	envelope_expanded_line(&a->lines, e, index, first);
	log_event(LEVEL_INFO, "expanded", log_text("id", a->id),
	    log_address("to", e->recipients[index].address),
	    log_number("recipients", (int64_t)(e->n - first)));
	for (size_t i = first; i < e->n; i++)
		attempt_ask(a, i);
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

	attempt_settle(a, index, &result);
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
			attempt_settle_verdict(a, index, VERDICT_LOOP, false);
		else
			expand(a, index, route);
		break;
	default:
		attempt_settle_verdict(
		    a, index, route->verdict, route->no_answer);
	}
}

/* -- remote recipients, by domain -- */

static const struct attempt *sorted;

/* By domain, and then by sender: a transaction has one. */
static int
compare(const struct attempt *a, size_t i, size_t j)
{
	int order = strcmp(a->work[i].target, a->work[j].target);
	const char *mine = attempt_sender(a, i), *other = attempt_sender(a, j);

	if (order != 0)
		return order;
	return strcmp(
	    mine != NULL ? mine : "", other != NULL ? other : "");
}

static int
by_domain(const void *left, const void *right)
{
	size_t i = *(const size_t *)left, j = *(const size_t *)right;
	int order = compare(sorted, i, j);

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
			attempt_park(a, index[i]);
		return;
	}
	result.dsn = d->dsn;
	result.text = d->text;
	for (size_t i = 0; i < n; i++)
		attempt_settle(a, index[i], &result);
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
			attempt_settle_verdict(a, index[i], VERDICT_BUSY, true);
	}
	if (domain != NULL)
		domain_release(domain);
}

/* The recipients of that domain and sender, from the first on. */
static size_t
group(const struct attempt *a, const size_t *index, size_t n)
{
	size_t i = 1;

	while (i < n && compare(a, index[0], index[i]) == 0)
		i++;
	return i;
}

/* Nobody can say under whose name it is to leave. */
static void
put_off(struct attempt *a)
{
	for (size_t i = 0; i < a->e.n; i++) {
		const struct rewrite *r = a->work[i].rewrite;

		if (a->work[i].stage == WORK_REMOTE && r != NULL &&
		    r->verdict != VERDICT_OK)
			attempt_settle_verdict(a, i, r->verdict, true);
	}
}

void
attempt_deliver_remote(struct attempt *a)
{
	size_t n = 0, part;
	size_t *index = reallocarray(NULL, a->e.n, sizeof(*index));

	put_off(a);
	for (size_t i = 0; i < a->e.n; i++)
		if (a->work[i].stage == WORK_REMOTE && index != NULL)
			index[n++] = i;
		else if (a->work[i].stage == WORK_REMOTE)
			attempt_settle_verdict(a, i, VERDICT_BUSY, true);
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

void
attempt_routed(void *asker, size_t index, struct route *route)
{
	struct attempt *a = asker;

	follow(a, index, route);
	if (--a->unanswered > 0)
		return;
	attempt_leave(a);
}
