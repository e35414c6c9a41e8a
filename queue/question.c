/* SPDX-License-Identifier: ISC */
#include "queue/question.h"

#include <stdlib.h>
#include <string.h>

#include "common/protocol.h"
#include "queue/envelope.h"

void
route_free(struct route *route)
{
	for (size_t i = 0; i < route->n; i++)
		free(route->targets[i]);
	free(route->targets);
	free(route->reason);
	*route = (struct route){0};
}

void
question_answer(struct question *q)
{
	q->answered(q->asker, q->index, &q->route);
	route_free(&q->route);
	free(q);
}

void
question_answer_later(struct question *q)
{
	route_free(&q->route);
	q->route = (struct route){.kind = ROUTE_LATER,
	    .verdict = VERDICT_LOOKUP_FAILED,
	    .no_answer = true};
	question_answer(q);
}

struct question *
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

static struct question *
read_sender(struct packet *p, struct question *(*find)(uint64_t, enum about))
{
	const char *verdict;
	uint64_t serial;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("serial", &serial),
	    ATTRIBUTE_TEXT("verdict", PROTOCOL_NAME_MAX, &verdict)};
	struct question *q;

	if (!packet_read(p, "sender", set, 2, 0) ||
	    (q = find(serial, ABOUT_LOGIN)) == NULL)
		return NULL;
	q->route.kind = ROUTE_SENDER;
	q->route.verdict = verdict_named(verdict);
	return q;
}

static struct question *
read_srs(struct packet *p, struct question *(*find)(uint64_t, enum about))
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
	    (q = find(serial, ABOUT_REWRITE)) == NULL)
		return NULL;
	r = &q->route;
	r->kind = ROUTE_SENDER;
	r->verdict = verdict_named(verdict);
	if (r->verdict != VERDICT_OK && !verdict_is_temporary(r->verdict))
		r->verdict = VERDICT_INTERNAL;
	if (address != NULL && !add_target(r, address))
		r->verdict = VERDICT_BUSY;
	r->reason = reason != NULL ? strdup(reason) : NULL;
	return q;
}

static struct question *
read_limits(struct packet *p, struct question *(*find)(uint64_t, enum about),
    struct answered *a)
{
	const char *verdict, *limits;
	uint64_t serial, keep;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("serial", &serial),
	    ATTRIBUTE_TEXT("verdict", PROTOCOL_NAME_MAX, &verdict),
	    ATTRIBUTE_TEXT_OPTIONAL("limits", PROTOCOL_LIMITS_MAX, &limits),
	    ATTRIBUTE_NUMBER_OPTIONAL("keep", &keep)};
	struct question *q;
	struct route *r;

	if (!packet_read(p, "budget", set, 4, 0) ||
	    (q = find(serial, ABOUT_LIMITS)) == NULL)
		return NULL;
	r = &q->route;
	r->kind = ROUTE_SENDER;
	r->verdict = verdict_named(verdict);
	if (!add_target(r, limits != NULL ? limits : ""))
		r->verdict = VERDICT_BUSY;
	a->keep = keep == 1 && r->verdict == VERDICT_OK;
	return q;
}

static struct question *
read_route(struct packet *p, struct question *(*find)(uint64_t, enum about),
    struct answered *a)
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

	if (!packet_read(p, "route", set, 5, 0) ||
	    (q = find(serial, ABOUT_ROUTE)) == NULL ||
	    !note_answer(&q->route, kind, target))
		return NULL;
	a->more = more == 1 && q->route.kind == ROUTE_ALIAS;
	a->keep = keep == 1 &&
	    (q->route.kind == ROUTE_MAILBOX || q->route.kind == ROUTE_REMOTE);
	return q;
}

struct question *
question_read(struct packet *p, struct question *(*find)(uint64_t, enum about),
    struct answered *a)
{
	*a = (struct answered){.more = false};
	if (packet_is(p, "sender"))
		return read_sender(p, find);
	if (packet_is(p, "srs"))
		return read_srs(p, find);
	if (packet_is(p, "budget"))
		return read_limits(p, find, a);
	return read_route(p, find, a);
}
