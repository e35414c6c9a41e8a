/* SPDX-License-Identifier: ISC */
/* report-mail.h: the way to queue, as sendmail(8) goes it. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fs.h"
#include "common/ipc.h"
#include "common/submit.h"
#include "mailauth/dkim.h"
#include "tools/report-mail.h"

/* The supervisor holds the socket: a restart of queue takes no longer. */
enum { PATIENCE_MS = 120000, ATTEMPTS = 5, PAUSE_MS = 500, TRACE_MAX = 4096 };

static uint64_t
wire_octets(const struct buf *text)
{
	uint64_t n = text->len;

	for (size_t i = 0; i < text->len; i++)
		n += text->data[i] == '\n';
	return n;
}

/* What only a local mailbox sees; *start: how much that is. */
static void
add_trace(const struct report_mail *m, const struct submission *s,
    uint64_t *start, struct buf *out)
{
	char date[CLOCK_DATE_SIZE];

	buf_addf(out, "Return-Path: <%s>\nDelivered-To: %s\n", m->from, m->to);
	*start = out->len;
	clock_date(s->time, date);
	buf_addf(out,
	    "Received: by %s (Postrider) with local id %s\n\t(uid %lu); %s\n",
	    m->config->hostname, s->id, (unsigned long)getuid(), date);
}

/* No report about a report: who cannot be reached is not told of. */
static enum verdict
commit(const struct report_mail *m, struct submission *s,
    const struct buf *message, int64_t deadline)
{
	const struct dsn_recipient asked = {.notify = DSN_NEVER};
	struct dkim_facts facts = {.fields = BUF_INIT(0)};
	struct submit_envelope e = {.sender = m->from,
	    .recipients = &m->to,
	    .nrecipients = 1,
	    .asked = &asked,
	    .client = "",
	    .helo = "",
	    .protocol = "local"};
	struct buf trace = BUF_INIT(TRACE_MAX);
	enum verdict verdict = VERDICT_INTERNAL;

	if (m->config->dkim_sign)
		e.unsigned_because = dkim_sign_text(
		    message->data, message->len, NULL, 0, &facts);
	if (m->config->dkim_sign && e.unsigned_because == NULL)
		e.facts = &facts;
	add_trace(m, s, &e.start, &trace);
	e.wire = wire_octets(&trace) + wire_octets(message);
	if (!buf_ok(&trace)) {
		submit_abort(s);
	} else if (fs_write_all(s->writer, trace.data, trace.len) == -1 ||
	    fs_write_all(s->writer, message->data, message->len) == -1) {
		verdict = submit_storage_failed();
		submit_abort(s);
	} else {
		verdict = submit_commit(s, &e, deadline);
	}
	buf_free(&trace);
	buf_free(&facts.fields);
	return verdict;
}

static int
connect_to_queue(const struct config *config, const char **why)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/public/queue", config->run_dir);
	fd = ipc_connect(path);
	if (fd == -1)
		*why = errno == ENOENT || errno == ECONNREFUSED
		    ? "the mail system is not running"
		    : strerror(errno);
	return fd;
}

enum verdict
mail_submit(
    const struct report_mail *m, const struct buf *message, const char **why)
{
	int64_t deadline = clock_monotonic_ms() + PATIENCE_MS;
	enum verdict verdict = VERDICT_INTERNAL;

	*why = NULL;
	for (int i = 0; i < ATTEMPTS && clock_left(deadline) > 0; i++) {
		struct submission s = {
		    .queue = connect_to_queue(m->config, why)};

		if (s.queue == -1)
			return VERDICT_INTERNAL;
		verdict = submit_open(&s, -1, 0, deadline);
		if (verdict_is_success(verdict))
			verdict = commit(m, &s, message, deadline);
		close(s.queue);
		/* queue was started anew in the middle: once more. */
		if (!s.lost)
			return verdict;
		poll(NULL, 0, PAUSE_MS);
	}
	return verdict;
}
