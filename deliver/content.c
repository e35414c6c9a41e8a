/* SPDX-License-Identifier: ISC */
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

enum content_result
content_send(struct session *s, const struct job *job)
{
	static char in[CHUNK], out[DOT_WRITE_SIZE(CHUNK)];
	struct dot_writer writer;
	uint64_t at = job->start;
	enum stream_result result;

	dot_writer_init(&writer, true);
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
