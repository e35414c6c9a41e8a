/* SPDX-License-Identifier: ISC */
#include "smtpd/message.h"

#include <stdio.h>

#include "common/clock.h"
#include "smtpd/facts.h"
#include "smtpd/filtered.h"
#include "smtpd/strip.h"
#include "smtpd/submitted.h"

enum {
	/* Octets a second below which a client is a nuisance (A21). */
	RATE_MIN = 1024,
	/* So much more than the limit is read before we hang up. */
	EXCESS = 1 << 20,
	BLOCK = 4096
};

/*
 * Silence ends a message, and so does a drip: the whole of it has the
 * timeout and the time that its octets take at the least rate.
 */
static int64_t
deadline(const struct message *m)
{
	int64_t timeout = (int64_t)m->session->config->smtp_timeout * 1000;
	int64_t silence = clock_monotonic_ms() + timeout;
	int64_t whole =
	    m->began + timeout + (int64_t)(m->came / RATE_MIN) * 1000;

	return silence < whole ? silence : whole;
}

/*
 * While others wait for a process (busy-timeout) silence ends it sooner, and
 * so does a drip.  STREAM_TIMEOUT: it has ended.
 */
static enum stream_result
await_octets(const struct message *m, struct span *octets)
{
	const struct session *s = m->session;
	struct stream *stream = &m->session->stream;
	int64_t busy = (int64_t)s->config->busy_timeout * 1000;
	int64_t began = clock_monotonic_ms(), last = deadline(m);
	int64_t whole =
	    SESSION_PATIENCE * busy + (int64_t)(m->came / RATE_MIN) * 1000;
	enum stream_result result;

	if (session_is_in_the_way(s, m->began, whole))
		return STREAM_TIMEOUT;
	do {
		int64_t next = clock_monotonic_ms() + busy;

		stream->deadline = next < last ? next : last;
		result = stream_peek(stream, octets);
	} while (result == STREAM_TIMEOUT && stream->deadline < last &&
	    !session_is_in_the_way(s, began, busy));
	return result;
}

/* -- the header section -- */

uint64_t
message_wire_octets(const char *octets, size_t n)
{
	uint64_t wire = n;

	for (size_t i = 0; i < n; i++)
		wire += octets[i] == '\n';
	return wire;
}

static void
keep(struct message *m, const char *lines, size_t n)
{
	if (m->filtered)
		filtered_keep(m, (struct span){lines, n});
	else
		content_add(&m->content, lines, n);
}

static void
keep_section(struct message *m)
{
	const struct header_section *h = &m->section;
	const char *from = h->text.data;
	size_t left = h->text.len;

	for (size_t i = 0; i < h->n; i++) {
		const struct span field = h->fields[i].text;
		size_t before = (size_t)(field.data - from), cut = field.len;

		if (!strip_field(&h->fields[i], m->session->config->hostname,
			&m->session->facts,
			m->judged || (m->filtered && m->stranger)))
			continue;
		keep(m, from, before);
		cut += before + cut < left; /* its line end */
		m->stripped += message_wire_octets(field.data, cut);
		from += before + cut;
		left -= before + cut;
	}
	keep(m, from, left);
}

/* Of a message that is refused nothing is kept. */
static void
judge_section(struct message *m)
{
	struct session *s = m->session;
	struct transaction *t = &s->transaction;
	struct submitted said;
	struct policy_facts facts;

	if (!s->facts.logged_in)
		return;
	submitted_read(
	    &m->section, s->config->bind_from == BIND_FROM_RESENT, &said);
	facts = facts_of_header(s, &said);
	m->header = policy_decide(POLICY_HEADER, &facts);
	if (verdict_is_success(m->header))
		return;
	content_discard(&m->content);
	if (m->header != VERDICT_FROM_NOT_OWNED)
		return;
	submitted_explain(&facts.author, s->login, m->why, sizeof(m->why));
	snprintf(t->author, sizeof(t->author), "%.*s",
	    (int)sizeof(t->author) - 1, facts.author.address);
}

/* RFC 6409 section 8; what a client of relay-from is from, it must say. */
static void
complete_section(struct message *m)
{
	struct session *s = m->session;
	const char *own = s->transaction.sender_text;

	m->completed = m->headers.len;
	if (!s->facts.logged_in)
		own = NULL;
	else if (own[0] == '\0')
		own = s->login;
	if (policy_may_relay(&s->facts))
		submitted_complete(&m->section, own, m->submission.id,
		    m->submission.time, s->config->hostname, &m->headers);
}

static void
section_came(struct message *m)
{
	if (m->section.oversized || !buf_ok(&m->section.text)) {
		content_discard(&m->content);
		return;
	}
	keep_section(m);
	judge_section(m);
	complete_section(m);
	if (m->signs)
		m->signing = signing_begin();
	if (m->judged)
		m->judging = judging_begin(m->session, &m->section);
}

/* -- octets -- */

/* Whoever wants to know of the body. */
static void
body_passes(struct message *m, const char *octets, size_t n)
{
	if (m->judging != NULL)
		judging_body(m->judging, octets, n);
	if (m->signing != NULL)
		signing_body(m->signing, octets, n);
}

/* Of the header section nothing is kept before all of it is known. */
static enum dot_state
take_header(struct message *m, struct span octets, size_t *used)
{
	char block[BLOCK];
	enum dot_state state;
	size_t made, taken;

	if (octets.len > sizeof(block))
		octets.len = sizeof(block);
	state = dot_read(&m->wire, octets.data, octets.len, used, block, &made);
	taken = header_take(&m->section, block, made);
	if (m->section.done) {
		section_came(m);
		m->parted = true;
		if (!m->filtered)
			content_add(&m->content, "\n", 1);
		content_add(&m->content, block + taken, made - taken);
		body_passes(m, block + taken, made - taken);
	} else if (state == DOT_END) {
		header_end(&m->section);
		section_came(m);
	}
	return state;
}

static enum dot_state
take_body(struct message *m, struct span octets, size_t *used)
{
	char *room = content_room(&m->content, octets.len);
	char waste[BLOCK];
	enum dot_state state;
	size_t made;

	if (room == NULL) {
		room = waste;
		if (octets.len > sizeof(waste))
			octets.len = sizeof(waste);
	}
	state = dot_read(&m->wire, octets.data, octets.len, used, room, &made);
	if (room != waste) {
		body_passes(m, room, made);
		content_came(&m->content, made);
	}
	return state;
}

static enum dot_state
take_octets(struct message *m, struct span octets, size_t *used)
{
	enum dot_state state = m->section.done ? take_body(m, octets, used)
					       : take_header(m, octets, used);

	m->came += *used;
	if (m->wire.octets > m->session->config->max_message_size)
		content_discard(&m->content);
	return state;
}

enum stream_result
message_receive(struct message *m)
{
	struct stream *stream = &m->session->stream;
	uint64_t most = m->session->config->max_message_size + EXCESS;
	enum dot_state state = DOT_MORE;

	m->began = clock_monotonic_ms();
	while (state == DOT_MORE && m->wire.octets <= most) {
		struct span octets;
		size_t used;
		enum stream_result result;

		result = await_octets(m, &octets);
		if (result != STREAM_OK)
			return result;
		state = take_octets(m, octets, &used);
		stream_took(stream, used);
	}
	stream_limit(stream, (int64_t)m->session->config->smtp_timeout * 1000);
	m->session->closing = state == DOT_MORE;
	return STREAM_OK;
}
