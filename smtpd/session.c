/* SPDX-License-Identifier: ISC */
#include "smtpd/session.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/tls_service.h"
#include "smtpd/command.h"
#include "smtpd/conduct.h"
#include "smtpd/milters.h"
#include "smtpd/starttls.h"

enum {
	LINE_MAX_COMMAND = 512, /* RFC 5321 section 4.5.3.1.4, with CRLF */
	LINE_MAX_PATH = 2048,   /* and its parameters */
	LINE_MAX_AUTH = 12288,  /* RFC 4954 section 4 */
	FRUITLESS_MAX = 100,
	DRAIN_MS = 5000
};

/* -- the log -- */

#define TEXT_OR_NULL(text) ((text)[0] != '\0' ? (text) : NULL)

/* What the client chose stands behind its address, and cannot pose as it. */
#define ABOUT(s)                                                               \
	log_text("client", (s)->client.text),                                  \
	    log_text("helo", TEXT_OR_NULL((s)->helo)),                         \
	    log_text("tls", TEXT_OR_NULL((s)->protection)),                    \
	    log_text("auth", TEXT_OR_NULL((s)->login)),                        \
	    log_address("from",                                                \
		(s)->transaction.open ? (s)->transaction.sender_text : NULL)

void
session_log_refusal(struct session *s, const char *id, const char *recipient,
    enum verdict verdict)
{
	const struct verdict_row *row = verdict_row(verdict);

	log_event(LEVEL_INFO, "refused", log_text("id", id), ABOUT(s),
	    log_address("to", recipient), SESSION_JUDGED(s),
	    log_text("dsn", row->enhanced), log_text("reason", row->text));
}

void
session_log_filter(struct session *s, const char *id, const char *recipient,
    const char *filter, const struct milter_refusal *r)
{
	log_event(LEVEL_INFO, "refused", log_text("id", id), ABOUT(s),
	    log_address("to", recipient), SESSION_JUDGED(s),
	    log_text("dsn", r->enhanced), log_text("reason", r->text),
	    log_text("filter", filter));
}

void
session_log_malformed(
    struct session *s, const char *argument, const struct reply *wrong)
{
	log_event(LEVEL_INFO, "refused", ABOUT(s), log_text("what", argument),
	    log_text("dsn", wrong->enhanced), log_text("reason", wrong->text));
}

/* -- replies -- */

void
session_reply(
    struct session *s, int smtp, const char *enhanced, const char *text)
{
	stream_printf(&s->stream, "%d %s %s\r\n", smtp, enhanced, text);
}

void
session_refuse(
    struct session *s, int smtp, const char *enhanced, const char *text)
{
	s->errors++;
	session_reply(s, smtp, enhanced, text);
}

void
session_close(
    struct session *s, int smtp, const char *enhanced, const char *text)
{
	session_reply(s, smtp, enhanced, text);
	log_event(LEVEL_INFO, "session closed", ABOUT(s),
	    log_text("dsn", enhanced), log_text("reason", text));
	s->closing = true;
}

void
session_verdict_text(struct session *s, enum verdict verdict, const char *text)
{
	const struct verdict_row *row = verdict_row(verdict);

	if (row->smtp / 100 == 5)
		s->errors++;
	session_reply(
	    s, row->smtp, row->enhanced, text[0] != '\0' ? text : row->text);
	s->closing |= policy_closes(verdict);
}

void
session_verdict(struct session *s, enum verdict verdict)
{
	session_verdict_text(s, verdict, "");
}

void
session_lost(struct session *s, const char *id, enum stream_result result)
{
	static const char *const reasons[] = {
	    [STREAM_EOF] = "connection closed",
	    [STREAM_TIMEOUT] = "timeout",
	    [STREAM_ERROR] = "connection broken",
	};

	if (result == STREAM_TIMEOUT)
		session_reply(s, 421, "4.4.2", "timeout, closing connection");
	s->closing = true;
	/* To go without QUIT costs nobody a message. */
	if (result == STREAM_EOF && !s->transaction.open)
		return;
	log_event(LEVEL_INFO, "session lost", log_text("id", id), ABOUT(s),
	    log_text("reason", reasons[result]));
}

void
session_reset(struct session *s)
{
	struct transaction *t = &s->transaction;

	milters_reset(s);
	for (size_t i = 0; i < t->nrecipients; i++) {
		free(t->recipients[i]);
		free((char *)t->asked[i].orcpt);
	}
	free(t->recipients);
	free(t->asked);
	tallies_forget(&t->mailboxes);
	free(t->key);
	free(t->spf_result);
	*t = (struct transaction){.open = false};
}

/* -- short commands -- */

static void
smtp_rset(struct session *s, const char *argument)
{
	(void)argument;
	session_reset(s);
	session_reply(s, 250, "2.0.0", "ok");
}

static void
smtp_noop(struct session *s, const char *argument)
{
	(void)argument;
	session_reply(s, 250, "2.0.0", "ok");
}

/* The same for every name: nobody learns who exists (A26). */
static void
smtp_vrfy(struct session *s, const char *argument)
{
	if (argument[0] == '\0')
		session_refuse(s, 501, "5.5.4", "syntax: VRFY address");
	else
		session_reply(s, 252, "2.5.0",
		    "cannot verify, but will take a message and try");
}

static void
smtp_help(struct session *s, const char *argument)
{
	(void)argument;
	session_reply(s, 214, "2.0.0", "see RFC 5321 and smtpd(8)");
}

static void
smtp_quit(struct session *s, const char *argument)
{
	(void)argument;
	session_reply(s, 221, "2.0.0", "bye");
	s->closing = true;
}

static void
not_implemented(struct session *s, const char *argument)
{
	(void)argument;
	session_refuse(s, 502, "5.5.1", "command not implemented");
}

static void
unknown(struct session *s, const char *argument)
{
	(void)argument;
	if (milters_unknown(s, s->line.data))
		session_refuse(s, 500, "5.5.1", "unknown command");
	else
		milters_refuse(s, NULL, NULL);
}

/* A browser or another tool was made to talk to us (A6). */
static void
wrong_protocol(struct session *s, const char *argument)
{
	(void)argument;
	session_close(s, 554, "5.5.1", "this is SMTP");
}

/* -- the command table -- */

enum {
	AFTER_HELO = 1, /* not before HELO or EHLO */
	ALONE = 2,      /* nothing may be sent behind it before its answer */
	FRUITLESS = 4,  /* too many without a message are a nuisance (A21) */
	SECRET = 8,     /* a password may stand in it, however it is answered */
	GUARDED = 16,   /* ALONE, whatever the config tolerates (A3) */
	LAST = 32       /* nothing is read behind it */
};

struct command {
	const char *verb;
	void (*run)(struct session *, const char *argument);
	size_t limit; /* octets of the line with its CRLF */
	unsigned flags;
};

static const struct command commands[] = {
    {"HELO", smtp_helo, LINE_MAX_COMMAND, ALONE | FRUITLESS},
    {"EHLO", smtp_ehlo, LINE_MAX_COMMAND, ALONE | FRUITLESS},
    {"MAIL", smtp_mail, LINE_MAX_PATH, AFTER_HELO | FRUITLESS},
    {"RCPT", smtp_rcpt, LINE_MAX_PATH, AFTER_HELO},
    {"DATA", smtp_data, LINE_MAX_COMMAND, AFTER_HELO | ALONE},
    {"AUTH", smtp_auth, LINE_MAX_AUTH, AFTER_HELO | GUARDED | SECRET},
    {"RSET", smtp_rset, LINE_MAX_COMMAND, FRUITLESS},
    {"NOOP", smtp_noop, LINE_MAX_COMMAND, FRUITLESS},
    {"VRFY", smtp_vrfy, LINE_MAX_PATH, FRUITLESS},
    {"HELP", smtp_help, LINE_MAX_COMMAND, FRUITLESS},
    {"QUIT", smtp_quit, LINE_MAX_COMMAND, LAST},
    {"EXPN", not_implemented, LINE_MAX_COMMAND, 0},
    {"ETRN", not_implemented, LINE_MAX_COMMAND, 0},
    {"TURN", not_implemented, LINE_MAX_COMMAND, 0},
    {"BDAT", not_implemented, LINE_MAX_COMMAND, 0},
    /* RFC 3207 section 4. */
    {"STARTTLS", smtp_starttls, LINE_MAX_COMMAND, GUARDED | FRUITLESS},
    {NULL, unknown, LINE_MAX_COMMAND, 0},
};

static const struct command *
find_command(const char *verb)
{
	static const struct command foreign = {
	    "", wrong_protocol, LINE_MAX_AUTH, 0};
	const struct command *c = commands;

	if (command_is_foreign(verb))
		return &foreign;
	while (c->verb != NULL && strcmp(c->verb, verb) != 0)
		c++;
	return c;
}

static void
run_command(struct session *s, size_t length)
{
	char verb[COMMAND_VERB_MAX + 1];
	const char *argument = command_split(s->line.data, verb);
	const struct command *c = find_command(verb);

	if (c->flags & SECRET)
		s->saw_password = true;
	if ((c->flags & FRUITLESS) && ++s->fruitless > FRUITLESS_MAX)
		s->errors++;
	if (length > c->limit)
		session_refuse(s, 500, "5.5.2", "line too long");
	else if (!(c->flags & LAST) &&
	    conduct_runs_ahead(s, c->flags & ALONE, c->flags & GUARDED))
		return;
	else if ((c->flags & AFTER_HELO) && s->helo[0] == '\0')
		session_refuse(s, 503, "5.5.1", "say HELO or EHLO first");
	else
		c->run(s, argument);
}

static void
take_line(struct session *s, struct span line, bool bare)
{
	enum command_fault fault = command_check(line);

	buf_reset(&s->line);
	if (fault == COMMAND_NUL)
		session_close(s, 500, "5.5.2", "NUL in command");
	else if (bare && !policy_tolerates(&s->facts, TOLERATE_BARE_LINE_ENDS))
		session_refuse(s, 500, "5.5.2", "end lines with CR LF");
	else if (fault != COMMAND_FINE)
		session_refuse(s, 500, "5.5.2", "bad character in command");
	else if (!buf_add(&s->line, line.data, line.len) ||
	    buf_text(&s->line) == NULL)
		session_close(s, 421, "4.3.0", "out of memory");
	else
		run_command(s, line.len + 2);
}

/* -- the session -- */

/*
 * The service is being stopped or replaced.  Whoever is in a transaction
 * may end it; the others have a moment to begin one.
 */
static void
drain(struct session *s)
{
	s->stream.stop_fd = -1;
	s->draining = true;
}

/*
 * For the next command.  Nobody keeps a process by saying now and then what
 * leads nowhere (A21).
 */
static void
wind_clock(struct session *s)
{
	int64_t ms = (int64_t)s->config->smtp_timeout * 1000;
	int64_t end = s->fruitful + SESSION_PATIENCE * ms;

	if (s->draining && !s->transaction.open && ms > DRAIN_MS)
		ms = DRAIN_MS;
	stream_limit(&s->stream, ms);
	if (s->stream.deadline > end)
		s->stream.deadline = end;
}

bool
session_is_in_the_way(const struct session *s, int64_t since, int64_t ms)
{
	return s->world->is_pressed != NULL &&
	    clock_monotonic_ms() - since >= ms &&
	    s->world->is_pressed(s->world->worker);
}

/*
 * While all processes are busy and others wait, nobody has one for saying
 * nothing, nor for long without a message.  STREAM_TIMEOUT, with *pressed:
 * it is such a one.
 */
static enum stream_result
await_line(struct session *s, struct span *line, bool *bare, bool *pressed)
{
	int64_t busy_ms = (int64_t)s->config->busy_timeout * 1000;
	int64_t began = clock_monotonic_ms(), deadline = s->stream.deadline;
	enum stream_result result;

	*pressed = !s->transaction.open &&
	    session_is_in_the_way(s, s->fruitful, SESSION_PATIENCE * busy_ms);
	if (*pressed)
		return STREAM_TIMEOUT;
	do {
		int64_t next = clock_monotonic_ms() + busy_ms;

		s->stream.deadline = next < deadline ? next : deadline;
		result = stream_line(&s->stream, LINE_MAX_AUTH, line, bare);
		*pressed = result == STREAM_TIMEOUT &&
		    session_is_in_the_way(s, began, busy_ms);
	} while (result == STREAM_TIMEOUT && !*pressed &&
	    s->stream.deadline < deadline);
	return result;
}

static void
next_command(struct session *s)
{
	unsigned errors = s->errors;
	struct span line;
	bool bare, pressed;
	enum stream_result result;

	wind_clock(s);
	result = await_line(s, &line, &bare, &pressed);
	switch (result) {
	case STREAM_OK:
		take_line(s, line, bare);
		break;
	case STREAM_TOO_LONG:
		session_refuse(s, 500, "5.5.2", "line too long");
		break;
	case STREAM_STOP:
		drain(s);
		break;
	case STREAM_TIMEOUT:
		if (s->draining || pressed) {
			session_close(s, 421, "4.3.2",
			    s->draining ? "closing down"
					: "others wait for their turn");
			break;
		}
		/* FALLTHROUGH */
	default:
		session_lost(s, NULL, result);
	}
	if (!s->closing && s->errors > errors)
		conduct_after_error(s);
}

/* Then what has come is the answer to that. */
static bool
was_greeted(const struct session *s)
{
	return s->arrival != NULL && s->arrival->greeted;
}

/* Before anything is said (RFC 8314 section 3.3). */
static bool
begin_tls(struct session *s)
{
	if (!listener_begins_with_tls(s->facts.listener))
		return true;
	return starttls_shake(s);
}

static void
converse(struct session *s)
{
	if (!begin_tls(s))
		return;
	if (!was_greeted(s) && conduct_talks_first(s))
		return;
	if (!owners_connect(s->owners)) {
		session_close(s, 421, "4.3.0", "not ready, try again later");
		return;
	}
	if (!was_greeted(s))
		stream_printf(&s->stream, "220 %s ESMTP Postrider\r\n",
		    s->config->hostname);
	while (!s->closing)
		next_command(s);
}

static void
prepare_socket(int fd)
{
	int on = 1;

	/* Fail where fd is no TCP socket, and it does not matter. */
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

bool
session_serve(const struct session_world *world, enum listener_kind kind,
    const struct arrival *arrival, int fd, int stop_fd)
{
	struct session s = {.config = world->config,
	    .owners = world->owners,
	    .dns = world->dns,
	    .tls = world->tls,
	    .world = world,
	    .arrival = arrival,
	    .line = BUF_INIT(LINE_MAX_AUTH + 1),
	    .fruitful = clock_monotonic_ms(),
	    .facts = {.listener = kind}};

	prepare_socket(fd);
	stream_init(&s.stream, fd, fd);
	s.stream.stop_fd = stop_fd;
	client_init(&s, fd);
	converse(&s);
	stream_limit(&s.stream, (int64_t)world->config->smtp_timeout * 1000);
	(void)stream_flush(&s.stream);
	session_reset(&s);
	milters_end(&s);
	stream_close(&s.stream);
	buf_free(&s.line);
	owners_forget_login(world->owners);
	return !s.saw_password;
}
