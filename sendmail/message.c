/* SPDX-License-Identifier: ISC */
#include "sendmail/message.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fs.h"
#include "common/ipc.h"
#include "sendmail/header.h"

/* The supervisor holds the socket: a restart of queue takes no longer. */
enum { PATIENCE = 120000, ATTEMPTS = 5, PAUSE = 500 };

enum { HEADER_ROOM = 65536 };

const char *
home_domain(const struct config *config)
{
	return config->domains.n > 0 ? config->domains.items[0]
				     : config->hostname;
}

enum verdict
message_begin(struct message *m, const char *text, size_t n)
{
	char date[CLOCK_DATE_SIZE], id[FS_ID_SIZE], message_id[400];
	char self[ADDRESS_TEXT_MAX + 1];
	const struct config *config = m->config;
	struct address own = {.local = ""};
	struct header_facts facts = {.full_name = m->full_name,
	    .address = m->sender,
	    .domain = home_domain(config),
	    .hostname = config->hostname,
	    .date = date,
	    .message_id = message_id};
	struct header_result result;

	clock_date(clock_now(), date);
	fs_random_id(id);
	snprintf(message_id, sizeof(message_id), "<%lld.%s@%s>",
	    (long long)clock_now(), id, config->hostname);
	if (*m->sender == '\0') {
		snprintf(own.local, sizeof(own.local), "%s", m->caller->login);
		snprintf(own.domain, sizeof(own.domain), "%s", facts.domain);
		address_format(&own, self);
		facts.address = self;
	}
	m->header = BUF_INIT(2 * n + HEADER_ROOM);
	if (!header_rewrite(text, n, &facts, &result, &m->header))
		return VERDICT_TOO_BIG;
	if (result.received > config->max_hops)
		return VERDICT_LOOP;
	m->body = text + result.body;
	m->body_len = n - result.body;
	if (m->header.len + m->body_len > config->max_message_size)
		return VERDICT_TOO_BIG;
	message_collect_facts(m);
	return VERDICT_OK;
}

void
message_end(struct message *m)
{
	buf_free(&m->header);
	if (m->has_facts)
		buf_free(&m->facts.fields);
}

/* What only a local mailbox should see; smtpd writes the same. */
static void
add_local(struct message *m, const char *only_recipient, struct buf *out)
{
	buf_addf(out, "Return-Path: <%s>\n", m->sender);
	if (only_recipient != NULL)
		buf_addf(out, "Delivered-To: %s\n", only_recipient);
}

/*
 * RFC 5321 section 4.4, without the From-domain that a message which came
 * over no network does not have.
 */
static void
add_received(struct message *m, const struct submission *s, struct buf *out)
{
	char date[CLOCK_DATE_SIZE];

	clock_date(s->time, date);
	buf_addf(out,
	    "Received: by %s (Postrider) with %s id %s\n"
	    "\t(uid %lu); %s\n",
	    m->config->hostname, m->protocol, s->id,
	    (unsigned long)m->caller->uid, date);
}

static size_t
count_lines(const char *p, size_t n)
{
	const char *end = p + n;
	size_t lines = 0;

	for (; p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
		lines++;
	return lines;
}

static enum verdict
write_and_commit(struct message *m, struct submission *s,
    struct submit_envelope *e, struct buf *trace, int64_t deadline)
{
	enum verdict verdict;

	add_local(m, e->nrecipients == 1 ? e->recipients[0] : NULL, trace);
	e->start = trace->len;
	add_received(m, s, trace);
	if (!buf_ok(trace)) {
		submit_abort(s);
		return VERDICT_INTERNAL;
	}
	e->wire = trace->len + count_lines(trace->data, trace->len) +
	    m->header.len + count_lines(m->header.data, m->header.len) +
	    m->body_len + count_lines(m->body, m->body_len);
	if (fs_write_all(s->writer, trace->data, trace->len) == -1 ||
	    fs_write_all(s->writer, m->header.data, m->header.len) == -1 ||
	    fs_write_all(s->writer, m->body, m->body_len) == -1) {
		verdict = submit_storage_failed();
		submit_abort(s);
		return verdict;
	}
	return submit_commit(s, e, deadline);
}

static enum verdict
attempt(struct message *m, struct submission *s, struct submit_envelope *e,
    int64_t deadline)
{
	struct buf trace = BUF_INIT(16384);
	enum verdict verdict = submit_open(s, -1, 0, deadline);

	if (verdict == VERDICT_OK) {
		verdict = write_and_commit(m, s, e, &trace, deadline);
		buf_free(&trace);
	}
	return verdict;
}

static int
connect_to_queue(const struct config *config, const char **why)
{
	char path[4096];
	int fd;

	if (snprintf(path, sizeof(path), "%s/public/queue", config->run_dir) >=
	    (int)sizeof(path))
		errno = ENAMETOOLONG;
	else if ((fd = ipc_connect(path)) >= 0)
		return fd;
	*why = errno == ENOENT || errno == ECONNREFUSED
	    ? "the mail system is not running"
	    : strerror(errno);
	return -1;
}

enum verdict
message_submit(struct message *m, char *const *recipients, size_t n, bool utf8,
    char *id, char *refused, const char **why)
{
	struct dsn_recipient *asked = calloc(n, sizeof(*asked));
	struct submit_envelope e = {.sender = m->sender,
	    .recipients = (const char *const *)recipients,
	    .nrecipients = n,
	    .asked = asked,
	    .ret = m->ret,
	    .envid = m->envid,
	    .eight_bit = m->eight_bit,
	    .utf8 = utf8 || m->sender_utf8,
	    .client = "",
	    .helo = m->helo,
	    .protocol = m->protocol,
	    .facts = m->has_facts && m->unsigned_because == NULL ? &m->facts
								 : NULL,
	    .unsigned_because = m->unsigned_because};
	int64_t deadline = clock_monotonic_ms() + PATIENCE;
	enum verdict verdict = VERDICT_INTERNAL;

	*refused = '\0';
	*why = NULL;
	if (asked == NULL)
		return VERDICT_BUSY;
	for (size_t i = 0; i < n; i++)
		asked[i].notify = m->notify;
	for (int i = 0; i < ATTEMPTS && clock_left(deadline) > 0; i++) {
		struct submission s = {
		    .queue = connect_to_queue(m->config, why)};

		verdict = VERDICT_INTERNAL;
		if (s.queue == -1)
			break;
		verdict = attempt(m, &s, &e, deadline);
		close(s.queue);
		memcpy(id, s.id, sizeof(s.id));
		memcpy(refused, s.refused, sizeof(s.refused));
		/* queue was started anew in the middle: once more. */
		if (!s.lost)
			break;
		poll(NULL, 0, PAUSE);
	}
	free(asked);
	return verdict;
}
