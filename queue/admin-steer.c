/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/protocol.h"
#include "queue/admin-verbs.h"
#include "queue/admin.h"
#include "queue/attempt.h"
#include "queue/dispatch.h"
#include "queue/load.h"
#include "queue/queue.h"

/* What became of one message of many. */
enum change {
	CHANGED,
	CHANGED_LATER, /* when its attempt has ended */
	UNCHANGED,     /* it is so already, or cannot be */
	UNKNOWN
};

struct order {
	const char *verb, *answer, *reason; /* reason: NULL, or hold's */
	enum change (*change)(
	    struct message *, const char *id, const char *reason);
};

/*
 * Each is done before the next: at most ADMIN_IDS envelopes are read and
 * appended to, which takes some milliseconds, and no disk is waited for.
 */
static bool
carry_out(struct admin *a, const struct packet *p, struct order *o)
{
	static struct packet answer;
	struct cursor c = packet_cursor(p);
	const char *name, *id;
	size_t count = 0, active = 0, asked = 0;
	static char unknown[ADMIN_IDS][FS_ID_SIZE];
	size_t nunknown = 0;

	if (o->reason != NULL &&
	    (!packet_next(&c, &name, &o->reason) ||
		strcmp(name, "reason") != 0))
		return false;
	while (packet_next(&c, &name, &id)) {
		struct message *m = message_find(id);
		enum change change = UNKNOWN;

		if (strcmp(name, "id") != 0 || !spool_is_id(id) ||
		    asked++ == ADMIN_IDS)
			return false;
		if (m != NULL && m->state != MESSAGE_UNSYNCED)
			change = o->change(m, id, o->reason);
		count += change == CHANGED || change == CHANGED_LATER;
		active += change == CHANGED_LATER;
		if (change == UNKNOWN)
			memcpy(unknown[nunknown++], id, FS_ID_SIZE);
	}
	if (!cursor_done(&c) || asked == 0 || p->nfds != 0)
		return false;
	packet_start(&answer, o->answer);
	packet_number(&answer, "count", count);
	packet_number(&answer, "active", active);
	for (size_t i = 0; i < nunknown; i++)
		packet_text(&answer, "unknown", unknown[i]);
	peer_send(&a->peer, &answer);
	return true;
}

/* Append a line to the envelope of a message that is not being tried. */
static bool
append(const char *id, const struct envelope *e, const struct buf *line)
{
	if (line->len == 0)
		return true;
	errno = ENOMEM;
	if (buf_ok(line) &&
	    spool_append(&queue.spool, id, e->whole, line->data, line->len) !=
		-1)
		return true;
	log_event(LEVEL_ERROR, "cannot record", log_text("id", id),
	    log_text("reason", strerror(errno)));
	return false;
}

/* -- hold and release -- */

static enum change
hold(struct message *m, const char *id, const char *reason)
{
	struct attempt *t = attempt_of(m);
	struct buf line = BUF_INIT(8 * ENVELOPE_TEXT_MAX);
	struct envelope e;
	bool ok;

	if (t != NULL) {
		if (!attempt_hold(t, reason))
			return UNCHANGED;
		return CHANGED_LATER;
	}
	if (load_peek(&queue.spool, id, m->folder, &e) != LOAD_MESSAGE)
		return UNKNOWN;
	if (e.held == NULL)
		envelope_held_line(&line, clock_now(), reason);
	ok = append(id, &e, &line);
	if (ok && (e.held == NULL || !m->held))
		hold_message(m, id, reason);
	buf_free(&line);
	envelope_free(&e);
	return ok ? CHANGED : UNCHANGED;
}

static enum change
release(struct message *m, const char *id, const char *reason)
{
	struct attempt *t = attempt_of(m);
	struct buf line = BUF_INIT(8 * ENVELOPE_TEXT_MAX);
	struct envelope e;
	bool ok;

	(void)reason;
	if (t != NULL)
		return m->held && attempt_unhold(t) ? CHANGED : UNCHANGED;
	if (!m->held)
		return UNCHANGED;
	if (load_peek(&queue.spool, id, m->folder, &e) != LOAD_MESSAGE)
		return UNKNOWN;
	/* Also against a rule that goes on. */
	if (hold_reason(&e) != NULL)
		envelope_released_line(&line, clock_now());
	ok = append(id, &e, &line);
	if (ok) {
		log_event(LEVEL_INFO, "released", log_text("id", id));
		dispatch_release(m);
	}
	buf_free(&line);
	envelope_free(&e);
	return ok ? CHANGED : UNCHANGED;
}

bool
admin_on_hold(struct admin *a, struct packet *p)
{
	struct order o = {.answer = "held", .reason = "", .change = hold};

	return carry_out(a, p, &o);
}

bool
admin_on_release(struct admin *a, struct packet *p)
{
	struct order o = {.answer = "released", .change = release};

	return carry_out(a, p, &o);
}

/* -- delete -- */

static enum change delete (
    struct message *m, const char *id, const char *reason) {
	(void)reason;
	if (m->state == MESSAGE_ACTIVE){m->doomed = true; return CHANGED_LATER;}
if (spool_remove(&queue.spool, m->folder, id, true) == -1)
{
	log_event(LEVEL_ERROR, "cannot remove", log_text("id", id),
	    log_text("reason", strerror(errno)));
	return UNCHANGED;
}
log_event(LEVEL_INFO, "removed", log_text("id", id),
    log_text("reason", "deleted by the postmaster"));
dispatch_forget(m);
message_drop(m);
return CHANGED;
}

bool
admin_on_delete(struct admin *a, struct packet *p)
{
	struct order o = {.answer = "deleted", .change = delete};

	return carry_out(a, p, &o);
}

/* -- requeue -- */

static enum change
requeue(struct message *m, const char *id, const char *reason)
{
	struct buf line = BUF_INIT(256);
	struct envelope e;
	bool ok;

	(void)reason;
	if (m->state == MESSAGE_ACTIVE)
		return UNCHANGED; /* that is what it wants */
	if (load_peek(&queue.spool, id, m->folder, &e) != LOAD_MESSAGE)
		return UNKNOWN;
	envelope_requeued_line(&line, clock_now());
	ok = append(id, &e, &line);
	if (ok) {
		log_event(LEVEL_INFO, "requeued", log_text("id", id));
		envelope_requeue(&e);
		dispatch_forget(m);
		m->attempts = 0;
		m->troubles = 0;
		message_describe(m, &e);
		dispatch_wait(m, 0);
	}
	buf_free(&line);
	envelope_free(&e);
	return ok ? CHANGED : UNCHANGED;
}

bool
admin_on_requeue(struct admin *a, struct packet *p)
{
	struct order o = {.answer = "requeued", .change = requeue};

	return carry_out(a, p, &o);
}

/* -- flush -- */

static enum change
flush(struct message *m, const char *id, const char *reason)
{
	(void)id;
	(void)reason;
	return dispatch_flush_one(m) ? CHANGED : UNCHANGED;
}

static bool
goes_to(const struct message *m, void *destination)
{
	return m->domain != NULL && m->domain->destination == destination;
}

bool
admin_on_flush(struct admin *a, struct packet *p)
{
	struct order o = {.answer = "flushed", .change = flush};
	const char *name;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("name", PROTOCOL_ADDRESS_MAX, &name)};
	struct destination *d;

	if (packet_read(p, "flush", NULL, 0, 0)) {
		admin_send_count(a, "flushed", dispatch_flush());
		return true;
	}
	if (!packet_read(p, "flush", set, 1, 0))
		return carry_out(a, p, &o);
	d = destination_find(name);
	if (d != NULL)
		destination_open(d, clock_monotonic_ms());
	admin_send_count(
	    a, "flushed", d != NULL ? dispatch_flush_some(goes_to, d) : 0);
	return true;
}

/* -- rules -- */

static void
on_stored(struct hold_wish *wish, const char *why)
{
	static struct packet p;
	struct admin *a = container_of(wish, struct admin, wish);

	a->wishes = false;
	packet_start(&p, why == NULL ? "rule" : "failed");
	if (why == NULL)
		packet_number(&p, "found", a->found);
	else
		packet_text(&p, "reason", why);
	peer_send(&a->peer, &p);
}

static bool
read_rule(struct packet *p, const char *verb, enum hold_kind *kind,
    const char **name, const char **reason)
{
	const char *word;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("kind", PROTOCOL_NAME_MAX, &word),
	    ATTRIBUTE_TEXT("name", HOLD_NAME_MAX, name),
	    ATTRIBUTE_TEXT("reason", PROTOCOL_TEXT_MAX, reason),
	};

	return packet_read(p, verb, set, reason != NULL ? 3 : 2, 0) &&
	    hold_kind_named(word, kind);
}

bool
admin_on_rule(struct admin *a, struct packet *p)
{
	enum hold_kind kind;
	const char *name, *reason;

	if (!read_rule(p, "rule", &kind, &name, &reason))
		return false;
	a->wish.done = on_stored;
	a->found = false;
	a->wishes = true;
	if (hold_rule(kind, name, reason, &a->wish) == -1)
		on_stored(&a->wish, strerror(errno));
	return true;
}

bool
admin_on_rule_end(struct admin *a, struct packet *p)
{
	enum hold_kind kind;
	const char *name;

	if (!read_rule(p, "rule-end", &kind, &name, NULL))
		return false;
	a->wish.done = on_stored;
	a->wishes = true;
	a->found = hold_rule_end(kind, name, &a->wish);
	if (!a->found)
		on_stored(&a->wish, NULL);
	return true;
}
