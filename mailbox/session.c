/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/cursor.h"
#include "common/fs.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/protocol.h"
#include "common/verdict.h"
#include "mailbox/mailbox.h"
#include "mailbox/sizes.h"
#include "mailbox/snapshot.h"

/* LOCK_MS: how long a session before us may take to end. */
enum { ANSWER_MS = 30000, LOCK_MS = 1000, LOCK_EVERY_MS = 5 };

void
session_refuse(int fd, const char *verdict, const char *reason)
{
	static struct packet p;

	packet_start(&p, "refused");
	packet_text(&p, "verdict", verdict);
	if (reason != NULL)
		packet_text(&p, "reason", reason);
	(void)ipc_send(fd, &p, 0);
}

/* -- what the speaker may ask: each reads its packet and makes the answer -- */

enum next { ANSWER, NO_ANSWER, LAST_ANSWER, MALFORMED };

static enum next
do_list(struct snapshot *s, struct packet *p)
{
	char uidl[MAILDIR_UIDL_MAX + 1], item[MAILDIR_UIDL_MAX + 32];
	uint64_t from;

	if (!packet_read(p, "list",
		(struct attribute[]){ATTRIBUTE_NUMBER("from", &from)}, 1, 0) ||
	    from == 0)
		return MALFORMED;
	packet_start(p, "list");
	packet_number(p, "from", from);
	for (uint64_t i = from - 1; i < s->n; i++) {
		snapshot_uidl(s, (size_t)i, uidl);
		snprintf(item, sizeof(item), "%" PRIu64 " %s",
		    s->messages[i].octets, uidl);
		if (p->len + sizeof("m") + strlen(item) + 1 > IPC_PACKET_MAX)
			break;
		packet_text(p, "m", item);
	}
	return ANSWER;
}

static enum next
do_open(struct snapshot *s, struct packet *p)
{
	uint64_t number;
	int fd;

	if (!packet_read(p, "open",
		(struct attribute[]){ATTRIBUTE_NUMBER("number", &number)}, 1,
		0) ||
	    number == 0 || number > s->n)
		return MALFORMED;
	fd = snapshot_open(s, (size_t)number - 1);
	if (fd == -1) {
		if (errno != ENOENT)
			log_event(LEVEL_WARNING, "cannot open",
			    log_text(
				"what", snapshot_name(s, (size_t)number - 1)),
			    log_text("reason", strerror(errno)));
		packet_start(p, "gone");
		return ANSWER;
	}
	packet_start(p, "open");
	packet_number(p, "wire", s->messages[number - 1].octets);
	packet_attach(p, fd);
	return ANSWER;
}

/* n= n= ...: every message it numbers; false when one is none. */
static bool
each_number(struct snapshot *s, const struct packet *p,
    void (*mark)(struct snapshot_message *))
{
	struct cursor attributes = packet_cursor(p);
	const char *name, *value;

	while (packet_next(&attributes, &name, &value)) {
		struct cursor digits = cursor_over(value, strlen(value));
		uint64_t number = cursor_decimal(&digits);

		if (strcmp(name, "n") != 0 || !cursor_done(&digits) ||
		    number == 0 || number > s->n)
			return false;
		mark(&s->messages[number - 1]);
	}
	return p->nfds == 0 && cursor_done(&attributes);
}

static void
mark_delete(struct snapshot_message *m)
{
	m->delete = 1;
}

static void
mark_seen(struct snapshot_message *m)
{
	m->seen = 1;
}

static enum next
do_delete(struct snapshot *s, struct packet *p)
{
	return each_number(s, p, mark_delete) ? NO_ANSWER : MALFORMED;
}

static enum next
do_seen(struct snapshot *s, struct packet *p)
{
	return each_number(s, p, mark_seen) ? NO_ANSWER : MALFORMED;
}

static enum next
do_commit(struct snapshot *s, struct packet *p)
{
	size_t deleted, failed;

	if (!packet_read(p, "commit", NULL, 0, 0))
		return MALFORMED;
	failed = snapshot_commit(s, &deleted);
	/* Who hears the answer may come back before we are gone. */
	snapshot_free(s);
	packet_start(p, "committed");
	packet_number(p, "deleted", deleted);
	packet_number(p, "failed", failed);
	return LAST_ANSWER;
}

static const struct verb {
	const char *name;
	enum next (*serve)(struct snapshot *, struct packet *);
} verbs[] = {
    {"list", do_list},
    {"open", do_open},
    {"delete", do_delete},
    {"seen", do_seen},
    {"commit", do_commit},
};

static enum next
serve_packet(struct snapshot *s, struct packet *p)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (packet_is(p, verbs[i].name))
			return verbs[i].serve(s, p);
	return MALFORMED;
}

/* -- the session -- */

/*
 * The kernel frees the lock when its holder dies, which for a client that
 * hung up and comes back at once may not have happened yet.
 */
static int
lock(int maildir)
{
	int64_t deadline = clock_monotonic_ms() + LOCK_MS;

	while (fs_lock(maildir) == -1) {
		if (errno != EWOULDBLOCK || clock_left(deadline) == 0)
			return -1;
		poll(NULL, 0, LOCK_EVERY_MS);
	}
	return 0;
}

static bool
begin(const struct session *session, struct snapshot *s)
{
	const char *reason = NULL;
	enum verdict verdict = VERDICT_MAILBOX_BUSY;

	snapshot_none(s);
	if (session->is_empty)
		return true;
	if (lock(session->maildir) == -1) {
		if (errno == EWOULDBLOCK)
			reason = "in-use";
	} else {
		snapshot_sweep(session->maildir, session->links_only,
		    (int64_t)clock_now(), session->queue_lifetime);
		if (snapshot_take(s, session->maildir, session->sizes) == 0)
			return true;
		verdict = errno == ENOMEM ? VERDICT_INTERNAL : verdict;
	}
	log_event(LEVEL_WARNING, "mailbox refused",
	    log_text("auth", session->user),
	    log_text("folder", session->folder),
	    log_text("reason", reason != NULL ? reason : strerror(errno)));
	session_refuse(session->fd, verdict_row(verdict)->name, reason);
	return false;
}

static bool
answer(int fd, struct packet *p)
{
	bool sent = ipc_send(fd, p, clock_monotonic_ms() + ANSWER_MS) == IPC_OK;

	/* What was attached was opened for this answer. */
	packet_close(p);
	return sent;
}

static bool
greet(const struct session *session, const struct snapshot *s, struct packet *p)
{
	packet_start(p, "mailbox");
	packet_text(p, "verdict", verdict_row(VERDICT_OK)->name);
	packet_number(p, "count", s->n);
	packet_number(p, "octets", s->octets);
	return answer(session->fd, p);
}

static enum next
receive_and_serve(
    const struct session *session, struct snapshot *s, struct packet *p)
{
	enum next next;

	/* Closed without a commit: nothing is deleted (RFC 1939 section 6). */
	if (ipc_receive(session->fd, p,
		clock_monotonic_ms() + session->idle_ms) != IPC_OK)
		return LAST_ANSWER;
	if (p->nfds > 0) {
		packet_close(p);
		next = MALFORMED;
	} else {
		next = serve_packet(s, p);
	}
	if (next == MALFORMED)
		log_event(LEVEL_ERROR, "peer dropped",
		    log_text("role", "session"),
		    log_text("auth", session->user),
		    log_text("reason", "malformed packet"));
	else if (next != NO_ANSWER && !answer(session->fd, p))
		next = LAST_ANSWER;
	return next;
}

int
session_serve(const struct session *session)
{
	static struct packet packet;
	struct snapshot s;
	enum next next;

	if (!begin(session, &s))
		return EX_TEMPFAIL;
	s.links_only = session->links_only;
	if (greet(session, &s, &packet)) {
		sizes_save(session->sizes, &s);
		do
			next = receive_and_serve(session, &s, &packet);
		while (next == ANSWER || next == NO_ANSWER);
	}
	snapshot_free(&s);
	return EX_OK;
}
