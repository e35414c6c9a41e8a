/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* SOCK_NONBLOCK */
#include "deliver/session.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/netaddr.h"
#include "common/self.h"

/* -- what can go wrong -- */

const char *
session_tls(const struct session *s)
{
	return s->tls.summary[0] != '\0' ? s->tls.summary : "no";
}

void
session_drop(struct session *s)
{
	if (session_is_open(s) && s->state != STATE_CONNECT)
		stream_close(&s->stream);
	s->state = STATE_CLOSED;
}

static void
close_with(struct session *s)
{
	if (secure_may_fall_back(s))
		log_event(LEVEL_INFO, "tls failed", log_text("id", s->id),
		    log_text("relay", s->target.relay),
		    log_text("reason", s->failure.text));
	else
		log_event(LEVEL_INFO, "host skipped", log_text("id", s->id),
		    log_text("relay", s->target.relay),
		    log_text("dsn", s->failure.dsn),
		    log_text("reason", s->failure.text));
	session_drop(s);
}

void
session_end(struct session *s, const char *dsn, const char *text)
{
	outcome_set(&s->failure, DEFERRED, dsn, s->target.relay, text);
	s->failure.scope = s->up ? SCOPE_SESSION : SCOPE_HOST;
	close_with(s);
}

void
session_fail(struct session *s, const char *dsn, const char *reason)
{
	char text[256];

	snprintf(
	    text, sizeof(text), "%s while %s", reason, state_phrase(s->state));
	session_end(s, dsn, text);
}

void
session_stop(struct session *s)
{
	s->stopped = true;
	s->again = s->unproven = false; /* nor is it tried in the clear */
	s->learnt = NULL;
	outcome_set(&s->failure, DEFERRED, "4.3.2", s->target.relay,
	    "the suite is stopping");
	s->failure.scope = SCOPE_MESSAGE;
	session_drop(s);
}

/*
 * Where a policy says who the server has to be, what is said before TLS may
 * be anybody's word, and nobody's word bounces mail.
 */
static bool
is_nobody_yet(const struct session *s)
{
	return s->demand != NULL && s->tls.summary[0] == '\0' &&
	    strcmp(policy_verifier(s->demand->policy.level), "no") != 0;
}

void
session_refused(struct session *s)
{
	if (reply_class(&s->reply) < 4) {
		session_fail(s, "4.5.0", "unexpected reply");
		return;
	}
	outcome_reply(&s->failure, &s->reply, s->target.relay);
	s->failure.scope = s->up ? SCOPE_SESSION : SCOPE_HOST;
	if (s->failure.status == FAILED && is_nobody_yet(s)) {
		s->failure.status = DEFERRED;
		s->failure.dsn[0] = '4';
	}
	close_with(s);
}

/* -- replies -- */

void
session_enter(struct session *s, enum session_state state)
{
	s->state = state;
	stream_limit(&s->stream, state_limit_ms(&s->deliver->config, state));
	if (s->bound < s->stream.deadline)
		s->stream.deadline = s->bound;
	s->stream.hurry_ms = state_hurry_ms(state);
}

static bool
read_failed(struct session *s, enum stream_result result)
{
	switch (result) {
	case STREAM_STOP:
		session_stop(s);
		break;
	case STREAM_TIMEOUT:
		session_fail(s, "4.4.2", "timed out");
		break;
	case STREAM_TOO_LONG:
		session_fail(s, "4.5.0", "over-long reply");
		break;
	default:
		session_fail(s, "4.4.2", "lost the connection");
	}
	return false;
}

bool
session_reply(struct session *s, enum session_state state)
{
	enum reply_step step = REPLY_MORE;

	session_enter(s, state);
	reply_init(&s->reply);
	while (step == REPLY_MORE) {
		struct span line;
		bool bare;
		enum stream_result result =
		    stream_line(&s->stream, REPLY_LINE_MAX, &line, &bare);

		if (result != STREAM_OK)
			return read_failed(s, result);
		step = reply_line(&s->reply, line);
		s->unproven = false;
	}
	if (step == REPLY_BAD) {
		session_fail(s, "4.5.0", "no SMTP reply");
		return false;
	}
	if (s->reply.code == 421) {
		session_refused(s);
		return false;
	}
	return true;
}

bool
session_in_step(struct session *s)
{
	if (!stream_has_input(&s->stream))
		return true;
	if (session_reply(s, STATE_READY))
		session_fail(s, "4.5.0", "the server spoke out of turn");
	return false;
}

/* -- the steps to a session -- */

static int
connect_socket(struct session *s)
{
	const struct sockaddr_storage *to = &s->target.address;
	struct sockaddr_storage from;
	int fd = socket(
	    to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	if ((self_source(&s->deliver->config, to->ss_family, &from) &&
		bind(fd, (struct sockaddr *)&from, netaddr_size(&from)) ==
		    -1) ||
	    (connect(fd, (const struct sockaddr *)to, netaddr_size(to)) == -1 &&
		errno != EINPROGRESS)) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* 0, or the errno of a connection that did not come about; stop: ECANCELED. */
static int
await_connection(int fd, int stop_fd, int64_t deadline)
{
	struct pollfd pollers[2] = {{.fd = fd, .events = POLLOUT},
	    {.fd = stop_fd, .events = POLLIN}};
	socklen_t size = sizeof(int);
	int n, error = 0;

	do
		n = poll(pollers, 2, clock_left(deadline));
	while (n == -1 && errno == EINTR);
	if (n == 0)
		return ETIMEDOUT;
	if (n > 0 && pollers[1].revents != 0)
		return ECANCELED;
	if (n == -1 ||
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1)
		return errno;
	return error;
}

static bool
step_connect(struct session *s)
{
	int64_t limit = state_limit_ms(&s->deliver->config, STATE_CONNECT);
	int fd = connect_socket(s), error, on = 1;

	if (fd == -1) {
		session_fail(s, "4.4.1", strerror(errno));
		return false;
	}
	error = await_connection(
	    fd, s->deliver->stop_fd, clock_monotonic_ms() + limit);
	if (error != 0) {
		close(fd);
		if (error == ECANCELED)
			session_stop(s);
		else
			session_fail(s, "4.4.1", strerror(error));
		return false;
	}
	/* commands are collected here already; none is to wait for an ACK */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	stream_init(&s->stream, fd, fd);
	s->stream.hurry_fd = s->deliver->stop_fd;
	s->state = STATE_GREETING;
	return true;
}

static bool
step_greeting(struct session *s)
{
	if (!session_reply(s, STATE_GREETING))
		return false;
	if (s->reply.code != 220) {
		session_refused(s);
		return false;
	}
	return session_in_step(s);
}

/* A server that knows no EHLO says 5xx (section 3.2); 4xx is for later. */
bool
session_hello(struct session *s)
{
	const char *name = s->deliver->config.hostname;

	s->caps = (struct caps){.pipelining = false};
	stream_printf(&s->stream, "EHLO %s\r\n", name);
	if (!session_reply(s, STATE_EHLO))
		return false;
	if (s->reply.code == 250) {
		caps_read(&s->caps, &s->reply);
		return true;
	}
	if (reply_class(&s->reply) == 5) {
		stream_printf(&s->stream, "HELO %s\r\n", name);
		if (!session_reply(s, STATE_HELO))
			return false;
		if (s->reply.code == 250)
			return true;
	}
	session_refused(s);
	return false;
}

static bool
come_up(struct session *s)
{
	static bool (*const steps[])(struct session *) = {step_connect,
	    secure_at_once, step_greeting, session_hello, secure_by_command,
	    session_login};

	s->state = STATE_CONNECT;
	s->tls = (struct tls_info){.bits = 0};
	s->verified = "no";
	s->again = s->unproven = false;
	s->login[0] = '\0';
	s->failure.status = OUTCOME_NONE;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (!steps[i](s))
			return false;
	s->state = STATE_READY;
	s->up = true;
	return true;
}

bool
session_open(struct session *s, const struct target *target,
    struct demand *demand, const char *id)
{
	bool open;

	s->target = *target;
	s->demand = demand;
	demand_mark(demand, &s->mark);
	s->up = s->dirty = false;
	s->transactions = 0;
	s->learnt = NULL;
	s->id = id;
	s->decided = clock_monotonic_ms();
	snprintf(s->reason, sizeof(s->reason), "%s", demand->policy.reason);
	open = come_up(s);
	if (!open && secure_may_fall_back(s)) {
		s->learnt = "broken";
		demand_nothing(demand);
		snprintf(s->reason, sizeof(s->reason), "%.*s",
		    (int)sizeof(s->reason) - 1, s->failure.text);
		open = come_up(s);
	}
	secure_remember(s);
	s->demand = NULL;
	if (open)
		log_event(LEVEL_INFO, "connected", log_text("id", s->id),
		    log_text("relay", s->target.relay),
		    log_text("tls", session_tls(s)),
		    log_text("verified", s->verified),
		    log_text("auth", s->login[0] != '\0' ? s->login : NULL),
		    log_text("reason", s->reason));
	return open;
}

void
session_quit(struct session *s)
{
	struct span line;
	bool bare;

	if (!session_is_open(s))
		return;
	session_enter(s, STATE_QUIT);
	stream_puts(&s->stream, "QUIT\r\n");
	(void)stream_line(&s->stream, REPLY_LINE_MAX, &line, &bare);
	session_drop(s);
}
