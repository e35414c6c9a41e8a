/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/lines.h"
#include "common/log.h"
#include "smtpd/content.h"
#include "smtpd/header_scan.h"
#include "smtpd/received.h"
#include "smtpd/session.h"

enum {
	HEADERS_MAX = 8192,
	/* Octets a second below which a client is a nuisance (A21). */
	RATE_MIN = 1024,
	/* So much more than the limit is read before we hang up. */
	EXCESS = 1 << 20
};

/* One message, from 354 to its reply. */
struct message {
	struct session *session;
	struct submission submission;
	struct buf headers; /* ours */
	size_t start;       /* octets of them for a local mailbox alone */
	struct content content;
	struct dot_reader wire;
	struct header_scan scan;
	int64_t began;
	uint64_t came; /* octets from the wire */
};

/* For content_wait_for_headers(). */
static int
open_scratch(void *context)
{
	struct message *m = context;
	int fd;
	enum verdict verdict =
	    submit_scratch(&m->submission, &fd, owners_deadline());

	if (fd == -1)
		errno = verdict == VERDICT_DISK_FULL ? ENOSPC : EIO;
	return fd;
}

static enum verdict
open_message(struct session *s, struct message *m)
{
	int client_fd = s->facts.relay_from ? s->stream.in : -1;
	enum verdict verdict;

	*m = (struct message){.session = s, .headers = BUF_INIT(HEADERS_MAX)};
	verdict = owners_open(
	    s->owners, client_fd, s->transaction.size, &m->submission);
	if (!verdict_is_success(verdict))
		return verdict;
	m->start = received_headers(
	    s, m->submission.id, m->submission.time, &m->headers);
	content_init(&m->content, m->submission.writer, &m->headers);
	if (policy_is_judged(&s->facts))
		content_wait_for_headers(&m->content, open_scratch, m);
	dot_reader_init(&m->wire);
	header_scan_init(&m->scan);
	return VERDICT_OK;
}

static void
close_message(struct message *m)
{
	submit_abort(&m->submission);
	owners_done(m->session->owners, &m->submission);
	content_free(&m->content);
	buf_free(&m->headers);
}

/* -- receiving -- */

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

/* Read on to the end even where nothing is kept: A1. */
static enum dot_state
take_octets(struct message *m, struct span octets, size_t *used)
{
	char *room = content_room(&m->content, octets.len);
	char waste[4096];
	enum dot_state state;
	size_t made;

	if (room == NULL) {
		room = waste;
		if (octets.len > sizeof(waste))
			octets.len = sizeof(waste);
	}
	state = dot_read(&m->wire, octets.data, octets.len, used, room, &made);
	header_scan(&m->scan, room, made);
	if (room != waste)
		content_came(&m->content, made);
	m->came += *used;
	if (m->wire.octets > m->session->config->max_message_size)
		content_discard(&m->content);
	return state;
}

static enum stream_result
receive(struct message *m)
{
	struct stream *stream = &m->session->stream;
	uint64_t most = m->session->config->max_message_size + EXCESS;
	enum dot_state state = DOT_MORE;

	m->began = clock_monotonic_ms();
	while (state == DOT_MORE && m->wire.octets <= most) {
		struct span octets;
		size_t used;
		enum stream_result result;

		stream->deadline = deadline(m);
		result = stream_peek(stream, &octets);
		if (result != STREAM_OK)
			return result;
		state = take_octets(m, octets, &used);
		stream_took(stream, used);
	}
	stream_limit(stream, (int64_t)m->session->config->smtp_timeout * 1000);
	m->session->closing = state == DOT_MORE;
	return STREAM_OK;
}

/* -- deciding and handing over -- */

static enum verdict
judge(struct message *m)
{
	const struct config *config = m->session->config;
	const struct policy_content facts = {.wire = &m->wire,
	    .hops = m->scan.received,
	    .max_size = config->max_message_size,
	    .max_line_length = config->max_line_length,
	    .max_hops = config->max_hops};
	enum verdict verdict = policy_content(&facts);

	if (verdict_is_success(verdict) && content_finish(&m->content) == -1) {
		log_event(LEVEL_ERROR, "cannot write",
		    log_text("id", m->submission.id),
		    log_text("reason", strerror(errno)));
		verdict = submit_storage_failed();
	}
	return verdict;
}

static uint64_t
wire_octets(const struct message *m)
{
	uint64_t n = m->headers.len + m->wire.octets;

	for (size_t i = 0; i < m->headers.len; i++)
		n += m->headers.data[i] == '\n';
	return n;
}

static enum verdict
commit(struct message *m)
{
	const struct session *s = m->session;
	const struct transaction *t = &s->transaction;
	const struct submit_envelope envelope = {.sender = t->sender_text,
	    .recipients = (const char *const *)t->recipients,
	    .nrecipients = t->nrecipients,
	    .asked = t->asked,
	    .ret = t->ret,
	    .envid = t->envid[0] != '\0' ? t->envid : NULL,
	    .start = m->start,
	    .wire = wire_octets(m),
	    .eight_bit = t->body_8bit || m->wire.eight_bit,
	    .utf8 = t->utf8 && (t->utf8_address || m->scan.eight_bit),
	    .client = s->client.text,
	    .helo = s->helo,
	    .protocol = received_protocol(s)};

	return submit_commit(&m->submission, &envelope, owners_deadline());
}

static void
accept_message(struct message *m)
{
	struct session *s = m->session;
	const struct transaction *t = &s->transaction;
	char text[64];

	log_event(LEVEL_INFO, "accepted", log_text("id", m->submission.id),
	    log_text("client", s->client.text), log_text("helo", s->helo),
	    log_text("tls", s->protection[0] != '\0' ? s->protection : NULL),
	    log_text("auth", s->login[0] != '\0' ? s->login : NULL),
	    log_address("from", t->sender_text),
	    log_address("to", t->nrecipients == 1 ? t->recipients[0] : NULL),
	    log_number("recipients", (int64_t)t->nrecipients),
	    log_delay("delay", clock_monotonic_ms() - m->began));
	s->errors = s->refused = s->fruitless = 0;
	s->fruitful = clock_monotonic_ms();
	snprintf(text, sizeof(text), "queued as %s", m->submission.id);
	session_reply(s, 250, "2.0.0", text);
}

static void
refuse_message(struct message *m, enum verdict verdict)
{
	struct session *s = m->session;
	const char *about = m->submission.refused;

	session_log_refusal(
	    s, m->submission.id, about[0] != '\0' ? about : NULL, verdict);
	session_verdict(s, verdict);
	if (policy_closes(verdict))
		s->closing = true;
}

static void
finish(struct message *m)
{
	enum verdict verdict = judge(m);

	if (verdict_is_success(verdict))
		verdict = commit(m);
	if (verdict_is_success(verdict))
		accept_message(m);
	else
		refuse_message(m, verdict);
}

void
smtp_data(struct session *s, const char *argument)
{
	struct message m;
	enum verdict verdict;
	enum stream_result result;

	if (argument[0] != '\0') {
		session_refuse(s, 501, "5.5.4", "DATA has no argument");
		return;
	}
	if (s->transaction.nrecipients == 0) {
		session_refuse(s, 503, "5.5.1", "no recipients");
		return;
	}
	verdict = open_message(s, &m);
	if (!verdict_is_success(verdict)) {
		session_log_refusal(s, NULL, NULL, verdict);
		session_verdict(s, verdict);
		owners_done(s->owners, &m.submission);
		return;
	}
	stream_puts(&s->stream, "354 end with CR LF . CR LF\r\n");
	result = receive(&m);
	if (result == STREAM_OK)
		finish(&m);
	else
		session_lost(s, m.submission.id, result);
	close_message(&m);
	session_reset(s);
}
