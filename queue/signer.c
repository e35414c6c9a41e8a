/* SPDX-License-Identifier: ISC */
#include "queue/signer.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/peer.h"
#include "common/protocol.h"

enum { WINDOW = 32, PARTS_MAX = 8, TRIES = 2, CHECK_MS = 500 };

_Static_assert(PARTS_MAX *DKIM_FIELDS_PART >= DKIM_FIELDS_MAX,
    "what may wait in the socket is enough for a window of the largest");

struct question {
	struct question *next;
	struct dkim_facts *facts;
	signer_answered *answered;
	void *asker;
	uint64_t serial;
	int64_t deadline;
	unsigned tries;
};

struct line {
	struct question *first, **last;
	size_t n;
};

/* keys answers in the order in which it is asked. */
static struct {
	struct peer peer;
	bool connected;
	uint64_t serial;
	struct line waiting, asked;
	struct timer timer;
} signer = {.waiting = {.last = &signer.waiting.first},
    .asked = {.last = &signer.asked.first}};

static void send_some(void);

void
signer_free_facts(struct dkim_facts *facts)
{
	if (facts != NULL)
		buf_free(&facts->fields);
	free(facts);
}

static void
enter(struct line *line, struct question *q)
{
	q->next = NULL;
	*line->last = q;
	line->last = &q->next;
	line->n++;
}

static struct question *
leave(struct line *line)
{
	struct question *q = line->first;

	if (q == NULL)
		return NULL;
	line->first = q->next;
	if (line->first == NULL)
		line->last = &line->first;
	line->n--;
	return q;
}

static void
answer(struct question *q, const struct signing *result)
{
	q->answered(q->asker, result);
	signer_free_facts(q->facts);
	free(q);
}

static void
answer_failed(struct question *q)
{
	answer(q, &(struct signing){.failed = true, .reason = "no answer"});
}

/* -- answers -- */

static bool
read_signatures(const struct packet *p, uint64_t *serial, struct signing *s)
{
	const struct attribute set[] = {ATTRIBUTE_NUMBER("serial", serial),
	    ATTRIBUTE_TEXT_OPTIONAL("dkim", SIGNATURE_MAX, &s->fields[0]),
	    ATTRIBUTE_TEXT_OPTIONAL("dkim", SIGNATURE_MAX, &s->fields[1]),
	    ATTRIBUTE_TEXT_OPTIONAL("reason", PROTOCOL_TEXT_MAX, &s->reason)};

	if (!packet_read(p, "dkim", set, 4, 0))
		return false;
	while (s->n < SIGNATURES_MAX && s->fields[s->n] != NULL)
		if (!signature_is_field(s->fields[s->n++]))
			return false;
	return s->n > 0 || s->reason != NULL;
}

static bool
read_refusal(const struct packet *p, uint64_t *serial, struct signing *s)
{
	const struct attribute set[] = {ATTRIBUTE_NUMBER("serial", serial),
	    ATTRIBUTE_TEXT("reason", PROTOCOL_TEXT_MAX, &s->reason)};

	s->failed = true;
	return packet_read(p, "refused", set, 2, 0);
}

static bool
on_packet(struct peer *peer, struct packet *p)
{
	struct signing result = {.failed = false};
	uint64_t serial;

	(void)peer;
	if (!(packet_is(p, "refused") ? read_refusal : read_signatures)(
		p, &serial, &result) ||
	    signer.asked.first == NULL || signer.asked.first->serial != serial)
		return false;
	answer(leave(&signer.asked), &result);
	send_some();
	return true;
}

/* -- the connection -- */

/* keys may be started anew just now: the supervisor keeps its socket. */
static void
on_closed(struct peer *peer)
{
	struct line again = signer.asked;
	struct question *q;

	peer_end(peer);
	signer.connected = false;
	signer.asked = (struct line){.last = &signer.asked.first};
	if (again.first == NULL)
		again.last = &again.first;
	while ((q = leave(&again)) != NULL)
		if (q->tries < TRIES && clock_left(q->deadline) > 0)
			enter(&signer.waiting, q);
		else
			answer_failed(q);
	send_some();
}

static bool
connect_keys(void)
{
	int fd;

	if (signer.connected)
		return true;
	fd = ipc_connect("keys");
	signer.peer = (struct peer){.role = "keys",
	    .packet = on_packet,
	    .closed = on_closed,
	    .most = WINDOW * PARTS_MAX};
	if (fd == -1 || peer_begin(&signer.peer, fd) == -1) {
		log_errno(LEVEL_WARNING, "cannot connect", "keys");
		return false;
	}
	signer.connected = true;
	return true;
}

static void
send_question(struct question *q)
{
	static struct packet p;
	size_t at;

	q->serial = signer.serial++;
	q->tries++;
	packet_start(&p, "dkim");
	packet_number(&p, "serial", q->serial);
	at = dkim_facts_write(&p, q->facts, 0);
	enter(&signer.asked, q);
	peer_send(&signer.peer, &p);
	while (at > 0) {
		packet_start(&p, "more");
		at = dkim_facts_write(&p, q->facts, at);
		peer_send(&signer.peer, &p);
	}
}

static bool
is_late(const struct line *line)
{
	return line->first != NULL && clock_left(line->first->deadline) <= 0;
}

/* Who is asked longest is late first; a question is never asked twice late. */
static void
check(struct timer *t)
{
	while (is_late(&signer.waiting))
		answer_failed(leave(&signer.waiting));
	if (is_late(&signer.asked)) {
		log_event(LEVEL_WARNING, "peer lost", log_text("what", "keys"),
		    log_text("reason", "no answer"));
		on_closed(&signer.peer);
	}
	send_some();
	if (signer.asked.n + signer.waiting.n > 0)
		loop_timer(t, CHECK_MS);
}

static void
send_some(void)
{
	if (signer.waiting.first == NULL)
		return;
	if (!connect_keys()) {
		struct question *q;

		while ((q = leave(&signer.waiting)) != NULL)
			answer_failed(q);
		return;
	}
	while (signer.asked.n < WINDOW && signer.waiting.first != NULL)
		send_question(leave(&signer.waiting));
}

static void
send_soon(struct timer *t)
{
	(void)t;
	send_some();
}

/* Never answered from within. */
static void
ask_soon(void)
{
	static struct timer soon = {.fire = send_soon};

	if (signer.connected)
		send_some();
	else if (soon.slot == 0)
		loop_timer(&soon, 0);
	if (signer.timer.slot == 0) {
		signer.timer.fire = check;
		loop_timer(&signer.timer, CHECK_MS);
	}
}

void
signer_ask(struct dkim_facts *facts, signer_answered *answered, void *asker)
{
	struct question *q = calloc(1, sizeof(*q));

	if (q == NULL) {
		struct signing none = {.failed = true, .reason = "no memory"};

		signer_free_facts(facts);
		answered(asker, &none);
		return;
	}
	*q = (struct question){.facts = facts,
	    .answered = answered,
	    .asker = asker,
	    .deadline = clock_monotonic_ms() + SIGNER_MS};
	enter(&signer.waiting, q);
	ask_soon();
}
