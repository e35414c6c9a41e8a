/* SPDX-License-Identifier: ISC */
#include "smtpd/milter_changes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "smtpd/command.h"
#include "smtpd/message.h"
#include "smtpd/milters.h"

enum {
	CHANGES_MAX = 1 << 20, /* octets, a new body apart */
	BLOCK = 4096,
	ARGUMENT_MAX = 2 * ADDRESS_TEXT_MAX
};

void
milter_changes_init(struct milter_changes *c)
{
	*c = (struct milter_changes){
	    .packets = BUF_INIT(CHANGES_MAX), .ended = true};
}

void
milter_changes_free(struct milter_changes *c)
{
	buf_free(&c->packets);
}

/* -- noting -- */

/* What it must have asked for; 0: it is no change. */
static uint32_t
leave_for(char letter)
{
	switch (letter) {
	case MILTER_ADD_HEADER:
	case MILTER_INSERT_HEADER:
		return MILTER_MAY_ADD_HEADERS;
	case MILTER_CHANGE_HEADER:
		return MILTER_MAY_CHANGE_HEADERS;
	case MILTER_ADD_RECIPIENT:
		return MILTER_MAY_ADD_RECIPIENTS;
	case MILTER_ADD_RECIPIENT_WITH:
		return MILTER_MAY_ADD_RECIPIENTS_WITH;
	case MILTER_DELETE_RECIPIENT:
		return MILTER_MAY_DELETE_RECIPIENTS;
	case MILTER_CHANGE_SENDER:
		return MILTER_MAY_CHANGE_SENDER;
	case MILTER_QUARANTINE:
		return MILTER_MAY_QUARANTINE;
	case MILTER_REPLACE_BODY:
		return MILTER_MAY_CHANGE_BODY;
	default:
		return 0;
	}
}

static bool
is_about_header(char letter)
{
	return letter == MILTER_ADD_HEADER || letter == MILTER_INSERT_HEADER ||
	    letter == MILTER_CHANGE_HEADER;
}

const char *
milter_changes_note(struct milter_changes *c, struct milter *m,
    const struct milter_reply *reply)
{
	uint32_t leave = leave_for(reply->letter);

	if (leave == 0)
		return "nonsense";
	if ((m->options.actions & leave) == 0)
		return "it changes what it did not ask for";
	if (is_about_header(reply->letter) && !draft_is_name(reply->name))
		return "a header with no name";
	milter_u32(&c->packets, (uint32_t)m->data.len);
	buf_addc(&c->packets, reply->letter);
	buf_add(&c->packets, m->data.data, m->data.len);
	buf_addc(&c->packets, '\0');
	return buf_ok(&c->packets) ? NULL : "too many changes";
}

/* Lines end in LF here, and nowhere is a CR that a client could take for
 * the end of one (A1, A2). */
static size_t
take_octet(struct milter_changes *c, char octet, char *out)
{
	size_t n = 0;

	if (c->cr && octet != '\n')
		out[n++] = '\n';
	c->cr = octet == '\r';
	if (octet != '\r')
		out[n++] = octet;
	for (size_t i = 0; i < n; i++)
		c->wire += 1U + (out[i] == '\n');
	if (n > 0)
		c->ended = out[n - 1] == '\n';
	c->eight_bit = c->eight_bit || (octet & 0x80);
	return n;
}

static void
begin_body(struct milter_changes *c, struct message *m)
{
	if (!c->body)
		content_replace(&m->content);
	c->body = true;
}

const char *
milter_changes_body(struct milter_changes *c, struct milter *m,
    struct message *message, struct span octets)
{
	char block[2 * BLOCK];

	if ((m->options.actions & MILTER_MAY_CHANGE_BODY) == 0)
		return "it changes what it did not ask for";
	begin_body(c, message);
	if (memchr(octets.data, '\0', octets.len) != NULL)
		return "a body with NUL";
	while (octets.len > 0) {
		size_t n = octets.len < BLOCK ? octets.len : BLOCK, made = 0;

		for (size_t i = 0; i < n; i++)
			made += take_octet(c, octets.data[i], block + made);
		content_add(&message->content, block, made);
		octets.data += n;
		octets.len -= n;
	}
	return c->wire <= message->session->config->max_message_size
	    ? NULL
	    : "a body of more than max-message-size";
}

static void
end_body(struct milter_changes *c, struct message *m)
{
	if (c->cr || !c->ended) {
		content_add(&m->content, "\n", 1);
		c->wire += 2;
	}
	content_replaced(&m->content, true);
	m->body_replaced = true;
	m->body_wire = c->wire;
	m->body_eight_bit = c->eight_bit;
}

void
milter_changes_drop(struct milter_changes *c, struct message *m)
{
	if (c->body)
		content_replaced(&m->content, false);
	c->body = false;
}

/* -- doing -- */

static void
not_done(const struct message *m, const struct milter *by, const char *what,
    const char *reason)
{
	log_event(LEVEL_WARNING, "change not made",
	    log_text("id", m->submission.id),
	    log_text("filter", by->config->text), log_text("what", what),
	    log_text("reason", reason));
}

/*
 * One of ours is there, and others only where this client may send to any:
 * a broken filter makes no open relay (A12).
 */
static const char *
may_have(const struct session *s, const char *address)
{
	const struct transaction *t = &s->transaction;
	struct owners_place place;
	enum verdict known;

	if (t->nrecipients >= s->config->max_recipients)
		return verdict_row(VERDICT_TOO_MANY_RECIPIENTS)->text;
	known = owners_recipient(
	    s->owners, address, address_is_null(&t->sender), &place);
	if (verdict_is_success(known) ||
	    (known == VERDICT_RELAY_DENIED && policy_may_relay(&s->facts)))
		return NULL;
	return verdict_row(known)->text;
}

static bool
add_recipient(
    struct message *m, const struct milter *by, const struct milter_reply *r)
{
	struct transaction *t = &m->session->transaction;
	char argument[ARGUMENT_MAX], text[ADDRESS_TEXT_MAX + 1];
	struct rcpt_command rcpt;
	const char *wrong;

	snprintf(argument, sizeof(argument), "TO:%s %s", r->name,
	    r->value != NULL ? r->value : "");
	wrong = command_rcpt(argument, t->utf8, true, &rcpt).smtp != 0
	    ? "bad recipient address"
	    : NULL;
	if (wrong == NULL) {
		address_format(&rcpt.recipient, text);
		if (transaction_has(t, text))
			return false;
		wrong = may_have(m->session, text);
	}
	if (wrong == NULL && !transaction_add(t, text, &rcpt))
		wrong = "out of memory";
	if (wrong != NULL)
		not_done(m, by, r->name, wrong);
	else
		t->utf8_address |= rcpt.recipient.utf8;
	return wrong == NULL;
}

static bool
delete_recipient(struct message *m, const struct milter_reply *r)
{
	struct transaction *t = &m->session->transaction;
	char argument[ARGUMENT_MAX], text[ADDRESS_TEXT_MAX + 1];
	struct rcpt_command rcpt;

	snprintf(argument, sizeof(argument), "TO:%s", r->name);
	if (command_rcpt(argument, true, true, &rcpt).smtp != 0)
		return false;
	address_format(&rcpt.recipient, text);
	return transaction_remove(t, text);
}

static bool
change_sender(
    struct message *m, const struct milter *by, const struct milter_reply *r)
{
	struct transaction *t = &m->session->transaction;
	char argument[ARGUMENT_MAX];
	struct mail_command mail;

	snprintf(argument, sizeof(argument), "FROM:%s%s", r->name,
	    t->utf8 ? " SMTPUTF8" : "");
	if (command_mail(argument, true, &mail).smtp != 0 ||
	    (mail.sender.utf8 && !t->utf8)) {
		not_done(m, by, r->name, "bad sender address");
		return false;
	}
	t->sender = mail.sender;
	t->utf8_address |= mail.sender.utf8;
	address_format(&t->sender, t->sender_text);
	return true;
}

static bool
quarantine(struct message *m, const char *reason)
{
	if (m->hold == NULL)
		m->hold = strndup(
		    reason[0] != '\0' ? reason : "a content filter says so",
		    PROTOCOL_TEXT_MAX);
	return true;
}

static bool
change_header(
    struct message *m, const struct milter *by, const struct milter_reply *r)
{
	bool spaced = (by->options.steps & MILTER_LEADING_SPACE) != 0;

	if (r->letter == MILTER_ADD_HEADER)
		return draft_add(&m->draft, r->name, r->value, spaced);
	if (r->letter == MILTER_INSERT_HEADER)
		return draft_insert(
		    &m->draft, r->index, r->name, r->value, spaced);
	return draft_change(&m->draft, r->index, r->name, r->value, spaced);
}

/* How many of each were made. */
struct done {
	unsigned headers, recipients, sender, hold;
};

static void
do_one(struct message *m, const struct milter *by, const struct milter_reply *r,
    struct done *done)
{
	switch (r->letter) {
	case MILTER_ADD_RECIPIENT:
	case MILTER_ADD_RECIPIENT_WITH:
		done->recipients += add_recipient(m, by, r);
		break;
	case MILTER_DELETE_RECIPIENT:
		done->recipients += delete_recipient(m, r);
		break;
	case MILTER_CHANGE_SENDER:
		done->sender += change_sender(m, by, r);
		break;
	case MILTER_QUARANTINE:
		done->hold += quarantine(m, r->name);
		break;
	default:
		done->headers += change_header(m, by, r);
	}
}

static void
log_done(const struct message *m, const struct milter *by,
    const struct done *done, bool body)
{
	char what[64];

	snprintf(what, sizeof(what), "%s%s%s%s%s",
	    done->headers > 0 ? " header" : "", body ? " body" : "",
	    done->sender > 0 ? " sender" : "",
	    done->recipients > 0 ? " recipients" : "",
	    done->hold > 0 ? " hold" : "");
	if (what[0] != '\0')
		log_event(LEVEL_INFO, "filtered",
		    log_text("id", m->submission.id),
		    log_text("filter", by->config->text),
		    log_text("what", what + 1));
}

void
milter_changes_do(
    struct milter_changes *c, struct milter *by, struct message *m)
{
	struct cursor at = cursor_over(c->packets.data, c->packets.len);
	struct done done = {0};
	bool body = c->body;

	while (cursor_left(&at) > 0) {
		size_t n = cursor_u32(&at);
		char letter = (char)cursor_u8(&at);
		struct span data = cursor_take(&at, n + 1);
		struct milter_reply reply;

		if (milter_read_reply(letter, data.data, n, &reply))
			do_one(m, by, &reply, &done);
	}
	if (body)
		end_body(c, m);
	c->body = false;
	log_done(m, by, &done, body);
}
