/* SPDX-License-Identifier: ISC */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/proxy.h"
#include "common/sasl_talk.h"
#include "pop3d/pop3.h"

/* -- answers -- */

__attribute__((format(printf, 3, 0))) static void
reply(struct pop3 *p, const char *status, const char *format, va_list args)
{
	char line[POP3_RESPONSE_MAX - sizeof("-ERR \r\n") + 2];

	vsnprintf(line, sizeof(line), format, args);
	stream_printf(&p->stream, "%s %s\r\n", status, line);
}

void
pop3_ok(struct pop3 *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	reply(p, "+OK", format, args);
	va_end(args);
}

void
pop3_error(struct pop3 *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	reply(p, "-ERR", format, args);
	va_end(args);
	if (++p->errors >= p->config->max_errors)
		pop3_end(p, "too many errors");
}

void
pop3_failure(struct pop3 *p, const char *text)
{
	stream_printf(&p->stream, "-ERR [SYS/TEMP] %s\r\n", text);
}

void
pop3_end(struct pop3 *p, const char *why)
{
	if (p->ended == NULL)
		p->ended = why;
}

/* -- the conversation -- */

static bool
has_nul(struct span line)
{
	return line.len > 0 && memchr(line.data, '\0', line.len) != NULL;
}

void
pop3_lost(struct pop3 *p, enum stream_result result)
{
	switch (result) {
	case STREAM_EOF:
		pop3_end(p, "disconnected");
		break;
	case STREAM_TIMEOUT:
		pop3_end(p, "timeout");
		break;
	default:
		pop3_end(p, "connection lost");
	}
}

/*
 * The autologout timer of RFC 1939 section 3.  It runs from command to
 * command; for one who has not logged in, over all of that, so that nobody
 * keeps a process by saying something now and then.
 */
static void
wind_clock(struct pop3 *p)
{
	if (p->state == POP3_TRANSACTION)
		stream_limit(
		    &p->stream, (int64_t)p->config->pop3_timeout * 1000);
}

static void
serve_line(struct pop3 *p)
{
	struct span line;
	enum stream_result result;
	bool bare;

	wind_clock(p);
	result = stream_line(&p->stream, SASL_LINE_MAX, &line, &bare);
	switch (result) {
	case STREAM_OK:
		if (has_nul(line))
			pop3_error(p, "a command has no NUL in it");
		else
			pop3_command(p, line);
		break;
	case STREAM_TOO_LONG:
		pop3_error(
		    p, "a command has at most %d octets", POP3_COMMAND_MAX);
		break;
	default:
		pop3_lost(p, result);
	}
}

static void
note_client(struct pop3 *p, const struct sockaddr_storage *address, int fd)
{
	netaddr_format(address, p->client);
	if (address->ss_family == AF_UNSPEC)
		return;
	/* Replies leave when they are flushed, not when the last ones were
	 * acknowledged. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	p->plaintext_allowed =
	    config_net_contains(&p->config->allow_plaintext_auth, address);
}

/* The timestamp that APOP is about stands at the end (RFC 1939 section 7). */
static void
greet(struct pop3 *p)
{
	const char *hostname = p->config->hostname;

	if (p->config->apop &&
	    sasl_timestamp(hostname, p->timestamp, sizeof(p->timestamp)))
		pop3_ok(p, "%s POP3 service ready %s", hostname, p->timestamp);
	else
		pop3_ok(p, "%s POP3 service ready", hostname);
}

static void
log_session(const struct pop3 *p, int64_t began)
{
	struct tls_info tls;

	log_event(LEVEL_INFO, "session ended", log_text("client", p->client),
	    log_text("tls", tls_info(&p->stream, &tls) ? tls.summary : NULL),
	    log_text("auth", p->login[0] != '\0' ? p->login : NULL),
	    log_number("retrieved", (int64_t)p->retrieved),
	    log_number("size", (int64_t)p->retrieved_octets),
	    log_number("deleted", (int64_t)p->removed),
	    log_delay("delay", clock_monotonic_ms() - began),
	    log_text("reason", p->ended));
}

static void
converse(struct pop3 *p)
{
	/* RFC 8314 section 3.3: before anything is said. */
	if (listener_begins_with_tls(p->kind) && !pop3_shake(p))
		return;
	greet(p);
	while (p->ended == NULL)
		serve_line(p);
}

bool
pop3_serve(const struct pop3_world *world, enum listener_kind kind,
    const struct proxy_client *client, int in, int out)
{
	struct pop3 p = {.config = world->config,
	    .kind = kind,
	    .tls = world->tls,
	    .state = POP3_AUTHORIZATION,
	    .userdb = world->userdb,
	    .drop.fd = -1};
	int64_t began = clock_monotonic_ms();

	stream_init(&p.stream, in, out);
	note_client(&p, &client->address, in);
	stream_limit(&p.stream, (int64_t)p.config->pop3_timeout * 1000);
	converse(&p);
	(void)stream_flush(&p.stream);
	log_session(&p, began);
	if (p.drop.fd != -1)
		maildrop_end(&p.drop);
	stream_close(&p.stream);
	return !p.saw_password;
}
