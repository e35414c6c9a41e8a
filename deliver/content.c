/* SPDX-License-Identifier: ISC */
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/lines.h"
#include "deliver/session.h"

enum { CHUNK = 16384 };

/*
 * A server that gives up in the middle says why before it closes.  What it
 * said is the failure then; without the end of data nothing was accepted.
 */
static enum content_result
stopped(struct session *s, enum stream_result result)
{
	if (stream_must_stop(&s->stream))
		session_stop(s);
	else if (result == STREAM_TIMEOUT)
		session_fail(s, "4.4.2", "timed out");
	else if (stream_has_input(&s->stream)) {
		s->stream.broken = false; /* there is nothing left to write */
		if (session_reply(s, STATE_CONTENT))
			session_refused(s);
	} else
		session_fail(s, "4.4.2", "lost the connection");
	return CONTENT_STOPPED;
}

/*
 * Collected, written when there is enough of it: the end of a small message
 * leaves in one packet with the rest.
 */
static enum stream_result
send_chunk(struct session *s, const char *octets, size_t n)
{
	session_enter(s, STATE_CONTENT);
	stream_put(&s->stream, octets, n);
	if (!s->stream.broken)
		return STREAM_OK;
	return stream_left(&s->stream) == 0 ? STREAM_TIMEOUT : STREAM_ERROR;
}

/* They stand in front: what is signed begins behind them. */
static enum stream_result
send_signatures(
    struct session *s, const struct job *job, struct dot_writer *writer)
{
	static char out[DOT_WRITE_SIZE(SIGNATURE_MAX + 1)];
	enum stream_result result = STREAM_OK;

	for (size_t i = 0; i < job->nsignatures && result == STREAM_OK; i++) {
		const char *text = job->signatures[i];
		size_t n = dot_write(writer, text, strlen(text), out);

		n += dot_write(writer, "\n", 1, out + n);
		result = send_chunk(s, out, n);
	}
	return result;
}

enum content_result
content_send(struct session *s, const struct job *job)
{
	static char in[CHUNK], out[DOT_WRITE_SIZE(CHUNK)];
	struct dot_writer writer;
	uint64_t at = job->start;
	enum stream_result result;

	dot_writer_init(&writer, true);
	result = send_signatures(s, job, &writer);
	if (result != STREAM_OK)
		return stopped(s, result);
	while (at < job->size) {
		size_t want =
		    job->size - at < CHUNK ? (size_t)(job->size - at) : CHUNK;
		ssize_t n = pread(job->content, in, want, (off_t)at);

		if (n <= 0)
			return CONTENT_UNREADABLE;
		at += (uint64_t)n;
		result =
		    send_chunk(s, out, dot_write(&writer, in, (size_t)n, out));
		if (result != STREAM_OK)
			return stopped(s, result);
	}
	result = send_chunk(s, out, dot_write_end(&writer, out, true));
	if (result == STREAM_OK)
		result = stream_flush(&s->stream);
	return result == STREAM_OK ? CONTENT_SENT : stopped(s, result);
}
