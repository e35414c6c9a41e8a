/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/netaddr.h"
#include "smtpd/command.h"
#include "smtpd/milter_macros.h"
#include "smtpd/milters.h"
#include "smtpd/session.h"

/* The steps before the message: who the client is, MAIL, RCPT, DATA. */

enum { PACKETS_MAX = 256 * 1024 };

/* An answer that only the body may have. */
static enum milter_step
no_skip(struct milter *m, const char *id, enum milter_step step)
{
	if (step != STEP_SKIP)
		return step;
	milter_fail(m, id, "nonsense");
	return STEP_FAILED;
}

/* -- who the client is -- */

static enum milter_step
introduce(struct milters *all, struct milter *m, struct session *s)
{
	const struct milter_macros macros = {.session = s};
	const struct client *c = &s->client;
	struct buf packets = BUF_INIT(PACKETS_MAX);
	const char *name = client_name(s);
	enum milter_step step;
	size_t begun;

	m->stage = "connect";
	milter_macros_add(&packets, &macros, MILTER_CONNECT, MILTER_AT_CONNECT,
	    m->options.macros[MILTER_AT_CONNECT]);
	begun = milter_begin(&packets, MILTER_CONNECT);
	milter_string(&packets, name[0] != '\0' ? name : "unknown");
	if (c->address.ss_family == AF_UNSPEC) {
		buf_addc(&packets, 'U');
	} else {
		buf_addc(
		    &packets, c->address.ss_family == AF_INET6 ? '6' : '4');
		milter_u16(&packets, netaddr_port(&c->address));
		milter_string(&packets, c->text);
	}
	milter_end(&packets, begun);
	step = milters_put(all, m, &packets, MILTER_MUTE_CONNECT, NULL);
	buf_free(&packets);
	return step;
}

static enum milter_step
greet(struct milters *all, struct milter *m, struct session *s)
{
	const struct milter_macros macros = {.session = s};
	struct buf packets = BUF_INIT(PACKETS_MAX);
	enum milter_step step;
	size_t begun;

	m->stage = "helo";
	milter_macros_add(&packets, &macros, MILTER_HELO, MILTER_AT_HELO,
	    m->options.macros[MILTER_AT_HELO]);
	begun = milter_begin(&packets, MILTER_HELO);
	milter_string(&packets, s->helo);
	milter_end(&packets, begun);
	step = milters_put(all, m, &packets, MILTER_MUTE_HELO, NULL);
	buf_free(&packets);
	return step;
}

typedef enum milter_step teller(
    struct milters *, struct milter *, struct session *);

/*
 * Of a client nothing can be thrown away.  A filter that refuses one is asked
 * anew, over another connection, when it tries again.
 */
static enum milter_step
tell(struct milters *all, struct milter *m, struct session *s, teller *told,
    uint32_t unwanted, bool *done)
{
	enum milter_step step = STEP_ON;

	if (*done)
		return STEP_ON;
	if ((m->options.steps & unwanted) == 0)
		step = no_skip(m, NULL, told(all, m, s));
	if (step == STEP_DISCARD) {
		milter_fail(m, NULL, "nonsense");
		return STEP_FAILED;
	}
	if (step == STEP_REFUSED)
		milter_quit(m);
	else if (step != STEP_FAILED)
		*done = true;
	return step;
}

/* -- MAIL -- */

static void
add_mail(struct buf *out, const struct session *s, const struct mail_command *c)
{
	size_t begun = milter_begin(out, MILTER_MAIL);

	buf_addf(out, "<%s>", s->transaction.sender_text);
	buf_addc(out, '\0');
	if (c->has_size) {
		buf_addf(out, "SIZE=%" PRIu64, c->size);
		buf_addc(out, '\0');
	}
	if (c->body_8bit)
		milter_string(out, "BODY=8BITMIME");
	if (c->utf8)
		milter_string(out, "SMTPUTF8");
	milter_end(out, begun);
}

static enum milter_step
ask_mail(struct milters *all, struct milter *m, struct session *s,
    const struct mail_command *command)
{
	const struct milter_macros macros = {.session = s};
	struct buf packets = BUF_INIT(PACKETS_MAX);
	enum milter_step step;

	m->stage = "mail";
	m->state = MILTER_IN_MESSAGE;
	if (m->options.steps & MILTER_NO_MAIL)
		return STEP_ON;
	milter_macros_add(&packets, &macros, MILTER_MAIL, MILTER_AT_MAIL,
	    m->options.macros[MILTER_AT_MAIL]);
	add_mail(&packets, s, command);
	step = no_skip(
	    m, NULL, milters_put(all, m, &packets, MILTER_MUTE_MAIL, NULL));
	buf_free(&packets);
	return step;
}

static bool
skips(const struct milter *m, const struct session *s)
{
	return ((m->config->skip & MILTER_SKIP_LOGIN) && s->facts.logged_in) ||
	    ((m->config->skip & MILTER_SKIP_RELAY) && s->facts.relay_from);
}

static bool
begin_message(struct milters *all, struct milter *m, struct session *s,
    const struct mail_command *command)
{
	enum milter_step step;

	if (m->state == MILTER_DONE || skips(m, s))
		return true;
	if (!milter_connect(m))
		return milters_settle(all, m, STEP_FAILED);
	step = tell(all, m, s, introduce, MILTER_NO_CONNECT, &m->introduced);
	if (step == STEP_ON)
		step = tell(all, m, s, greet, MILTER_NO_HELO, &m->greeted);
	if (step == STEP_PASS) {
		m->state = MILTER_DONE;
		return true;
	}
	if (step == STEP_ON)
		step = ask_mail(all, m, s, command);
	return milters_settle(all, m, step);
}

/* After another HELO, or TLS, they are told again. */
static void
note_helo(struct milters *all, const struct session *s)
{
	bool tls = tls_is_on(&s->stream);

	if (all->helo != NULL && strcmp(all->helo, s->helo) == 0 &&
	    all->tls == tls)
		return;
	free(all->helo);
	all->helo = strdup(s->helo);
	all->tls = tls;
	for (EACH_MILTER(all, m))
		m->greeted = false;
}

bool
milters_mail(struct session *s, const struct mail_command *command)
{
	if (s->config->milters.n == 0)
		return true;
	if (s->milters == NULL && !milters_begin(s))
		return false;
	note_helo(s->milters, s);
	s->milters->discards = NULL;
	for (EACH_MILTER(s->milters, m)) {
		if (!begin_message(s->milters, m, s, command))
			return false;
		if (s->milters->discards != NULL)
			break;
	}
	return true;
}

/* -- what belongs to a message that it hears of -- */

/* Put the same to all of them, until one decides. */
static bool
put_to_all(struct session *s, const struct milter_macros *macros,
    const struct buf *packet, enum milter_command command,
    enum milter_stage stage, uint32_t unwanted, uint32_t mute)
{
	static const char *const names[] = {
	    [MILTER_AT_RCPT] = "rcpt", [MILTER_AT_DATA] = "data"};
	struct milters *all = s->milters;
	struct buf packets = BUF_INIT(PACKETS_MAX);
	bool goes_on = true;

	for (EACH_MILTER(all, m)) {
		enum milter_step step;

		if (all->discards != NULL)
			break;
		if (milter_is_missed(m)) {
			goes_on = milters_settle(all, m, STEP_FAILED);
			break;
		}
		if (m->state != MILTER_IN_MESSAGE ||
		    (m->options.steps & unwanted))
			continue;
		m->stage = names[stage];
		buf_reset(&packets);
		milter_macros_add(
		    &packets, macros, command, stage, m->options.macros[stage]);
		buf_add(&packets, packet->data, packet->len);
		step = no_skip(m, macros->id,
		    milters_put(all, m, &packets, mute, macros->id));
		goes_on = milters_settle(all, m, step);
		if (!goes_on)
			break;
	}
	buf_free(&packets);
	return goes_on;
}

bool
milters_rcpt(struct session *s, const char *recipient,
    const struct rcpt_command *command, bool local)
{
	const struct milter_macros macros = {
	    .session = s, .recipient = recipient, .local = local};
	struct buf packet = BUF_INIT(PACKETS_MAX);
	char notify[DSN_NOTIFY_SIZE];
	size_t begun;
	bool goes_on;

	if (!milters_hear(s))
		return true;
	begun = milter_begin(&packet, MILTER_RCPT);
	buf_addf(&packet, "<%s>", recipient);
	buf_addc(&packet, '\0');
	dsn_write_notify(command->notify, notify);
	if (command->notify != 0) {
		buf_addf(&packet, "NOTIFY=%s", notify);
		buf_addc(&packet, '\0');
	}
	milter_end(&packet, begun);
	goes_on = put_to_all(s, &macros, &packet, MILTER_RCPT, MILTER_AT_RCPT,
	    MILTER_NO_RCPT, MILTER_MUTE_RCPT);
	buf_free(&packet);
	return goes_on;
}

bool
milters_data(struct session *s, const char *id)
{
	const struct milter_macros macros = {.session = s, .id = id};
	struct buf packet = BUF_INIT(PACKETS_MAX);
	bool goes_on;

	if (!milters_hear(s))
		return true;
	milter_end(&packet, milter_begin(&packet, MILTER_DATA));
	goes_on = put_to_all(s, &macros, &packet, MILTER_DATA, MILTER_AT_DATA,
	    MILTER_NO_DATA, MILTER_MUTE_DATA);
	buf_free(&packet);
	return goes_on;
}

/* -- nothing that we know -- */

bool
milters_unknown(struct session *s, const char *line)
{
	struct milters *all = s->milters;
	struct buf packet = BUF_INIT(PACKETS_MAX);
	bool goes_on = true;
	size_t begun = milter_begin(&packet, MILTER_UNKNOWN);

	milter_string(&packet, line);
	milter_end(&packet, begun);
	for (size_t i = 0; all != NULL && i < all->n && goes_on; i++) {
		struct milter *m = &all->items[i];

		if ((m->state != MILTER_IDLE &&
			m->state != MILTER_IN_MESSAGE) ||
		    (m->options.steps & MILTER_NO_UNKNOWN))
			continue;
		m->stage = "unknown";
		goes_on = milters_put(all, m, &packet, MILTER_MUTE_UNKNOWN,
			      NULL) != STEP_REFUSED;
		all->filter = m->config->text;
	}
	buf_free(&packet);
	return goes_on;
}
