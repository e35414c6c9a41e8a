/* SPDX-License-Identifier: ISC */
#include "deliver/session.h"

enum {
	DEFAULT_TIMEOUT = 300, /* what the rows go with, in seconds */
	CONNECT_LIMIT = 30,
	QUIT_LIMIT = 2,
	/*
	 * When the suite stops, milliseconds.  What has begun well ends well;
	 * whom we told the end of data may have the message already, and then
	 * gets it twice if we do not hear his reply.
	 */
	HURRY_TRANSACTION = 1000,
	HURRY_DOT = 5000,
	HURRY_QUIT = 250
};

/* Seconds and, for a log line, what we were doing. */
static const struct {
	int64_t seconds;
	const char *phrase;
} rows[SESSION_STATES] = {
    [STATE_CONNECT] = {CONNECT_LIMIT, "connecting"},
    [STATE_GREETING] = {300, "waiting for the greeting"},
    [STATE_EHLO] = {300, "waiting for the reply to EHLO"},
    [STATE_HELO] = {300, "waiting for the reply to HELO"},
    [STATE_STARTTLS] = {300, "waiting for the reply to STARTTLS"},
    [STATE_TLS] = {60, "negotiating TLS"},
    [STATE_LOGIN] = {300, "logging in"},
    [STATE_READY] = {300, "between transactions"},
    [STATE_MAIL] = {300, "waiting for the reply to MAIL"},
    [STATE_RCPT] = {300, "waiting for the reply to RCPT"},
    [STATE_DATA] = {120, "waiting for the reply to DATA"},
    [STATE_CONTENT] = {180, "sending the message"},
    [STATE_DOT] = {600, "waiting for the reply to the end of data"},
    [STATE_RSET] = {300, "waiting for the reply to RSET"},
    [STATE_QUIT] = {QUIT_LIMIT, "saying goodbye"},
    [STATE_CLOSED] = {0, "closed"},
};

int64_t
state_limit_ms(const struct config *config, enum session_state state)
{
	int64_t scaled = rows[state].seconds * 1000 *
	    (int64_t)config->smtp_timeout / DEFAULT_TIMEOUT;
	int64_t fixed = rows[state].seconds * 1000;

	if (state != STATE_CONNECT && state != STATE_QUIT)
		return scaled;
	/* these two have no reason ever to be longer */
	return (int64_t)config->smtp_timeout * 1000 < fixed
	    ? (int64_t)config->smtp_timeout * 1000
	    : fixed;
}

int64_t
state_hurry_ms(enum session_state state)
{
	switch (state) {
	case STATE_MAIL:
	case STATE_RCPT:
	case STATE_DATA:
	case STATE_CONTENT:
		return HURRY_TRANSACTION;
	case STATE_DOT:
		return HURRY_DOT;
	case STATE_QUIT:
		return HURRY_QUIT;
	default:
		return 0;
	}
}

const char *
state_phrase(enum session_state state)
{
	return rows[state].phrase;
}
