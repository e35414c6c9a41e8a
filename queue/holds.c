/* SPDX-License-Identifier: ISC */
#include "queue/holds.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "queue/pattern.h"

static const char *const kinds[HOLD_KINDS] = {
    [HOLD_LOGIN] = "login", [HOLD_SENDER] = "sender", [HOLD_UID] = "uid"};

const char *
hold_kind_name(enum hold_kind kind)
{
	return kinds[kind];
}

bool
hold_kind_named(const char *name, enum hold_kind *kind)
{
	for (int i = 0; i < HOLD_KINDS; i++)
		if (strcmp(kinds[i], name) == 0) {
			*kind = (enum hold_kind)i;
			return true;
		}
	return false;
}

/* Of a name without regard to case: most rules are for one login. */
static uint32_t
hash_of(const char *text)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (; *text != '\0'; text++) {
		char c = *text;

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		hash = (hash ^ (unsigned char)c) * 16777619u;
	}
	return hash;
}

/* An escaped name matches octet by octet what its backslashes protect. */
static uint32_t
exact_hash(const char *name)
{
	char plain[HOLD_NAME_MAX + 1];
	size_t n = 0;

	for (; *name != '\0' && n < HOLD_NAME_MAX; name++) {
		if (*name == '\\' && name[1] != '\0')
			name++;
		plain[n++] = *name;
	}
	plain[n] = '\0';
	return hash_of(plain);
}

/* As it matches: capital and small letters are the same. */
static struct hold_rule *
find(const struct holds *h, enum hold_kind kind, const char *name)
{
	uint32_t hash = exact_hash(name);

	for (size_t i = 0; i < h->n; i++)
		if (h->rules[i].hash == hash && h->rules[i].kind == kind &&
		    strcasecmp(h->rules[i].name, name) == 0)
			return &h->rules[i];
	return NULL;
}

const struct hold_rule *
holds_find(const struct holds *h, enum hold_kind kind, const char *name)
{
	return find(h, kind, name);
}

static struct hold_rule *
add(struct holds *h)
{
	if (h->n == HOLD_RULES_MAX) {
		errno = ENOSPC;
		return NULL;
	}
	if (h->n == h->room) {
		size_t room = h->room == 0 ? 16 : 2 * h->room;
		struct hold_rule *more =
		    reallocarray(h->rules, room, sizeof(*more));

		if (more == NULL)
			return NULL;
		h->rules = more;
		h->room = room;
	}
	return &h->rules[h->n];
}

int
holds_set(struct holds *h, enum hold_kind kind, const char *name,
    const char *reason, int64_t since)
{
	struct hold_rule *r = find(h, kind, name);
	char *new_name = NULL;
	char *new_reason = strndup(reason, ENVELOPE_TEXT_MAX);

	if (new_reason == NULL)
		return -1;
	if (r == NULL) {
		new_name = strdup(name);
		if (new_name == NULL || (r = add(h)) == NULL) {
			free(new_name);
			free(new_reason);
			return -1;
		}
		*r = (struct hold_rule){.kind = kind,
		    .name = new_name,
		    .hash = exact_hash(name),
		    .wild = pattern_is_wild(name)};
		h->n++;
	}
	free(r->reason);
	r->reason = new_reason;
	r->since = since;
	return 0;
}

bool
holds_end(struct holds *h, enum hold_kind kind, const char *name)
{
	struct hold_rule *r = find(h, kind, name);

	if (r == NULL)
		return false;
	free(r->name);
	free(r->reason);
	*r = h->rules[--h->n];
	return true;
}

void
holds_free(struct holds *h)
{
	for (size_t i = 0; i < h->n; i++) {
		free(h->rules[i].name);
		free(h->rules[i].reason);
	}
	free(h->rules);
	*h = (struct holds){0};
}

/* -- messages -- */

const struct hold_rule *
holds_match(const struct holds *h, const struct envelope *e)
{
	char uid[24] = "";
	const char *texts[HOLD_KINDS] = {e->login, e->sender, NULL};
	uint32_t hashes[HOLD_KINDS] = {0};

	if (h->n == 0)
		return NULL;
	if (e->uid >= 0) {
		snprintf(uid, sizeof(uid), "%" PRId64, e->uid);
		texts[HOLD_UID] = uid;
	}
	for (int i = 0; i < HOLD_KINDS; i++)
		if (texts[i] != NULL)
			hashes[i] = hash_of(texts[i]);
	for (size_t i = 0; i < h->n; i++) {
		const struct hold_rule *r = &h->rules[i];

		if (texts[r->kind] != NULL &&
		    (r->wild || r->hash == hashes[r->kind]) &&
		    pattern_matches(r->name, texts[r->kind]) &&
		    (e->released == 0 || e->released < r->since))
			return r;
	}
	return NULL;
}

const struct hold_rule *
holds_of_login(const struct holds *h, const char *login)
{
	uint32_t hash = h->n > 0 ? hash_of(login) : 0;

	for (size_t i = 0; i < h->n; i++) {
		const struct hold_rule *r = &h->rules[i];

		if (r->kind == HOLD_LOGIN && (r->wild || r->hash == hash) &&
		    pattern_matches(r->name, login))
			return r;
	}
	return NULL;
}

const char *
holds_reason(const struct holds *h, const struct envelope *e)
{
	const struct hold_rule *r;

	if (e->held != NULL)
		return e->held;
	r = holds_match(h, e);
	return r != NULL ? r->reason : NULL;
}
