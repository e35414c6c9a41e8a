/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/protocol.h"
#include "queue/admin-verbs.h"
#include "queue/admin.h"
#include "queue/attempt.h"
#include "queue/destination.h"
#include "queue/held.h"
#include "queue/hold.h"
#include "queue/queue.h"

/* -- the index -- */

enum { ROW_MAX = 96 };

static void
add_row(struct packet *p, const struct message *m)
{
	char row[ROW_MAX];

	snprintf(row, sizeof(row), "%016" PRIx64 " %s %u %" PRId64 " %" PRId64,
	    m->id, admin_state(m), (unsigned)m->attempts, admin_next(m),
	    (int64_t)clock_now() - message_age(m) / 1000);
	packet_text(p, "m", row);
}

static bool
send_rows(struct admin *a)
{
	static struct packet p;

	if (a->at == a->n) {
		admin_send_count(a, "end", a->n);
		return false;
	}
	packet_start(&p, "index");
	while (a->at < a->n && p.len + ROW_MAX + 8 < IPC_PACKET_MAX) {
		const struct message *m = message_numbered(a->ids[a->at++]);

		if (m != NULL)
			add_row(&p, m);
	}
	peer_send(&a->peer, &p);
	return true;
}

static void
note_id(struct message *m, void *context)
{
	struct admin *a = context;

	if (a->n < message_count())
		a->ids[a->n++] = m->id;
}

/* Ids, and nothing else, not too many; those of messages that are here. */
static bool
read_ids(struct admin *a, const struct packet *p)
{
	struct cursor c = packet_cursor(p);
	const char *name, *value;
	size_t asked = 0;

	while (packet_next(&c, &name, &value)) {
		const struct message *m = message_find(value);

		if (strcmp(name, "id") != 0 || asked++ == ADMIN_IDS)
			return false;
		if (m != NULL)
			a->ids[a->n++] = m->id;
	}
	if (asked == 0)
		message_each(note_id, a);
	return cursor_done(&c);
}

bool
admin_on_index(struct admin *a, struct packet *p)
{
	static struct packet answer;
	size_t room = message_count();

	a->n = 0;
	free(a->ids);
	a->ids = reallocarray(
	    NULL, room > ADMIN_IDS ? room : ADMIN_IDS, sizeof(a->ids[0]));
	if (a->ids == NULL || p->nfds != 0 || !read_ids(a, p))
		return false;
	packet_start(&answer, "folder");
	packet_attach(&answer, queue.spool.envelope);
	peer_send(&a->peer, &answer);
	admin_stream(a, send_rows);
	return true;
}

/* -- one message -- */

/* False: malformed.  *m is NULL when there is no such message: answered. */
static bool
read_id(struct admin *a, struct packet *p, const char *verb, struct message **m)
{
	const char *id;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("id", PROTOCOL_ID_MAX, &id)};

	if (!packet_read(p, verb, set, 1, 0))
		return false;
	*m = message_find(id);
	if (*m == NULL)
		admin_send_unknown(a, id);
	return true;
}

static size_t
count_stage(const struct attempt *t, enum work_stage stage)
{
	size_t n = 0;

	for (size_t i = 0; i < t->e.n && i < t->room; i++)
		n += t->work[i].stage == stage;
	return n;
}

bool
admin_on_attempt(struct admin *a, struct packet *p)
{
	static struct packet answer;
	struct message *m;
	const struct attempt *t;

	if (!read_id(a, p, "attempt", &m))
		return false;
	if (m == NULL)
		return true;
	t = attempt_of(m);
	packet_start(&answer, t != NULL ? "attempt" : "idle");
	if (t != NULL) {
		packet_number(&answer, "seconds",
		    (uint64_t)(clock_monotonic_ms() - t->began) / 1000);
		packet_number(&answer, "routing", count_stage(t, WORK_ROUTING));
		packet_number(&answer, "local", count_stage(t, WORK_LOCAL));
		packet_number(&answer, "remote", count_stage(t, WORK_REMOTE));
	}
	peer_send(&a->peer, &answer);
	return true;
}

bool
admin_on_cat(struct admin *a, struct packet *p)
{
	static struct packet answer;
	struct message *m;
	char id[FS_ID_SIZE];
	int fd;

	if (!read_id(a, p, "cat", &m))
		return false;
	if (m == NULL)
		return true;
	message_id(m, id);
	fd = spool_content(&queue.spool, m->folder, id);
	if (fd == -1) {
		admin_send_unknown(a, id);
		return true;
	}
	packet_start(&answer, "content");
	packet_attach(&answer, fd);
	peer_send(&a->peer, &answer);
	close(fd);
	return true;
}

/* -- destinations -- */

static void
send_destination(struct admin *a, const struct destination *d)
{
	static struct packet p;
	int64_t wait = destination_wait(d, clock_monotonic_ms());
	int64_t next = wait > 0 ? clock_now() + (wait + 999) / 1000 : 0;

	packet_start(&p, "destination");
	packet_text(&p, "name", d->name);
	packet_text(&p, "state", destination_state_name(destination_state(d)));
	packet_number(&p, "window", destination_window(d));
	packet_number(&p, "running", d->at[STAGE_RUNNING]);
	packet_number(&p, "waiting", d->lanes.n);
	packet_number(&p, "next", (uint64_t)next);
	packet_number(&p, "when", (uint64_t)d->when);
	packet_text(&p, "code", d->text != NULL ? d->dsn : "");
	packet_text(&p, "text", d->text != NULL ? d->text : "");
	peer_send(&a->peer, &p);
}

bool
admin_on_destinations(struct admin *a, struct packet *p)
{
	const char *name;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("name", PROTOCOL_ADDRESS_MAX, &name)};
	const struct destination *d;

	if (!packet_read(p, "destinations", set, 1, 0))
		return false;
	d = destination_find(name);
	if (d != NULL)
		send_destination(a, d);
	admin_send_count(a, "end", d != NULL);
	return true;
}

bool
admin_on_hosts(struct admin *a, struct packet *p)
{
	static struct packet answer;
	struct cursor c = packet_cursor(p);
	const char *name, *value;
	size_t asked = 0;

	packet_start(&answer, "hosts");
	while (packet_next(&c, &name, &value)) {
		const struct destination *d = destination_find(value);

		if (strcmp(name, "d") != 0 || asked++ == ADMIN_IDS)
			return false;
		packet_text(&answer, "h", d != NULL ? d->name : "");
	}
	if (!cursor_done(&c) || p->nfds != 0)
		return false;
	peer_send(&a->peer, &answer);
	return true;
}

/* -- rules -- */

static bool
send_rule(struct admin *a)
{
	static struct packet p;
	const struct holds *h = hold_rules();
	const struct hold_rule *r;

	if (a->at >= h->n) {
		admin_send_count(a, "end", a->at);
		return false;
	}
	r = &h->rules[a->at++];
	packet_start(&p, "rule");
	packet_text(&p, "kind", hold_kind_name(r->kind));
	packet_text(&p, "name", r->name);
	packet_number(&p, "time", (uint64_t)r->since);
	packet_text(&p, "reason", r->reason);
	peer_send(&a->peer, &p);
	return true;
}

bool
admin_on_rules(struct admin *a, struct packet *p)
{
	if (!packet_read(p, "rules", NULL, 0, 0))
		return false;
	admin_stream(a, send_rule);
	return true;
}

bool
admin_on_held(struct admin *a, struct packet *p)
{
	static struct packet answer;
	const char *user;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("user", PROTOCOL_LOGIN_MAX, &user)};
	const struct hold_rule *r;

	if (!packet_read(p, "held", set, 1, 0))
		return false;
	r = hold_login_rule(user);
	packet_start(&answer, "held");
	packet_number(&answer, "count", held_of_login(user));
	if (r != NULL) {
		packet_number(&answer, "time", (uint64_t)r->since);
		packet_text(&answer, "reason", r->reason);
	}
	peer_send(&a->peer, &answer);
	return true;
}
