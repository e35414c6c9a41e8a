/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "common/protocol.h"
#include "queue/envelope-read.h"

/* -- outcomes -- */

static bool
read_outcome(struct reading *r, enum recipient_state state, bool relayed)
{
	char dsn[ENVELOPE_DSN_MAX + 1] = "", relay[PROTOCOL_TEXT_MAX + 1];
	char text[PROTOCOL_TEXT_MAX + 1];
	struct outcome o = {
	    .state = state, .dsn = dsn, .text = text, .relayed = relayed};
	size_t index;

	relay[0] = '\0';
	if (!read_index(r, &index) || !read_seconds(r, &o.when))
		return false;
	cursor_expect(&r->line, " ");
	if (state != RECIPIENT_BOUNCED &&
	    (!read_text(r, ' ', dsn, ENVELOPE_DSN_MAX) ||
		!read_text(r, ' ', relay, PROTOCOL_TEXT_MAX)))
		return false;
	if (!read_text(r, 0, text, PROTOCOL_TEXT_MAX))
		return false;
	if (r->e->recipients[index].state == RECIPIENT_EXPANDED)
		return read_bad(r, "outcome of an alias");
	o.relay = relay[0] == '\0' || strcmp(relay, "-") == 0 ? NULL : relay;
	r->no_memory = !envelope_note(r->e, index, &o);
	return !r->no_memory;
}

static bool
read_delivered(struct reading *r)
{
	return read_outcome(r, RECIPIENT_DELIVERED, false);
}

static bool
read_deferred(struct reading *r)
{
	return read_outcome(r, RECIPIENT_PENDING, false);
}

static bool
read_failed(struct reading *r)
{
	return read_outcome(r, RECIPIENT_FAILED, false);
}

static bool
read_bounced(struct reading *r)
{
	return read_outcome(r, RECIPIENT_BOUNCED, false);
}

static bool
read_expanded(struct reading *r)
{
	char address[PROTOCOL_ADDRESS_MAX + 1];
	struct outcome o = {.state = RECIPIENT_EXPANDED};
	size_t index;

	if (!read_index(r, &index) || !read_seconds(r, &o.when))
		return false;
	if (r->e->recipients[index].state != RECIPIENT_PENDING)
		return read_bad(r, "expanded after its outcome");
	r->no_memory = !envelope_note(r->e, index, &o);
	while (!r->no_memory && cursor_left(&r->line) > 0) {
		cursor_expect(&r->line, " ");
		if (!read_address(r, address) ||
		    !read_add_recipient(r, address, index))
			return false;
	}
	return !r->no_memory;
}

/* Delivered to a host that will not tell the sender. */
static bool
read_relayed(struct reading *r)
{
	return read_outcome(r, RECIPIENT_DELIVERED, true);
}

/* TIME N...: a report about these was committed. */
static bool
read_reported(struct reading *r, void (*mark)(struct recipient *))
{
	int64_t when;

	if (!read_seconds(r, &when))
		return false;
	do {
		uint64_t number;

		cursor_expect(&r->line, " ");
		if (!read_number(r, ENVELOPE_RECIPIENTS_MAX, &number))
			return false;
		if (number >= r->e->n)
			return read_bad(r, "no such recipient");
		mark(&r->e->recipients[number]);
	} while (cursor_left(&r->line) > 0);
	return true;
}

static void
mark_warned(struct recipient *r)
{
	r->warned = true;
}

static void
mark_told(struct recipient *r)
{
	r->told = true;
}

static bool
read_warned(struct reading *r)
{
	return read_reported(r, mark_warned);
}

static bool
read_told(struct reading *r)
{
	return read_reported(r, mark_told);
}

static bool
read_held(struct reading *r)
{
	char text[PROTOCOL_TEXT_MAX + 1];

	if (!read_seconds(r, &r->e->held_since))
		return false;
	cursor_expect(&r->line, " ");
	if (!read_text(r, 0, text, PROTOCOL_TEXT_MAX))
		return false;
	r->no_memory = !envelope_hold(r->e, r->e->held_since, text);
	return !r->no_memory;
}

static bool
read_released(struct reading *r)
{
	int64_t when;

	if (!read_seconds(r, &when) || !read_at_end(r))
		return false;
	envelope_release(r->e, when);
	return true;
}

static bool
read_requeued(struct reading *r)
{
	int64_t when;

	if (!read_seconds(r, &when) || !read_at_end(r))
		return false;
	envelope_requeue(r->e);
	return true;
}

static bool
read_attempt(struct reading *r)
{
	if (!read_seconds(r, &r->e->attempted))
		return false;
	cursor_expect(&r->line, " ");
	if (!read_seconds(r, &r->e->next) || !read_at_end(r))
		return false;
	r->e->attempts++;
	return true;
}

const struct field envelope_outcomes[] = {
    {"delivered", REPEATED, read_delivered},
    {"deferred", REPEATED, read_deferred},
    {"failed", REPEATED, read_failed},
    {"bounced", REPEATED, read_bounced},
    {"expanded", REPEATED, read_expanded},
    {"relayed", REPEATED, read_relayed},
    {"warned", REPEATED, read_warned},
    {"told", REPEATED, read_told},
    {"held", REPEATED, read_held},
    {"released", REPEATED, read_released},
    {"requeued", REPEATED, read_requeued},
    {"attempt", REPEATED, read_attempt},
    {NULL, ONCE, NULL},
};
