/* SPDX-License-Identifier: ISC */
#include "ledger/logins.h"

#include <string.h>

#include "common/log.h"
#include "ledger/fold.h"
#include "ledger/logins_rows.h"

struct logins_limits logins_limits;

void
logins_begin(const struct logins_limits *limits)
{
	logins_limits = *limits;
}

void
logins_end(void)
{
	for (size_t i = 0; i < LOGINS_TABLES; i++)
		table_clear(&logins_tables[i]);
}

/* The user's own at that client, when it is known as his. */
static struct known *
known_find(const char *user, const struct prefix *client, time_t now)
{
	struct owner *owner = owner_find(user);

	for (size_t i = 0; owner != NULL && i < owner->n; i++)
		if (prefix_compare(&owner->known[i].client, client) == 0)
			return known_is_over(&owner->known[i], now)
			    ? NULL
			    : &owner->known[i];
	return NULL;
}

static uint32_t
longer(uint32_t wait, const struct window *w, time_t now, unsigned limit)
{
	uint32_t other =
	    w != NULL ? window_wait(w, logins_limits.window, now, limit) : 0;

	return other > wait ? other : wait;
}

static uint32_t
user_wait(const char *user, time_t now)
{
	const struct target *target = target_find(user);

	return longer(0, target != NULL ? &target->failed : NULL, now,
	    logins_limits.user);
}

static uint32_t
source_wait(const struct prefix *client, time_t now)
{
	struct prefix network = prefix_network(client);
	const struct source *from = source_find(client);
	const struct source *around = source_find(&network);
	uint32_t wait;

	wait = longer(
	    0, from != NULL ? &from->failed : NULL, now, logins_limits.client);
	return longer(wait, around != NULL ? &around->failed : NULL, now,
	    logins_limits.network);
}

void
logins_key(struct logins_key *key, const char *client, const char *given)
{
	*key = (struct logins_key){0};
	fold(given, key->user, LOGINS_USER_MAX);
	if (prefix_of(client, &key->client))
		key->network = prefix_network(&key->client);
}

static struct known *
known_of(const struct logins_key *key, time_t now)
{
	return key->client.version != 0
	    ? known_find(key->user, &key->client, now)
	    : NULL;
}

bool
logins_is_known(const struct logins_key *key, time_t now)
{
	return known_of(key, now) != NULL;
}

uint32_t
logins_wait(const struct logins_key *key, time_t now)
{
	struct known *known = known_of(key, now);
	uint32_t wait, other;

	if (known != NULL)
		return longer(0, &known->failed, now, logins_limits.client);
	other = user_wait(key->user, now);
	if (key->client.version == 0)
		return other;
	wait = source_wait(&key->client, now);
	return wait > other ? wait : other;
}

uint32_t
logins_attempt(const char *client, const char *given, time_t now)
{
	struct logins_key key;

	logins_key(&key, client, given);
	return logins_wait(&key, now);
}

static bool
fits(const struct window *w, unsigned busy, time_t now, unsigned limit)
{
	unsigned failed =
	    w != NULL ? window_count(w, logins_limits.window, now) : 0;

	return failed < limit && busy < limit - failed;
}

bool
logins_have_room(
    const struct logins_key *key, const struct logins_busy *busy, time_t now)
{
	const struct known *known = known_of(key, now);
	const struct target *target = target_find(key->user);
	const struct source *from, *around;

	if (known != NULL)
		return fits(
		    &known->failed, busy->client, now, logins_limits.client);
	if (!fits(target != NULL ? &target->failed : NULL, busy->user, now,
		logins_limits.user))
		return false;
	if (key->client.version == 0)
		return true;
	from = source_find(&key->client);
	around = source_find(&key->network);
	return fits(from != NULL ? &from->failed : NULL, busy->client, now,
		   logins_limits.client) &&
	    fits(around != NULL ? &around->failed : NULL, busy->network, now,
		logins_limits.network);
}

/* -- outcomes -- */

static void
log_limit(const char *what, unsigned limit, const struct prefix *client,
    const char *user)
{
	char text[PREFIX_TEXT_MAX];

	if (client != NULL)
		prefix_format(client, text);
	log_event(LEVEL_WARNING, "too many failed logins",
	    log_text("client", client != NULL ? text : NULL),
	    log_text("auth", user), log_text("what", what),
	    log_number("limit", (int64_t)limit));
}

/* One more; true when that reaches the limit. */
static bool
count(struct window *w, time_t now, unsigned limit)
{
	window_add(w, logins_limits.window, now);
	return window_count(w, logins_limits.window, now) == limit;
}

static void
count_source(
    const struct prefix *prefix, const char *what, unsigned limit, time_t now)
{
	struct source *source = source_make(prefix, now);

	if (source == NULL)
		return;
	if (count(&source->failed, now, limit))
		log_limit(what, limit, prefix, NULL);
	source->last = now;
	row_changed(&source->row);
}

static void
count_target(
    const char *user, const struct prefix *client, bool others, time_t now)
{
	struct target *target = target_make(user, now);

	if (target == NULL)
		return;
	if (others && count(&target->failed, now, logins_limits.user))
		log_limit("user", logins_limits.user, NULL, user);
	target_note(target, client, now);
	row_changed(&target->row);
}

static void
failed(const struct prefix *client, const char *user, time_t now)
{
	struct known *known =
	    client->version != 0 ? known_find(user, client, now) : NULL;
	struct prefix network = prefix_network(client);

	count_target(user, client, known == NULL, now);
	if (known != NULL) {
		if (count(&known->failed, now, logins_limits.client))
			log_limit(
			    "own client", logins_limits.client, client, user);
		row_changed(&owner_find(user)->row);
	} else if (client->version != 0) {
		count_source(client, "client", logins_limits.client, now);
		count_source(&network, "network", logins_limits.network, now);
	}
}

void
logins_outcome(const char *client, const char *given, enum logins_result result,
    time_t now)
{
	char user[LOGINS_USER_MAX + 1];
	struct prefix prefix;
	bool counted = prefix_of(client, &prefix);

	fold(given, user, LOGINS_USER_MAX);
	if (result == LOGINS_NONE)
		return;
	if (result != LOGINS_GOOD)
		failed(&prefix, user, now);
	else if (counted)
		owner_welcome(user, &prefix, now);
}

/* -- for the postmaster -- */

static void
list_known(const struct owner *owner, struct logins_failures *out, time_t now)
{
	for (size_t i = 0; owner != NULL && i < owner->n; i++) {
		const struct known *k = &owner->known[i];

		out->count +=
		    window_count(&k->failed, logins_limits.window, now);
		if (!known_is_over(k, now))
			out->known[out->nknown++] =
			    (struct logins_event){k->last, k->client};
	}
}

void
logins_failures(const char *given, struct logins_failures *out, time_t now)
{
	char user[LOGINS_USER_MAX + 1];
	const struct target *target;

	*out = (struct logins_failures){0};
	target = target_find(fold(given, user, LOGINS_USER_MAX));
	if (target != NULL) {
		out->count =
		    window_count(&target->failed, logins_limits.window, now);
		out->nrecent = target->n;
		memcpy(out->recent, target->recent,
		    target->n * sizeof(*target->recent));
	}
	out->wait = user_wait(user, now);
	list_known(owner_find(user), out, now);
}

bool
logins_forget_client(const char *client)
{
	struct prefix prefix, network;
	struct source *from, *around;

	if (!prefix_of(client, &prefix))
		return false;
	network = prefix_network(&prefix);
	from = source_find(&prefix);
	if (from != NULL)
		table_drop(&from->row);
	around = source_find(&network);
	if (around != NULL)
		table_drop(&around->row);
	return from != NULL || around != NULL;
}

bool
logins_forget_user(const char *given)
{
	char user[LOGINS_USER_MAX + 1];
	struct target *target = target_find(fold(given, user, LOGINS_USER_MAX));
	struct owner *owner = owner_find(user);

	if (target != NULL)
		table_drop(&target->row);
	for (size_t i = 0; owner != NULL && i < owner->n; i++)
		owner->known[i].failed = (struct window){0};
	return target != NULL || owner != NULL;
}
