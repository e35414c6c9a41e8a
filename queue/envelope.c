/* SPDX-License-Identifier: ISC */
#include "queue/envelope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hash.h"
#include "common/utf8.h"

void
envelope_init(struct envelope *e)
{
	*e = (struct envelope){.uid = -1};
}

static void
recipient_free(struct recipient *r)
{
	free(r->address);
	free(r->orcpt);
	free(r->relay);
	free(r->text);
}

void
envelope_truncate(struct envelope *e, size_t n)
{
	while (e->n > n) {
		struct recipient *r = &e->recipients[--e->n];

		if (r->parent != e->n && !r->gone)
			e->recipients[r->parent].members--;
		recipient_free(r);
	}
}

void
envelope_free(struct envelope *e)
{
	envelope_truncate(e, 0);
	free(e->recipients);
	free(e->sender);
	free(e->client);
	free(e->helo);
	free(e->protocol);
	free(e->login);
	free(e->envid);
	free(e->junk);
	for (size_t i = 0; i < e->nsignatures; i++)
		free(e->signatures[i]);
	free(e->held);
	envelope_init(e);
}

/* Grown by doubling; the room is always the power of two at or above n. */
static bool
grow(struct envelope *e)
{
	struct recipient *more;

	if (e->n >= ENVELOPE_RECIPIENTS_MAX)
		return false;
	if ((e->n & (e->n - 1)) != 0)
		return true;
	more = reallocarray(
	    e->recipients, e->n == 0 ? 1 : 2 * e->n, sizeof(*more));
	if (more == NULL)
		return false;
	e->recipients = more;
	return true;
}

bool
envelope_is_junk(const char *word)
{
	size_t n =
	    strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return n > 0 && n <= ENVELOPE_JUNK_MAX && word[n] == '\0';
}

uint32_t
envelope_hash(const char *text)
{
	return hash_text(text);
}

bool
envelope_add_recipient(struct envelope *e, const char *address, size_t parent)
{
	struct recipient *r;

	if (!grow(e))
		return false;
	r = &e->recipients[e->n];
	*r = (struct recipient){
	    .parent = parent, .hash = envelope_hash(address)};
	r->address = strdup(address);
	if (r->address == NULL)
		return false;
	if (parent != e->n) {
		r->depth = e->recipients[parent].depth + 1;
		e->recipients[parent].members++;
	}
	e->n++;
	return true;
}

static bool
replace(char **where, const char *text)
{
	char *copy = NULL;

	if (text != NULL && (copy = strdup(text)) == NULL)
		return false;
	free(*where);
	*where = copy;
	return true;
}

bool
envelope_ask(
    struct envelope *e, size_t index, const struct dsn_recipient *asked)
{
	struct recipient *r = &e->recipients[index];

	r->notify = asked->notify;
	return replace(&r->orcpt, asked->orcpt);
}

bool
envelope_sign(struct envelope *e, const char *field)
{
	char *copy;

	if (e->nsignatures == SIGNATURES_MAX || (copy = strdup(field)) == NULL)
		return false;
	e->signatures[e->nsignatures++] = copy;
	return true;
}

bool
envelope_hold(struct envelope *e, int64_t when, const char *why)
{
	e->held_since = when;
	e->released = 0;
	return replace(&e->held, why);
}

void
envelope_release(struct envelope *e, int64_t when)
{
	e->released = when;
	(void)replace(&e->held, NULL);
}

/* Something came of it, or of one of its members, that stays. */
static void
mark_settled(struct envelope *e)
{
	for (size_t i = 0; i < e->n; i++)
		e->recipients[i].settled =
		    e->recipients[i].state != RECIPIENT_PENDING &&
		    e->recipients[i].state != RECIPIENT_EXPANDED;
	/* Members stand behind their alias. */
	for (size_t i = e->n; i-- > 0;)
		if (e->recipients[i].settled)
			e->recipients[e->recipients[i].parent].settled = true;
}

static void
begin_anew(struct envelope *e, struct recipient *r)
{
	struct recipient *parent = &e->recipients[r->parent];

	if (r->settled)
		return;
	if (parent != r &&
	    (parent->gone || parent->state == RECIPIENT_PENDING)) {
		r->state = RECIPIENT_EXPANDED;
		parent->members -= !r->gone;
		r->gone = true;
	} else if (!r->gone) {
		r->state = RECIPIENT_PENDING;
	}
	r->when = 0;
	r->dsn[0] = '\0';
	(void)replace(&r->relay, NULL);
	(void)replace(&r->text, NULL);
}

void
envelope_requeue(struct envelope *e)
{
	e->attempts = 0;
	e->attempted = 0;
	e->next = 0;
	mark_settled(e);
	for (size_t i = 0; i < e->n; i++)
		begin_anew(e, &e->recipients[i]);
}

bool
envelope_note(struct envelope *e, size_t index, const struct outcome *o)
{
	struct recipient *r = &e->recipients[index];

	if (!replace(&r->relay, o->relay) || !replace(&r->text, o->text))
		return false;
	r->state = o->state;
	r->relayed = o->relayed;
	r->when = o->when;
	r->dsn[0] = '\0';
	strncat(r->dsn, o->dsn != NULL ? o->dsn : "", ENVELOPE_DSN_MAX);
	return true;
}

size_t
envelope_count(const struct envelope *e, enum recipient_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < e->n; i++)
		n += e->recipients[i].state == state;
	return n;
}

const struct recipient *
envelope_original(const struct envelope *e, size_t index)
{
	while (e->recipients[index].parent != index)
		index = e->recipients[index].parent;
	return &e->recipients[index];
}

unsigned
envelope_notify(const struct envelope *e, size_t index)
{
	unsigned without = 0;

	while (e->recipients[index].parent != index) {
		index = e->recipients[index].parent;
		if (e->recipients[index].members != 1)
			without = DSN_SUCCESS;
	}
	/* Who asked for success alone wants to hear nothing else either. */
	if (e->recipients[index].notify == without)
		return without == 0 ? 0 : DSN_NEVER;
	return e->recipients[index].notify & ~without;
}

bool
envelope_orcpt(
    const struct envelope *e, size_t index, char out[DSN_ORCPT_MAX + 1])
{
	const struct recipient *r = envelope_original(e, index);
	bool ascii = utf8_is_ascii(r->address, strlen(r->address));

	if (r->orcpt != NULL)
		snprintf(out, DSN_ORCPT_MAX + 1, "%s", r->orcpt);
	else
		snprintf(out, DSN_ORCPT_MAX + 1, "%s;%s",
		    ascii ? "rfc822" : "utf-8", r->address);
	return dsn_is_orcpt(out);
}

bool
envelope_has_leaf(const struct envelope *e, const char *address)
{
	uint32_t hash = envelope_hash(address);

	for (size_t i = 0; i < e->n; i++) {
		const struct recipient *r = &e->recipients[i];

		if (r->hash == hash && r->state != RECIPIENT_EXPANDED &&
		    strcmp(r->address, address) == 0)
			return true;
	}
	return false;
}

bool
envelope_loops(const struct envelope *e, size_t index)
{
	const char *address = e->recipients[index].address;

	while (e->recipients[index].parent != index) {
		index = e->recipients[index].parent;
		if (strcmp(e->recipients[index].address, address) == 0)
			return true;
	}
	return false;
}
