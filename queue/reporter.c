/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/address.h"
#include "common/clock.h"
#include "common/fs.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/protocol.h"
#include "common/sandbox.h"
#include "common/submit.h"
#include "mailauth/dkim.h"
#include "queue/bounce.h"
#include "queue/notice.h"
#include "queue/report.h"

enum { STEP_MS = 2 * 60 * 1000 }; /* longer than queue takes to answer */

static bool
read_envelope(int fd, struct envelope *e)
{
	const char *why;
	unsigned line;
	char *octets;
	size_t n;
	bool ok;

	if (fs_read_all(fd, ENVELOPE_FILE_MAX, &octets, &n) == -1)
		return false;
	ok = envelope_parse(e, octets, n, &why, &line) == ENVELOPE_WHOLE;
	free(octets);
	return ok;
}

/* What queue wants; borrowed from its packet. */
struct wish {
	const char *id, *kind, *hostname, *to;
	const char *copy; /* who gets one, NULL: nobody */
	uint64_t limit;   /* octets of a message that is returned whole */
	uint64_t expires; /* unix seconds */
	uint64_t final;   /* 1: to is the postmaster, and nobody is told more */
};

/* What may leave the house: all of it, or as much as a header has. */
static bool
read_message(int fd, const struct envelope *e, uint64_t limit, struct report *r,
    struct buf *octets)
{
	uint64_t left = e->content - e->start;
	ssize_t got;

	r->whole = e->ret == DSN_RET_FULL && left <= limit;
	if (!r->whole && left > REPORT_HEADER_MAX)
		left = REPORT_HEADER_MAX;
	if (!buf_reserve(octets, (size_t)left + 1))
		return false;
	while (octets->len < left) {
		got = pread(fd, octets->data + octets->len,
		    (size_t)left - octets->len,
		    (off_t)(e->start + octets->len));
		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		octets->len += (size_t)got;
	}
	r->octets = octets->data;
	r->n = octets->len;
	return true;
}

/* What is handed in, behind the headers that are for this house alone. */
struct letter {
	const char *to, *protocol;
	const struct buf *text;
	uint64_t start, wire;
	bool eight_bit, utf8;
};

static enum verdict
commit_letter(struct submission *s, const struct letter *l, int64_t deadline)
{
	const char *recipients[] = {l->to};
	struct submit_envelope envelope = {.sender = "",
	    .recipients = recipients,
	    .nrecipients = 1,
	    .client = "",
	    .helo = "",
	    .protocol = l->protocol,
	    .start = l->start,
	    .wire = l->wire,
	    .eight_bit = l->eight_bit,
	    .utf8 = l->utf8};
	struct dkim_facts facts = {.fields = BUF_INIT(0)};
	enum verdict verdict;

	if (fs_write_all(s->writer, l->text->data, l->text->len) == -1) {
		verdict = submit_storage_failed();
		submit_abort(s);
		return verdict;
	}
	/* The part that may leave the house. */
	envelope.unsigned_because = dkim_sign_text(l->text->data + l->start,
	    l->text->len - l->start, NULL, 0, &facts);
	if (envelope.unsigned_because == NULL)
		envelope.facts = &facts;
	verdict = submit_commit(s, &envelope, deadline);
	buf_free(&facts.fields);
	return verdict;
}

/*
 * Nobody is told of a copy that cannot be delivered, by its protocol
 * (queue/tell.c): so there is an end to reports about reports.
 */
static enum verdict
hand_in(struct submission *s, struct report *r)
{
	int64_t deadline = clock_monotonic_ms() + STEP_MS;
	enum verdict verdict = submit_open(s, -1, 0, deadline);
	struct letter l = {.to = r->to,
	    .protocol = r->copy ? PROTOCOL_OF_COPIES : PROTOCOL_OF_REPORTS,
	    .text = &r->text};

	if (verdict != VERDICT_OK)
		return verdict;
	r->own_id = s->id;
	r->now = s->time;
	if (!report_compose(r)) {
		submit_abort(s);
		return VERDICT_BUSY;
	}
	l.start = r->start;
	l.wire = r->wire;
	l.eight_bit = r->eight_bit;
	l.utf8 = r->utf8;
	return commit_letter(s, &l, deadline);
}

/* That it fails changes nothing for the sender. */
static void
hand_in_copy(struct submission *s, struct report *r, const char *to)
{
	enum verdict verdict;

	buf_free(&r->text);
	r->to = to;
	r->copy = true;
	verdict = s->lost ? VERDICT_INTERNAL : hand_in(s, r);
	if (verdict != VERDICT_OK)
		log_event(LEVEL_WARNING, "no copy", log_text("id", r->id),
		    log_address("to", to),
		    log_text("reason", verdict_row(verdict)->text));
}

/* A warning that nobody has asked for, and nobody would read. */
static bool
is_unwelcome(const struct report *r)
{
	return r->kind == REPORT_DELAY && !owed_by_wish(r->e, r->kind) &&
	    report_is_unattended(r);
}

/* id: of the report, where it is committed. */
static enum verdict
report(struct submission *s, const struct wish *w, int content, int envelope,
    char id[PROTOCOL_ID_MAX + 1])
{
	struct envelope e;
	struct buf octets = BUF_INIT(REPORT_MAX / 2);
	struct report r = {.e = &e,
	    .id = w->id,
	    .hostname = w->hostname,
	    .to = w->to,
	    .copy = w->final == 1,
	    .expires = (int64_t)w->expires};
	enum verdict verdict = VERDICT_INTERNAL;

	id[0] = '\0';
	envelope_init(&e);
	if (report_kind_named(w->kind, &r.kind) &&
	    read_envelope(envelope, &e) &&
	    read_message(content, &e, w->limit, &r, &octets)) {
		verdict = is_unwelcome(&r) ? VERDICT_UNATTENDED
					   : hand_in(s, &r);
		if (verdict != VERDICT_UNATTENDED)
			memcpy(id, s->id, sizeof(s->id));
		if (verdict == VERDICT_OK && w->copy != NULL)
			hand_in_copy(s, &r, w->copy);
		buf_free(&r.text);
	}
	buf_free(&octets);
	envelope_free(&e);
	return verdict;
}

static bool
answer(int control, const struct submission *s, const char *id,
    enum verdict verdict, const char *report)
{
	static struct packet p;

	packet_start(&p, "reported");
	packet_text(&p, "id", id);
	packet_text(&p, "verdict", verdict_row(verdict)->name);
	packet_text(&p, "report", report);
	return ipc_send(control, &p, -1) == IPC_OK && !s->lost;
}

static bool
serve_report(int control, struct submission *s, const struct packet *p)
{
	struct wish w;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("id", PROTOCOL_ID_MAX, &w.id),
	    ATTRIBUTE_TEXT("kind", PROTOCOL_NAME_MAX, &w.kind),
	    ATTRIBUTE_TEXT("hostname", PROTOCOL_ADDRESS_MAX, &w.hostname),
	    ATTRIBUTE_TEXT("to", PROTOCOL_ADDRESS_MAX, &w.to),
	    ATTRIBUTE_TEXT_OPTIONAL("copy", PROTOCOL_ADDRESS_MAX, &w.copy),
	    ATTRIBUTE_NUMBER("limit", &w.limit),
	    ATTRIBUTE_NUMBER("expires", &w.expires),
	    ATTRIBUTE_NUMBER("final", &w.final),
	};
	enum verdict verdict;
	char id[PROTOCOL_ID_MAX + 1];

	if (!packet_read(p, "report", set, sizeof(set) / sizeof(set[0]), 2))
		return false;
	verdict = report(s, &w, p->fds[0], p->fds[1], id);
	return answer(control, s, w.id, verdict, id);
}

/* -- to the postmaster -- */

static enum verdict
hand_in_notice(struct submission *s, struct notice *n)
{
	int64_t deadline = clock_monotonic_ms() + STEP_MS;
	enum verdict verdict = submit_open(s, -1, 0, deadline);
	struct letter l = {
	    .to = n->to, .protocol = PROTOCOL_OF_NOTICES, .text = &n->text};

	if (verdict != VERDICT_OK)
		return verdict;
	n->own_id = s->id;
	n->now = s->time;
	if (!notice_compose(n)) {
		submit_abort(s);
		return VERDICT_BUSY;
	}
	l.start = n->start;
	l.wire = n->wire;
	l.eight_bit = n->eight_bit;
	return commit_letter(s, &l, deadline);
}

static bool
serve_notice(int control, struct submission *s, const struct packet *p)
{
	struct notice n = {.to = NULL};
	char to[ADDRESS_DOMAIN_MAX + 16];
	uint64_t since;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("hostname", ADDRESS_DOMAIN_MAX, &n.hostname),
	    ATTRIBUTE_TEXT("login", PROTOCOL_LOGIN_MAX, &n.login),
	    ATTRIBUTE_TEXT("reason", ENVELOPE_TEXT_MAX, &n.reason),
	    ATTRIBUTE_NUMBER("since", &since),
	    ATTRIBUTE_NUMBER("most", &n.most),
	    ATTRIBUTE_TEXT_OPTIONAL("id", PROTOCOL_ID_MAX, &n.message),
	    ATTRIBUTE_TEXT_OPTIONAL("client", PROTOCOL_TEXT_MAX, &n.client),
	    ATTRIBUTE_TEXT_OPTIONAL("sender", PROTOCOL_ADDRESS_MAX, &n.sender),
	    ATTRIBUTE_TEXT_OPTIONAL("app", PROTOCOL_NAME_MAX, &n.app),
	};
	enum verdict verdict;

	if (!packet_read(p, "notice", set, sizeof(set) / sizeof(set[0]), 0))
		return false;
	snprintf(to, sizeof(to), "postmaster@%s", n.hostname);
	n.to = to;
	n.since = (int64_t)since;
	s->id[0] = '\0';
	verdict = hand_in_notice(s, &n);
	buf_free(&n.text);
	return answer(control, s, "notice", verdict, s->id);
}

static bool
serve(int control, struct submission *s, const struct packet *p)
{
	return packet_is(p, "notice") ? serve_notice(control, s, p)
				      : serve_report(control, s, p);
}

int
reporter_run(int control, int queue_end)
{
	const struct sandbox sandbox = {.files = 32};
	struct submission s = {.queue = queue_end, .writer = -1, .reader = -1};
	struct packet p;
	bool ok = true;

	sandbox_enter(&sandbox);
	while (ok && ipc_receive(control, &p, -1) == IPC_OK) {
		ok = serve(control, &s, &p);
		packet_close(&p);
	}
	return ok ? EX_OK : EX_SOFTWARE;
}
