/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* explicit_bzero */
#include "common/sasl_talk.h"

#include <string.h>

#include "common/base64.h"

struct talk {
	struct sasl_server *server;
	struct stream *stream;
	const char *prefix;
	struct buf challenge;
	size_t n; /* octets of response */
	char response[SASL_RESPONSE_MAX];
};

static enum sasl_talk
decode(struct talk *t, const char *text, size_t n)
{
	if (n / 4 * 3 > sizeof(t->response))
		return SASL_TALK_TOO_LONG;
	return base64_decode(text, n, t->response, &t->n)
	    ? SASL_TALK_ENDED
	    : SASL_TALK_BAD_BASE64;
}

static void
say_challenge(struct talk *t)
{
	char text[BASE64_LENGTH(SASL_CHALLENGE_MAX) + 1];

	base64_encode(t->challenge.data, t->challenge.len, text);
	stream_puts(t->stream, t->prefix);
	stream_puts(t->stream, text);
	stream_puts(t->stream, "\r\n");
}

/* SASL_TALK_ENDED here: there is a response. */
static enum sasl_talk
hear_response(struct talk *t, enum stream_result *result)
{
	enum sasl_talk outcome;
	struct span line;
	bool bare;

	*result = stream_line(t->stream, SASL_LINE_MAX, &line, &bare);
	if (*result == STREAM_TOO_LONG)
		return SASL_TALK_TOO_LONG;
	if (*result != STREAM_OK)
		return SASL_TALK_LOST;
	if (bare)
		outcome = SASL_TALK_BARE;
	else if (line.len == 1 && line.data[0] == '*')
		outcome = SASL_TALK_CANCELLED;
	else
		outcome = decode(t, line.data, line.len);
	stream_wipe(t->stream);
	return outcome;
}

static enum sasl_talk
converse(struct talk *t, const char *initial, enum stream_result *result)
{
	const char *response = NULL;
	enum sasl_talk outcome;
	enum sasl_step step;

	if (initial[0] != '\0') {
		if (strcmp(initial, "=") == 0)
			initial = "";
		outcome = decode(t, initial, strlen(initial));
		if (outcome != SASL_TALK_ENDED)
			return outcome;
		response = t->response;
	}
	while ((step = sasl_server_step(
		    t->server, response, t->n, &t->challenge)) == SASL_MORE) {
		say_challenge(t);
		outcome = hear_response(t, result);
		if (outcome != SASL_TALK_ENDED)
			return outcome;
		response = t->response;
	}
	return step == SASL_END        ? SASL_TALK_ENDED
	    : step == SASL_NOT_INITIAL ? SASL_TALK_NOT_INITIAL
				       : SASL_TALK_MALFORMED;
}

enum sasl_talk
sasl_talk(struct sasl_server *server, struct stream *stream, const char *prefix,
    const char *initial, enum stream_result *result)
{
	struct talk t = {.server = server,
	    .stream = stream,
	    .prefix = prefix,
	    .challenge = BUF_INIT(SASL_CHALLENGE_MAX)};
	int stop_fd = stream->stop_fd;
	enum sasl_talk outcome;

	/* Who has begun to log in may end it. */
	stream->stop_fd = -1;
	*result = STREAM_OK;
	outcome = converse(&t, initial, result);
	stream->stop_fd = stop_fd;
	buf_free(&t.challenge);
	explicit_bzero(&t, sizeof(t));
	return outcome;
}
