/* SPDX-License-Identifier: ISC */
#include "queue/select.h"

#include <stdlib.h>
#include <string.h>

#include "queue/pattern.h"

static const char *const states[STATES] = {
    [STATE_INCOMING] = "incoming",
    [STATE_ACTIVE] = "active",
    [STATE_READY] = "ready",
    [STATE_WAITING] = "waiting",
    [STATE_HELD] = "held",
};

const char *
state_name(enum queue_state state)
{
	return states[state];
}

bool
state_named(const char *name, enum queue_state *state)
{
	for (int i = 0; i < STATES; i++)
		if (strcmp(states[i], name) == 0) {
			*state = (enum queue_state)i;
			return true;
		}
	return false;
}

void
selection_free(struct selection *s)
{
	free(s->ids);
	free(s->sender);
	free(s->recipient);
	free(s->domain);
	free(s->login);
	*s = (struct selection){0};
}

static bool
has_conditions(const struct selection *s)
{
	return s->sender != NULL || s->recipient != NULL || s->domain != NULL ||
	    s->login != NULL || s->has_uid || s->has_older || s->has_younger ||
	    s->has_least || s->has_most || s->states != 0 || s->all;
}

bool
selection_is_empty(const struct selection *s)
{
	return s->n == 0 && !has_conditions(s);
}

bool
selection_is_ids(const struct selection *s)
{
	return s->n > 0 && !has_conditions(s);
}

/* -- ids -- */

static int
by_number(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

bool
select_id(struct selection *s, const char *id)
{
	if ((s->n & (s->n - 1)) == 0) {
		uint64_t *more = reallocarray(
		    s->ids, s->n == 0 ? 1 : 2 * s->n, sizeof(*more));

		if (more == NULL)
			return false;
		s->ids = more;
	}
	s->ids[s->n++] = strtoull(id, NULL, 16);
	return true;
}

void
selection_sort(struct selection *s)
{
	size_t kept = 0;

	if (s->n > 1)
		qsort(s->ids, s->n, sizeof(s->ids[0]), by_number);
	for (size_t i = 0; i < s->n; i++)
		if (i == 0 || s->ids[i] != s->ids[kept - 1])
			s->ids[kept++] = s->ids[i];
	s->n = kept;
}

size_t
selection_place(const struct selection *s, uint64_t id)
{
	const uint64_t *where =
	    bsearch(&id, s->ids, s->n, sizeof(id), by_number);

	return (size_t)(where - s->ids);
}

bool
selection_has_id(const struct selection *s, uint64_t id)
{
	return s->n == 0 ||
	    bsearch(&id, s->ids, s->n, sizeof(id), by_number) != NULL;
}

/* -- messages -- */

const char *
select_domain_of(const char *address)
{
	const char *at = strrchr(address, '@');

	return at != NULL ? at + 1 : "";
}

static bool
fits(const struct selection *s, const char *address)
{
	return (s->recipient == NULL ||
		   pattern_matches(s->recipient, address)) &&
	    (s->domain == NULL ||
		pattern_matches(s->domain, select_domain_of(address)));
}

/* Somebody who waits, or an alias above him. */
static bool
fits_recipient(const struct selection *s, const struct envelope *e)
{
	for (size_t i = 0; i < e->n; i++) {
		size_t at = i;

		if (e->recipients[i].state != RECIPIENT_PENDING &&
		    e->recipients[i].state != RECIPIENT_FAILED)
			continue;
		while (!fits(s, e->recipients[at].address)) {
			if (e->recipients[at].parent == at)
				break;
			at = e->recipients[at].parent;
		}
		if (fits(s, e->recipients[at].address))
			return true;
	}
	return false;
}

bool
selection_wants(const struct selection *s, const struct candidate *c)
{
	const struct envelope *e = c->e;

	if (!selection_has_id(s, c->id) ||
	    (s->states != 0 && (s->states & 1u << c->state) == 0) ||
	    (s->has_older && c->age < s->older) ||
	    (s->has_younger && c->age > s->younger) ||
	    (s->has_least && e->content < s->least) ||
	    (s->has_most && e->content > s->most) ||
	    (s->has_uid && e->uid != s->uid))
		return false;
	if (s->sender != NULL && !pattern_matches(s->sender, e->sender))
		return false;
	if (s->login != NULL &&
	    (e->login == NULL || !pattern_matches(s->login, e->login)))
		return false;
	return (s->recipient == NULL && s->domain == NULL) ||
	    fits_recipient(s, e);
}
