/* SPDX-License-Identifier: ISC */
#include "queue/stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hash.h"

const int64_t stats_ages[STATS_AGES - 1] = {600, 3600, 21600, 86400, 259200};
const char *const stats_age_names[STATS_AGES] = {
    "<10m", "<1h", "<6h", "<1d", "<3d", "older"};

/* -- by name -- */

static bool
grow(struct tallies *t)
{
	size_t nslots = t->nslots == 0 ? 64 : 2 * t->nslots;
	struct tally **slots, *next;

	if (t->n < t->nslots)
		return true;
	slots = calloc(nslots, sizeof(struct tally *));
	if (slots == NULL)
		return false;
	for (size_t i = 0; i < t->nslots; i++)
		for (struct tally *a = t->slots[i]; a != NULL; a = next) {
			struct tally **slot =
			    &slots[hash_text(a->name) & (nslots - 1)];

			next = a->chain;
			a->chain = *slot;
			*slot = a;
		}
	free(t->slots);
	t->slots = slots;
	t->nslots = nslots;
	return true;
}

static struct tally *
tally_new(const char *name)
{
	size_t n = strlen(name) + 1;
	struct tally *t = calloc(1, sizeof(*t) + n);

	if (t != NULL)
		memcpy(t->name, name, n);
	return t;
}

static void
tally_free(struct tally *t)
{
	if (t == NULL)
		return;
	free(t->text);
	free(t->host);
	free(t);
}

struct tally *
tallies_get(struct tallies *t, const char *name)
{
	struct tally *a, **slot;

	if (!grow(t))
		return NULL;
	slot = &t->slots[hash_text(name) & (t->nslots - 1)];
	for (a = *slot; a != NULL; a = a->chain)
		if (strcmp(a->name, name) == 0)
			return a;
	a = tally_new(name);
	if (a == NULL)
		return NULL;
	a->chain = *slot;
	*slot = a;
	t->n++;
	return a;
}

void
tallies_free(struct tallies *t)
{
	struct tally *next;

	for (size_t i = 0; i < t->nslots; i++)
		for (struct tally *a = t->slots[i]; a != NULL; a = next) {
			next = a->chain;
			tally_free(a);
		}
	free(t->slots);
	*t = (struct tallies){0};
}

static int
by_messages(const void *left, const void *right)
{
	const struct tally *a = *(struct tally *const *)left;
	const struct tally *b = *(struct tally *const *)right;

	if (a->messages != b->messages)
		return a->messages > b->messages ? -1 : 1;
	return strcmp(a->name, b->name);
}

struct tally **
tallies_sorted(const struct tallies *t)
{
	struct tally **all = calloc(t->n + 1, sizeof(struct tally *));
	size_t n = 0;

	if (all == NULL)
		return NULL;
	for (size_t i = 0; i < t->nslots; i++)
		for (struct tally *a = t->slots[i]; a != NULL; a = a->chain)
			all[n++] = a;
	qsort(all, n, sizeof(struct tally *), by_messages);
	return all;
}

/* -- counting -- */

static void
count(struct tally *t, const struct envelope *e, int64_t now)
{
	size_t age = 0;

	t->messages++;
	t->octets += e->content;
	if (t->oldest == 0 || e->time < t->oldest)
		t->oldest = e->time;
	while (age < STATS_AGES - 1 && now - e->time >= stats_ages[age])
		age++;
	t->ages[age]++;
}

static bool
keep_words(struct tally *t, int64_t when, const char *text)
{
	char *copy;

	if (text == NULL || when <= t->when)
		return true;
	copy = strdup(text);
	if (copy == NULL)
		return false;
	free(t->text);
	t->text = copy;
	t->when = when;
	return true;
}

bool
tally_merge(struct tally *to, const struct tally *from)
{
	to->messages += from->messages;
	to->octets += from->octets;
	if (to->oldest == 0 || (from->oldest != 0 && from->oldest < to->oldest))
		to->oldest = from->oldest;
	for (size_t i = 0; i < STATS_AGES; i++)
		to->ages[i] += from->ages[i];
	return keep_words(to, from->when, from->text);
}

/* A domain's name in lower case; an address without one as it is. */
static void
domain_name(char out[256], const char *address)
{
	const char *domain = select_domain_of(address);

	out[0] = '\0';
	strncat(out, domain[0] != '\0' ? domain : address, 255);
	for (; *out != '\0'; out++)
		if (*out >= 'A' && *out <= 'Z')
			*out = (char)(*out - 'A' + 'a');
}

/* Once for each domain, however many recipients it has there. */
static bool
count_domains(struct stats *s, const struct envelope *e, int64_t now)
{
	char name[256];

	for (size_t i = 0; i < e->n; i++) {
		const struct recipient *r = &e->recipients[i];
		struct tally *t;

		if (r->state != RECIPIENT_PENDING)
			continue;
		s->recipients++;
		domain_name(name, r->address);
		t = tallies_get(&s->domains, name);
		if (t == NULL || !keep_words(t, r->when, r->text))
			return false;
		if (t->last != s->messages)
			count(t, e, now);
		t->last = s->messages;
	}
	return true;
}

static struct tally *
source_of(struct stats *s, const struct envelope *e)
{
	char uid[24];

	if (e->login != NULL)
		return tallies_get(&s->sources[SOURCE_LOGIN], e->login);
	if (e->uid < 0)
		return tallies_get(&s->sources[SOURCE_SENDER], e->sender);
	snprintf(uid, sizeof(uid), "%" PRId64, e->uid);
	return tallies_get(&s->sources[SOURCE_UID], uid);
}

bool
stats_count(struct stats *s, enum queue_state state, const struct envelope *e,
    int64_t now)
{
	struct tally *source = source_of(s, e);

	if (source == NULL)
		return false;
	s->messages++;
	count(s->total, e, now);
	count(s->states[state], e, now);
	count(source, e, now);
	return count_domains(s, e, now);
}

bool
stats_begin(struct stats *s)
{
	*s = (struct stats){0};
	s->total = tally_new("total");
	if (s->total == NULL)
		return false;
	for (int i = 0; i < STATES; i++)
		if ((s->states[i] =
			    tally_new(state_name((enum queue_state)i))) == NULL)
			return false;
	return true;
}

void
stats_free(struct stats *s)
{
	tally_free(s->total);
	for (int i = 0; i < STATES; i++)
		tally_free(s->states[i]);
	tallies_free(&s->domains);
	for (int i = 0; i < 3; i++)
		tallies_free(&s->sources[i]);
}
