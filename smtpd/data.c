/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/utf8.h"
#include "smtpd/filtered.h"
#include "smtpd/grey.h"
#include "smtpd/message.h"
#include "smtpd/milters.h"
#include "smtpd/received.h"
#include "smtpd/rows.h"
#include "smtpd/tallies.h"

enum { HEADERS_MAX = 65536 };

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

bool
message_insert(struct message *m, const struct buf *fields)
{
	struct buf *h = &m->headers;

	if (!buf_ok(h) || !buf_reserve(h, fields->len))
		return false;
	if (fields->len == 0)
		return true;
	memmove(h->data + m->start + fields->len, h->data + m->start,
	    h->len - m->start);
	memcpy(h->data + m->start, fields->data, fields->len);
	h->len += fields->len;
	m->start += fields->len;
	return true;
}

/* What is not judged may still come from where nobody wants it from. */
static void
mark_listed(struct message *m)
{
	struct session *s = m->session;

	if (!policy_lists_junk(
		client_lists(s)->score, s->config->junk_score))
		return;
	s->transaction.junk = "lists";
	judging_mark(&m->own, s->transaction.junk);
	if (!m->filtered)
		(void)message_insert(m, &m->own);
}

static enum verdict
open_message(struct session *s, struct message *m)
{
	int client_fd = s->facts.relay_from ? s->stream.in : -1;
	enum verdict verdict;

	*m = (struct message){.session = s,
	    .filtered = milters_hear(s),
	    .stranger = policy_is_judged(&s->facts, true),
	    .headers = BUF_INIT(HEADERS_MAX),
	    .kept = BUF_INIT(HEADER_SECTION_MAX),
	    .own = BUF_INIT(HEADERS_MAX)};
	if (m->filtered)
		m->headers.max += DRAFT_OCTETS_MAX + DRAFT_FIELDS_MAX;
	verdict = owners_open(
	    s->owners, client_fd, s->transaction.size, &m->submission);
	if (!verdict_is_success(verdict))
		return verdict;
	m->start = received_headers(
	    s, m->submission.id, m->submission.time, &m->headers);
	content_init(&m->content, m->submission.writer, &m->headers);
	m->judged = policy_is_judged(&s->facts, s->config->mail_auth);
	if (!m->judged && m->stranger)
		mark_listed(m);
	if (m->judged || m->filtered)
		content_wait_for_headers(&m->content, open_scratch, m);
	m->signs =
	    s->config->dkim_sign && (s->facts.logged_in || s->facts.relay_from);
	dot_reader_init(&m->wire);
	header_init(&m->section);
	header_init(&m->final);
	return VERDICT_OK;
}

static void
close_message(struct message *m)
{
	submit_abort(&m->submission);
	owners_done(m->session->owners, &m->submission);
	content_free(&m->content);
	judging_free(m->judging);
	signing_free(m->signing);
	header_free(&m->section);
	filtered_free(m);
	buf_free(&m->headers);
}

/* -- deciding and handing over -- */

/* Does a Delivered-To name that recipient (RFC 9228 section 4)? */
static bool
was_delivered_to(const struct header_section *section, const char *recipient)
{
	for (size_t i = 0; i < section->n; i++) {
		const struct header_field *field = &section->fields[i];
		struct span value = span_trim(field->value, " \t\n");

		if (header_is(field, "Delivered-To") &&
		    value.len == strlen(recipient) &&
		    strncasecmp(value.data, recipient, value.len) == 0)
			return true;
	}
	return false;
}

/* All of them: where one is not, it may be somebody's copy for another. */
static bool
loops_back(const struct message *m)
{
	const struct transaction *t = &m->session->transaction;

	for (size_t i = 0; i < t->nrecipients; i++)
		if (!was_delivered_to(&m->section, t->recipients[i]))
			return false;
	return true;
}

static enum verdict
check_content(const struct message *m)
{
	struct session *s = m->session;
	const struct config *config = s->config;
	const struct header_field *first;
	struct policy_facts facts = {.client = &s->facts,
	    .content = {.wire = &m->wire,
		.hops = header_count(&m->section, "Received", &first),
		.header_too_big = m->section.oversized,
		.delivered = loops_back(m),
		.max_size = config->max_message_size,
		.max_line_length = config->max_line_length,
		.max_hops = config->max_hops}};

	return policy_decide(POLICY_CONTENT, &facts);
}

static enum verdict
judge(struct message *m)
{
	enum verdict verdict;

	if (!m->judged)
		return VERDICT_OK;
	if (m->judging == NULL)
		return VERDICT_INTERNAL;
	verdict = judging_end(m->judging, &m->own);
	if (verdict_is_success(verdict) && !m->filtered &&
	    !message_insert(m, &m->own))
		verdict = VERDICT_INTERNAL;
	return verdict;
}

static enum verdict
write_content(struct message *m)
{
	if (content_finish(&m->content) == 0)
		return VERDICT_OK;
	log_event(LEVEL_ERROR, "cannot write", log_text("id", m->submission.id),
	    log_text("reason", strerror(errno)));
	return submit_storage_failed();
}

static uint64_t
wire_octets(const struct message *m)
{
	return message_wire_octets(m->headers.data, m->headers.len) +
	    (m->filtered ? m->body_wire : m->wire.octets - m->stripped);
}

static bool
has_utf8_header(const struct message *m)
{
	const struct buf *text =
	    m->filtered ? &m->final.text : &m->section.text;
	const struct buf *h = &m->headers;

	return !utf8_is_ascii(text->data, text->len) ||
	    (m->completed > 0 &&
		!utf8_is_ascii(h->data + m->completed, h->len - m->completed));
}

/* What is to be signed of it; NULL, and why not (NULL: nobody signs). */
static const struct dkim_facts *
collect_facts(const struct message *m, const char **why)
{
	const struct dkim_facts *facts = NULL;

	*why = NULL;
	if (m->signing != NULL && m->filtered)
		*why = signing_end(m->signing, &m->final, NULL, 0, &facts);
	else if (m->signing != NULL)
		*why = signing_end(m->signing, &m->section,
		    m->headers.data + m->completed,
		    m->headers.len - m->completed, &facts);
	else if (m->signs)
		*why = "no memory";
	return facts;
}

static enum verdict
commit(struct message *m)
{
	const struct session *s = m->session;
	const struct transaction *t = &s->transaction;
	const char *why;
	const struct dkim_facts *facts = collect_facts(m, &why);
	const struct submit_envelope envelope = {.sender = t->sender_text,
	    .recipients = (const char *const *)t->recipients,
	    .nrecipients = t->nrecipients,
	    .asked = t->asked,
	    .ret = t->ret,
	    .envid = t->envid[0] != '\0' ? t->envid : NULL,
	    .start = m->start,
	    .wire = wire_octets(m),
	    .eight_bit = t->body_8bit || m->wire.eight_bit ||
		m->body_eight_bit || has_utf8_header(m),
	    .utf8 = t->utf8 && (t->utf8_address || has_utf8_header(m)),
	    .junk = t->junk,
	    .hold = m->hold,
	    .client = s->client.text,
	    .helo = s->helo,
	    .protocol = received_protocol(s),
	    .facts = facts,
	    .unsigned_because = why};

	return submit_commit(&m->submission, &envelope, owners_deadline());
}

static void
answer_taken(struct message *m)
{
	struct session *s = m->session;
	char text[64];

	s->errors = s->refused = s->fruitless = 0;
	s->fruitful = clock_monotonic_ms();
	snprintf(text, sizeof(text), "queued as %s", m->submission.id);
	session_reply(s, 250, "2.0.0", text);
}

static void
accept_message(struct message *m)
{
	struct session *s = m->session;
	const struct transaction *t = &s->transaction;

	log_event(LEVEL_INFO, "accepted", log_text("id", m->submission.id),
	    log_text("client", s->client.text), log_text("helo", s->helo),
	    log_text("tls", s->protection[0] != '\0' ? s->protection : NULL),
	    log_text("auth", s->login[0] != '\0' ? s->login : NULL),
	    log_address("from", t->sender_text),
	    log_address("to", t->nrecipients == 1 ? t->recipients[0] : NULL),
	    log_number("recipients", (int64_t)t->nrecipients),
	    SESSION_JUDGED(s), log_text("junk", t->junk),
	    log_delay("delay", clock_monotonic_ms() - m->began));
	answer_taken(m);
}

/* Who sent it is told what others are. */
static void
discard_message(struct message *m)
{
	const struct session *s = m->session;

	log_event(LEVEL_INFO, "discarded", log_text("id", m->submission.id),
	    log_text("client", s->client.text),
	    log_address("from", s->transaction.sender_text),
	    log_text("filter",
		s->milters->discards != NULL ? s->milters->discards->config->text
					     : NULL),
	    log_text("reason",
		s->milters->discards != NULL ? NULL
					     : "filters left no recipient"));
	answer_taken(m);
}

/* Whom the line in the log is about: as queue says, or the only one. */
static const char *
refused_recipient(const struct message *m)
{
	const struct transaction *t = &m->session->transaction;

	if (m->submission.refused[0] != '\0')
		return m->submission.refused;
	return t->nrecipients == 1 ? t->recipients[0] : NULL;
}

static void
refuse_message(struct message *m, enum verdict verdict)
{
	struct session *s = m->session;
	char text[JUDGING_TEXT_MAX + 1] = "";

	if (verdict == VERDICT_FILTER_REJECT ||
	    verdict == VERDICT_FILTER_LATER) {
		milters_refuse(s, m->submission.id, refused_recipient(m));
		return;
	}
	session_log_refusal(s, m->submission.id, refused_recipient(m), verdict);
	if (m->judging != NULL)
		judging_explain(m->judging, verdict, text);
	else if (verdict == m->header)
		memcpy(text, m->why, sizeof(text));
	session_verdict_text(s, verdict, text);
}

/* One that comes again is counted when it does. */
static void
tell_rows(const struct message *m, enum verdict verdict)
{
	if (m->judging != NULL &&
	    (verdict_is_success(verdict) || verdict_row(verdict)->smtp >= 500))
		rows_tell(m->session, judging_judgement(m->judging),
		    judging_outcome(m->judging));
}

/* Nobody makes himself known by what nobody may want. */
static enum tallies_result
what_it_was(const struct message *m)
{
	if (m->discarded)
		return TALLIES_REFUSED;
	return m->session->transaction.junk != NULL || m->hold != NULL
	    ? TALLIES_JUNK
	    : TALLIES_TAKEN;
}

/* Whom mail was taken from is known from now on, and who stands behind it. */
static void
tell_tallies(const struct message *m, enum verdict verdict)
{
	struct session *s = m->session;
	const struct judgement *said =
	    m->judging != NULL ? judging_judgement(m->judging) : NULL;
	const char *key = grey_known_key(s, said != NULL ? &said->sender : NULL);

	if (verdict_is_success(verdict))
		tallies_ended(s, key, what_it_was(m));
	else if (!verdict_is_temporary(verdict))
		tallies_ended(s, key, TALLIES_REFUSED);
}

static void
finish(struct message *m)
{
	enum verdict verdict = check_content(m);

	if (verdict_is_success(verdict))
		verdict = m->header;
	if (verdict_is_success(verdict))
		verdict = judge(m);
	if (verdict_is_success(verdict) && m->filtered &&
	    m->content.error == 0)
		verdict = filtered_ask(m);
	if (verdict_is_success(verdict) && !m->discarded)
		verdict = write_content(m);
	if (verdict_is_success(verdict) && !m->discarded)
		verdict = commit(m);
	if (verdict_is_success(verdict) && m->discarded)
		discard_message(m);
	else if (verdict_is_success(verdict))
		accept_message(m);
	else
		refuse_message(m, verdict);
	tell_rows(m, verdict);
	tell_tallies(m, verdict);
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
	if (!milters_data(s, m.submission.id)) {
		milters_refuse(s, m.submission.id, NULL);
		close_message(&m);
		session_reset(s);
		return;
	}
	stream_puts(&s->stream, "354 end with CR LF . CR LF\r\n");
	result = message_receive(&m);
	if (result == STREAM_OK)
		finish(&m);
	else
		session_lost(s, m.submission.id, result);
	close_message(&m);
	session_reset(s);
}
