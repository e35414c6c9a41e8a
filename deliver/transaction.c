/* SPDX-License-Identifier: ISC */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "deliver/session.h"

/*
 * Commands and replies of one transaction.  They are numbered: 0 is MAIL,
 * then one RCPT each, then DATA.  With PIPELINING (RFC 2920) up to WINDOW
 * commands are under way, without it one; few enough that both sides' socket
 * buffers hold them and their replies, so that nobody waits for the other
 * with both full.
 */
enum { WINDOW = 20 };

struct transaction {
	struct session *s;
	struct job *job;
	struct recipient **who;
	size_t n;              /* of them */
	size_t sent, answered; /* commands */
	size_t accepted;       /* recipients */
	bool *taken;           /* which */
	bool refused;          /* MAIL was */
};

static size_t
data_number(const struct transaction *t)
{
	return t->n + 1;
}

static enum session_state
state_of(const struct transaction *t, size_t command)
{
	if (command == 0)
		return STATE_MAIL;
	return command == data_number(t) ? STATE_DATA : STATE_RCPT;
}

/* -- sending -- */

/* As everybody writes such words. */
static void
put_upper(struct stream *out, const char *text)
{
	char word[DSN_NOTIFY_SIZE];
	size_t i = 0;

	for (; text[i] != '\0' && i < sizeof(word) - 1; i++)
		word[i] = (char)toupper((unsigned char)text[i]);
	word[i] = '\0';
	stream_puts(out, word);
}

static void
add_asked(struct stream *out, enum dsn_ret ret, const char *envid)
{
	struct buf xtext = BUF_INIT(3 * DSN_ENVID_MAX + 1);

	if (ret != DSN_RET_NONE) {
		stream_puts(out, " RET=");
		put_upper(out, dsn_ret_name(ret));
	}
	if (envid[0] == '\0')
		return;
	dsn_write_envid(&xtext, envid);
	if (buf_ok(&xtext) && buf_text(&xtext) != NULL)
		stream_printf(out, " ENVID=%s", xtext.data);
	buf_free(&xtext);
}

static void
send_mail(struct transaction *t)
{
	struct stream *out = &t->s->stream;
	const struct caps *caps = &t->s->caps;

	stream_printf(out, "MAIL FROM:<%s>", t->job->sender);
	if (caps->size)
		stream_printf(out, " SIZE=%" PRIu64, t->job->wire);
	if (caps->eight_bit && t->job->eight_bit)
		stream_puts(out, " BODY=8BITMIME");
	if (caps->utf8 && t->job->utf8)
		stream_puts(out, " SMTPUTF8");
	if (caps->dsn)
		add_asked(out, t->job->ret, t->job->envid);
	stream_puts(out, "\r\n");
}

/* RFC 3461 section 5.2.1: as they came. */
static void
send_rcpt(struct transaction *t, const struct recipient *r)
{
	struct stream *out = &t->s->stream;
	const struct caps *caps = &t->s->caps;
	struct buf orcpt = BUF_INIT(3 * DSN_ORCPT_MAX);
	char notify[DSN_NOTIFY_SIZE];

	stream_printf(out, "RCPT TO:<%s>", r->address);
	if (caps->dsn && r->asked.notify != 0) {
		dsn_write_notify(r->asked.notify, notify);
		stream_puts(out, " NOTIFY=");
		put_upper(out, notify);
	}
	if (caps->dsn && r->asked.orcpt != NULL) {
		dsn_write_orcpt(
		    &orcpt, r->asked.orcpt, caps->utf8 && t->job->utf8);
		if (orcpt.len <= DSN_ORCPT_MAX && buf_ok(&orcpt))
			stream_printf(out, " ORCPT=%s", buf_text(&orcpt));
		buf_free(&orcpt);
	}
	stream_puts(out, "\r\n");
}

static void
send_command(struct transaction *t)
{
	struct stream *out = &t->s->stream;

	switch (state_of(t, t->sent)) {
	case STATE_MAIL:
		t->s->dirty = true;
		send_mail(t);
		break;
	case STATE_RCPT:
		send_rcpt(t, t->who[t->sent - 1]);
		break;
	default:
		stream_puts(out, "DATA\r\n");
	}
	t->sent++;
}

/*
 * DATA follows blindly only while the answers to it are open; once they are
 * known somebody must have been accepted, and the queue still be there.
 */
static bool
may_send(const struct transaction *t)
{
	if (t->refused)
		return false;
	if (t->sent < data_number(t))
		return true;
	if (t->sent > data_number(t) || !job_wanted(t->job))
		return false;
	return t->accepted > 0 || t->answered < t->sent;
}

static void
send_more(struct transaction *t)
{
	size_t window = t->s->caps.pipelining ? WINDOW : 1;

	if (t->sent - t->answered > window / 2)
		return;
	while (t->sent - t->answered < window && may_send(t))
		send_command(t);
}

/* -- answers -- */

static void
host_failed(struct transaction *t)
{
	job_host_failed(t->job, &t->s->failure);
}

/* For all of this transaction, or those accepted in it. */
static void
settle(struct transaction *t, const struct outcome *o, bool all)
{
	for (size_t i = 0; i < t->n; i++) {
		if (!all && !t->taken[i])
			continue;
		if (o->status != DEFERRED)
			job_result(t->job, t->who[i], o);
		else
			t->who[i]->refused = true;
	}
	if (o->status == DEFERRED)
		job_host_failed(t->job, o);
}

/* A class that has no place here: we and the server are out of step. */
static void
out_of_step(struct transaction *t)
{
	session_fail(t->s, "4.5.0", "unexpected reply");
	host_failed(t);
}

static void
answer_mail(struct transaction *t)
{
	struct outcome o;

	if (reply_class(&t->s->reply) == 2)
		return;
	if (reply_class(&t->s->reply) == 3) {
		out_of_step(t);
		return;
	}
	t->refused = true;
	outcome_reply(&o, &t->s->reply, t->s->target.relay);
	o.scope = SCOPE_SESSION;
	settle(t, &o, true);
}

/* For now: kept with the recipient, and another host may do better. */
static void
recipient_later(struct recipient *r, const struct outcome *o)
{
	r->refused = true;
	if (r->failure == NULL)
		r->failure = malloc(sizeof(*r->failure));
	if (r->failure != NULL)
		*r->failure = *o;
}

static void
answer_rcpt(struct transaction *t)
{
	struct recipient *r = t->who[t->answered - 1];
	struct outcome o;

	if (t->refused)
		return;
	if (reply_class(&t->s->reply) == 2) {
		t->taken[t->answered - 1] = true;
		t->accepted++;
		return;
	}
	if (reply_class(&t->s->reply) == 3) {
		out_of_step(t);
		return;
	}
	if (t->accepted > 0 && reply_is_too_many(&t->s->reply))
		return; /* in the next transaction */
	outcome_reply(&o, &t->s->reply, t->s->target.relay);
	o.scope = SCOPE_RECIPIENT;
	if (o.status == FAILED)
		job_result(t->job, r, &o);
	else
		recipient_later(r, &o);
}

/*
 * After the dot nobody knows but the server: nobody else is tried.  Cut off by
 * our own stop it is tried again, for it must not get lost.
 */
static void
unknown_end(struct transaction *t)
{
	if (t->s->stopped)
		return;
	/* It may be this message that it died of. */
	t->s->failure.scope = SCOPE_MESSAGE;
	for (size_t i = 0; i < t->n; i++)
		if (t->taken[i])
			job_result(t->job, t->who[i], &t->s->failure);
}

static void
send_content(struct transaction *t)
{
	struct outcome o;

	switch (content_send(t->s, t->job)) {
	case CONTENT_STOPPED:
		if (t->s->failure.status == FAILED)
			settle(t, &t->s->failure, false);
		else
			host_failed(t);
		return;
	case CONTENT_UNREADABLE:
		session_fail(t->s, "4.3.0", "cannot read the message");
		t->s->failure.scope = SCOPE_MESSAGE; /* our own fault */
		job_result_all(t->job, &t->s->failure);
		return;
	case CONTENT_SENT:
		break;
	}
	if (!session_reply(t->s, STATE_DOT)) {
		unknown_end(t);
		return;
	}
	t->s->dirty = false;
	outcome_reply(&o, &t->s->reply, t->s->target.relay);
	settle(t, &o, false);
}

/*
 * Somebody who says 354 though nobody was accepted must be told the end of
 * the data before anything else can be said (RFC 2920 section 3.1).
 */
static void
send_nothing(struct transaction *t)
{
	stream_puts(&t->s->stream, ".\r\n");
	if (!session_reply(t->s, STATE_DOT))
		host_failed(t);
}

static void
answer_data(struct transaction *t)
{
	struct outcome o;

	if (t->s->reply.code == 354) {
		if (t->accepted > 0 && !t->refused)
			send_content(t);
		else
			send_nothing(t);
		return;
	}
	if (reply_class(&t->s->reply) < 4) {
		out_of_step(t);
		return;
	}
	outcome_reply(&o, &t->s->reply, t->s->target.relay);
	settle(t, &o, false);
}

static void
answer(struct transaction *t)
{
	switch (state_of(t, t->answered)) {
	case STATE_MAIL:
		answer_mail(t);
		break;
	case STATE_RCPT:
		answer_rcpt(t);
		break;
	default:
		answer_data(t);
	}
	t->answered++;
}

void
transaction_run(
    struct session *s, struct job *job, struct recipient **who, size_t n)
{
	struct transaction t = {.s = s, .job = job, .who = who, .n = n};

	t.taken = calloc(n, sizeof(*t.taken));
	if (t.taken == NULL) {
		session_fail(s, "4.3.0", "out of memory");
		job_host_failed(job, &s->failure);
		return;
	}
	s->transactions++;
	job->transferring = clock_monotonic_ms();
	job->tls = session_tls(s);
	job->verified = s->verified;
	job->dsn_passed = s->caps.dsn;
	while (session_is_open(s)) {
		send_more(&t);
		if (t.answered == t.sent)
			break;
		if (session_reply(s, state_of(&t, t.answered)))
			answer(&t);
		else
			host_failed(&t);
	}
	free(t.taken);
}
