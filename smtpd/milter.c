/* SPDX-License-Identifier: ISC */
#include "smtpd/milter.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/log.h"
#include "smtpd/milter_connect.h"

enum { QUIT_MS = 1000 };

/* The versions that have these steps. */
enum { WITH_UNKNOWN = 3, WITH_DATA = 4 };

void
milter_init(struct milter *m, const struct config_milter *config, size_t index)
{
	*m = (struct milter){.config = config,
	    .index = index,
	    .data = BUF_INIT(MILTER_DATA_MAX + 1),
	    .whole = -1};
}

static void
hang_up(struct milter *m)
{
	if (m->state != MILTER_CLOSED)
		stream_close(&m->stream);
	m->lost = m->lost || m->state == MILTER_IN_MESSAGE;
	m->state = MILTER_CLOSED;
	m->introduced = m->greeted = false;
}

void
milter_quit(struct milter *m)
{
	struct buf quit = BUF_INIT(MILTER_HEAD);

	if (m->state != MILTER_CLOSED) {
		milter_end(&quit, milter_begin(&quit, MILTER_QUIT));
		stream_limit(&m->stream, QUIT_MS);
		stream_put(&m->stream, quit.data, quit.len);
		(void)stream_flush(&m->stream);
		buf_free(&quit);
	}
	hang_up(m);
	buf_free(&m->data);
}

void
milter_fail(struct milter *m, const char *id, const char *reason)
{
	log_event(LEVEL_WARNING, "filter failed", log_text("id", id),
	    log_text("filter", m->config->text), log_text("stage", m->stage),
	    log_text("reason", reason));
	hang_up(m);
}

/* -- saying -- */

void
milter_limit(struct milter *m, uint64_t seconds)
{
	stream_limit(&m->stream, (int64_t)seconds * 1000);
	if (m->whole >= 0 && m->stream.deadline > m->whole)
		m->stream.deadline = m->whole;
}

void
milter_say(struct milter *m, const struct buf *packets)
{
	stream_put(&m->stream, packets->data, packets->len);
}

/* -- hearing -- */

static void
fail_to_hear(struct milter *m, const char *id, enum stream_result result)
{
	if (result == STREAM_TIMEOUT) {
		milter_rest(m->index);
		milter_fail(m, id, "it does not answer");
	} else if (result == STREAM_EOF) {
		milter_fail(m, id, "it closed the connection");
	} else {
		milter_fail(m, id, strerror(errno));
	}
}

bool
milter_waits(struct milter *m, const char *id)
{
	struct span octets;
	enum stream_result result;

	if (!stream_has_input(&m->stream))
		return true;
	result = stream_peek(&m->stream, &octets);
	if (result == STREAM_OK)
		milter_fail(m, id, "it speaks unasked");
	else
		fail_to_hear(m, id, result);
	return false;
}

bool
milter_is_missed(const struct milter *m)
{
	return m->lost && !m->config->accept;
}

/* Exactly so many octets. */
static bool
take(struct milter *m, const char *id, char *out, size_t n)
{
	while (n > 0) {
		struct span octets;
		enum stream_result result = stream_peek(&m->stream, &octets);

		if (result != STREAM_OK) {
			fail_to_hear(m, id, result);
			return false;
		}
		if (octets.len > n)
			octets.len = n;
		memcpy(out, octets.data, octets.len);
		stream_took(&m->stream, octets.len);
		out += octets.len;
		n -= octets.len;
	}
	return true;
}

static bool
take_data(struct milter *m, const char *id, size_t n)
{
	buf_reset(&m->data);
	if (!buf_reserve(&m->data, n)) {
		milter_fail(m, id, "out of memory");
		return false;
	}
	if (!take(m, id, m->data.data, n))
		return false;
	m->data.len = n;
	return true;
}

/*
 * What a filter's library says in several writes waits, from the second on,
 * for the acknowledgement of the first: 40 ms that nobody works in.
 */
static void
acknowledge_at_once(const struct milter *m)
{
#ifdef TCP_QUICKACK
	int on = 1;

	if (m->config->path == NULL)
		(void)setsockopt(
		    m->stream.in, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
#else
	(void)m;
#endif
}

enum milter_heard
milter_hear(struct milter *m, const char *id, uint64_t seconds,
    struct milter_reply *reply, uint64_t *n)
{
	char octets[MILTER_HEAD];
	struct milter_head head;

	do {
		milter_limit(m, seconds);
		acknowledge_at_once(m);
		if (!take(m, id, octets, sizeof(octets)))
			return MILTER_SILENT;
		if (!milter_read_head(octets, UINT32_MAX, &head)) {
			milter_fail(m, id, "nonsense");
			return MILTER_SILENT;
		}
		if (head.letter == MILTER_REPLACE_BODY) {
			*n = head.n;
			return MILTER_HEARD_BODY;
		}
		if (!take_data(m, id, head.n))
			return MILTER_SILENT;
		if (!milter_read_reply(
			head.letter, buf_text(&m->data), m->data.len, reply)) {
			milter_fail(m, id, "nonsense");
			return MILTER_SILENT;
		}
	} while (reply->letter == MILTER_PROGRESS);
	return MILTER_HEARD;
}

size_t
milter_body(
    struct milter *m, const char *id, uint64_t left, struct span *octets)
{
	enum stream_result result = stream_peek(&m->stream, octets);

	if (result != STREAM_OK) {
		fail_to_hear(m, id, result);
		return 0;
	}
	if (octets->len > left)
		octets->len = (size_t)left;
	stream_took(&m->stream, octets->len);
	return octets->len;
}

/* -- the beginning -- */

static bool
negotiate(struct milter *m)
{
	struct buf offer = BUF_INIT(64);
	char octets[MILTER_HEAD];
	struct milter_head head;

	milter_offer(&offer);
	milter_say(m, &offer);
	buf_free(&offer);
	milter_limit(m, m->config->limits.command);
	if (!take(m, NULL, octets, sizeof(octets)))
		return false;
	if (!milter_read_head(octets, 0, &head) ||
	    head.letter != MILTER_NEGOTIATE) {
		milter_fail(m, NULL, "nonsense");
		return false;
	}
	if (!take_data(m, NULL, head.n))
		return false;
	if (!milter_read_options(m->data.data, m->data.len, &m->options)) {
		milter_fail(m, NULL, "it asks for what was not offered");
		return false;
	}
	if (m->options.version < WITH_DATA)
		m->options.steps |= MILTER_NO_DATA;
	if (m->options.version < WITH_UNKNOWN)
		m->options.steps |= MILTER_NO_UNKNOWN;
	return true;
}

bool
milter_connect(struct milter *m)
{
	const char *why;
	int fd;

	/* It may have been started anew since the last message. */
	if (m->state == MILTER_IDLE && stream_has_input(&m->stream))
		hang_up(m);
	if (m->state != MILTER_CLOSED)
		return true;
	m->stage = "connect";
	if (milter_rests(m->index))
		return false;
	fd = milter_reach(m->config,
	    clock_monotonic_ms() + (int64_t)m->config->limits.connect * 1000,
	    &why);
	if (fd == -1) {
		milter_rest(m->index);
		milter_fail(m, NULL, why);
		return false;
	}
	stream_init(&m->stream, fd, fd);
	m->state = MILTER_IDLE;
	return negotiate(m);
}
