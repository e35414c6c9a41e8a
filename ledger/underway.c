/* SPDX-License-Identifier: ISC */
#include "ledger/underway.h"

#include <stdlib.h>
#include <string.h>

struct attempt {
	struct attempt *next;
	void *asker;
	uint64_t serial;
	time_t since;
	bool known; /* it counts for the user at that client alone */
	struct logins_key key;
};

/* Each the oldest first. */
static struct list {
	struct attempt *first, **last;
} going = {NULL, &going.first}, waiting = {NULL, &waiting.first};
static size_t n;

static void
append(struct list *list, struct attempt *a)
{
	a->next = NULL;
	*list->last = a;
	list->last = &a->next;
}

static struct attempt *
take(struct list *list, struct attempt **at)
{
	struct attempt *a = *at;

	*at = a->next;
	if (a->next == NULL)
		list->last = at;
	return a;
}

static void
drop(struct list *list, struct attempt **at)
{
	free(take(list, at));
	n--;
}

/* -- age -- */

/* Also where the clock was set back. */
static bool
is_old(const struct attempt *a, time_t seconds, time_t now)
{
	return now < a->since || now - a->since >= seconds;
}

static void
forget_old(time_t now)
{
	while (going.first != NULL && is_old(going.first, UNDERWAY_S, now))
		drop(&going, &going.first);
}

/* -- room -- */

static bool
same(const struct prefix *a, const struct prefix *b)
{
	return a->version != 0 && prefix_compare(a, b) == 0;
}

/* As those that are going count for one that is known, or is not. */
static struct logins_busy
busy_for(const struct logins_key *key, bool known)
{
	struct logins_busy busy = {0};

	for (const struct attempt *a = going.first; a != NULL; a = a->next) {
		bool user;

		if (a->known != known)
			continue;
		user = strcmp(a->key.user, key->user) == 0;
		busy.user += user;
		busy.client +=
		    (user || !known) && same(&a->key.client, &key->client);
		busy.network += same(&a->key.network, &key->network);
	}
	return busy;
}

static enum underway
decide(struct attempt *a, time_t now, uint32_t *wait)
{
	struct logins_busy busy;

	a->known = logins_is_known(&a->key, now);
	*wait = logins_wait(&a->key, now);
	if (*wait > 0)
		return UNDERWAY_REFUSED;
	busy = busy_for(&a->key, a->known);
	return logins_have_room(&a->key, &busy, now) ? UNDERWAY_GOES
						     : UNDERWAY_WAITS;
}

enum underway
underway_begin(void *asker, uint64_t serial, const char *client,
    const char *user, time_t now, uint32_t *wait)
{
	struct attempt *a;
	enum underway verdict;

	forget_old(now);
	a = n < UNDERWAY_MAX ? malloc(sizeof(*a)) : NULL;
	*wait = 1;
	if (a == NULL)
		return UNDERWAY_REFUSED;
	*a = (struct attempt){.asker = asker, .serial = serial, .since = now};
	logins_key(&a->key, client, user);
	verdict = decide(a, now, wait);
	if (verdict == UNDERWAY_REFUSED) {
		free(a);
		return verdict;
	}
	append(verdict == UNDERWAY_GOES ? &going : &waiting, a);
	n++;
	return verdict;
}

/* -- ends -- */

static void
drop_of(struct list *list, void *asker, const uint64_t *serial)
{
	struct attempt **at = &list->first;

	while (*at != NULL)
		if ((*at)->asker == asker &&
		    (serial == NULL || (*at)->serial == *serial))
			drop(list, at);
		else
			at = &(*at)->next;
}

void
underway_end(void *asker, uint64_t serial)
{
	drop_of(&going, asker, &serial);
	drop_of(&waiting, asker, &serial);
}

void
underway_gone(void *asker)
{
	drop_of(&going, asker, NULL);
	drop_of(&waiting, asker, NULL);
}

bool
underway_decide(
    time_t now, void (*decided)(void *asker, uint64_t serial, uint32_t wait))
{
	struct attempt **at = &waiting.first;
	uint32_t wait;

	forget_old(now);
	while (*at != NULL) {
		struct attempt *a = *at;
		enum underway verdict = decide(a, now, &wait);

		if (verdict == UNDERWAY_WAITS &&
		    !is_old(a, UNDERWAY_WAIT_S, now)) {
			at = &a->next;
			continue;
		}
		if (verdict == UNDERWAY_WAITS)
			wait = 1;
		decided(a->asker, a->serial, wait);
		if (verdict != UNDERWAY_GOES) {
			drop(&waiting, at);
			continue;
		}
		a->since = now;
		append(&going, take(&waiting, at));
	}
	return waiting.first != NULL;
}
