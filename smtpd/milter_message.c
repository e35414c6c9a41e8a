/* SPDX-License-Identifier: ISC */
#include "smtpd/milter_message.h"

#include <string.h>

#include "common/clock.h"
#include "common/lines.h"
#include "smtpd/message.h"
#include "smtpd/milter_changes.h"
#include "smtpd/milter_macros.h"
#include "smtpd/milters.h"

enum {
	PACKETS_MAX = 256 * 1024,
	/* When clients stop waiting: RFC 5321 section 4.5.3.2.6. */
	PATIENCE = 600,
	/* Filters' libraries close on what is longer than a chunk, and nobody
	 * shall be rid of a filter so easily. */
	FIELD_MAX = MILTER_CHUNK - DRAFT_NAME_MAX - 2
};

/* One filter and this message. */
struct showing {
	struct milters *all;
	struct milter *milter;
	struct message *message;
	struct milter_macros macros;
	struct buf packets;
};

static enum milter_step
put(struct showing *s, uint32_t mute)
{
	enum milter_step step =
	    milters_put(s->all, s->milter, &s->packets, mute, s->macros.id);

	buf_reset(&s->packets);
	return step;
}

static bool
has_option(const struct showing *s, uint32_t step)
{
	return (s->milter->options.steps & step) != 0;
}

static void
add_macros(
    struct showing *s, enum milter_command command, enum milter_stage stage)
{
	milter_macros_add(&s->packets, &s->macros, command, stage,
	    s->milter->options.macros[stage]);
}

/* -- the header section -- */

static enum milter_step
show_field(struct showing *s, const struct draft_field *f)
{
	bool spaced = has_option(s, MILTER_LEADING_SPACE);
	size_t value = f->value, n, begun;

	if (!spaced && value < f->n && f->text[value] == ' ')
		value++;
	n = f->n - value;
	if (n > FIELD_MAX)
		n = FIELD_MAX;
	begun = milter_begin(&s->packets, MILTER_HEADER);
	buf_add(&s->packets, f->text, f->name);
	buf_addc(&s->packets, '\0');
	buf_add(&s->packets, f->text + value, n);
	buf_addc(&s->packets, '\0');
	milter_end(&s->packets, begun);
	return put(s, MILTER_MUTE_HEADERS);
}

static enum milter_step
show_headers(struct showing *s)
{
	const struct draft *d = &s->message->draft;
	enum milter_step step = STEP_ON;

	s->milter->stage = "header";
	if (has_option(s, MILTER_NO_HEADERS))
		return STEP_ON;
	for (size_t i = 0; i < d->n && step == STEP_ON; i++)
		if (d->fields[i].name > 0)
			step = show_field(s, &d->fields[i]);
	return step;
}

static enum milter_step
show_end_of_header(struct showing *s)
{
	s->milter->stage = "eoh";
	if (has_option(s, MILTER_NO_END_OF_HEADER))
		return STEP_ON;
	add_macros(s, MILTER_END_OF_HEADER, MILTER_AT_END_OF_HEADER);
	milter_end(
	    &s->packets, milter_begin(&s->packets, MILTER_END_OF_HEADER));
	return put(s, MILTER_MUTE_END_OF_HEADER);
}

/* -- the body -- */

static enum milter_step
show_chunk(struct showing *s, const char *octets, size_t n)
{
	size_t begun = milter_begin(&s->packets, MILTER_BODY);

	buf_add(&s->packets, octets, n);
	milter_end(&s->packets, begun);
	return put(s, MILTER_MUTE_BODY);
}

/*
 * Fill a chunk from there on, with CRLF line ends; how many octets it has, 0
 * at the end.
 */
static size_t
fill_chunk(struct content *c, struct dot_writer *lines, uint64_t *at,
    char chunk[MILTER_CHUNK])
{
	enum { LEAST = 512, BLOCK = 16384 };
	char block[BLOCK];
	size_t n = 0;

	while (n + DOT_WRITE_SIZE(LEAST) <= MILTER_CHUNK) {
		size_t room = (MILTER_CHUNK - n - 4) / 3;
		ssize_t got =
		    content_read(c, *at, block, room < BLOCK ? room : BLOCK);

		if (got <= 0)
			break;
		*at += (uint64_t)got;
		n += dot_write(lines, block, (size_t)got, chunk + n);
	}
	return n;
}

static enum milter_step
show_body(struct showing *s)
{
	static char chunk[MILTER_CHUNK];
	struct dot_writer lines;
	enum milter_step step = STEP_ON;
	uint64_t at = 0;
	size_t n;

	s->milter->stage = "body";
	if (has_option(s, MILTER_NO_BODY))
		return STEP_ON;
	dot_writer_init(&lines, false);
	while (step == STEP_ON &&
	    (n = fill_chunk(&s->message->content, &lines, &at, chunk)) > 0)
		step = show_chunk(s, chunk, n);
	if (step != STEP_SKIP)
		return step;
	if (has_option(s, MILTER_MAY_SKIP))
		return STEP_ON;
	milter_fail(s->milter, s->macros.id, "nonsense");
	return STEP_FAILED;
}

/* -- the end -- */

static const char *
take_body(struct showing *s, struct milter_changes *changes, uint64_t left)
{
	const char *wrong = milter_changes_body(
	    changes, s->milter, s->message, (struct span){"", 0});
	struct span octets;

	for (; wrong == NULL && left > 0; left -= octets.len) {
		if (milter_body(s->milter, s->macros.id, left, &octets) == 0)
			return "";
		wrong =
		    milter_changes_body(changes, s->milter, s->message, octets);
	}
	return wrong;
}

static bool
is_last_word(const struct milter_reply *r)
{
	return strchr("acdrt4fys", r->letter) != NULL;
}

/* Changes, and then its last word. */
static enum milter_step
hear_end(struct showing *s, struct milter_changes *changes)
{
	struct milter *m = s->milter;
	struct milter_reply reply;
	const char *wrong = NULL;
	uint64_t n;

	while (wrong == NULL) {
		switch (milter_hear(
		    m, s->macros.id, m->config->limits.end, &reply, &n)) {
		case MILTER_SILENT:
			return STEP_FAILED;
		case MILTER_HEARD_BODY:
			wrong = take_body(s, changes, n);
			continue;
		default:
			break;
		}
		if (is_last_word(&reply))
			return milters_read_step(
			    s->all, m, s->macros.id, &reply);
		wrong = milter_changes_note(changes, m, &reply);
	}
	if (wrong[0] != '\0')
		milter_fail(m, s->macros.id, wrong);
	return STEP_FAILED;
}

static enum milter_step
show_end(struct showing *s)
{
	struct milter_changes changes;
	enum milter_step step = STEP_FAILED;

	s->milter->stage = "end";
	milter_changes_init(&changes);
	add_macros(s, MILTER_END, MILTER_AT_END);
	milter_end(&s->packets, milter_begin(&s->packets, MILTER_END));
	milter_limit(s->milter, s->milter->config->limits.command);
	if (milter_waits(s->milter, s->macros.id)) {
		milter_say(s->milter, &s->packets);
		step = hear_end(s, &changes);
	}
	if (step == STEP_SKIP) {
		milter_fail(s->milter, s->macros.id, "nonsense");
		step = STEP_FAILED;
	}
	if (step == STEP_ON || step == STEP_PASS)
		milter_changes_do(&changes, s->milter, s->message);
	else
		milter_changes_drop(&changes, s->message);
	milter_changes_free(&changes);
	return step;
}

/* Its answer in the middle may already be its last. */
static enum milter_step
show(struct showing *s)
{
	static enum milter_step (*const parts[])(struct showing *) = {
	    show_headers, show_end_of_header, show_body};
	enum milter_step step = STEP_ON;

	for (int i = 0; i < 3 && step == STEP_ON; i++) {
		step = parts[i](s);
		if (step == STEP_SKIP) {
			milter_fail(s->milter, s->macros.id, "nonsense");
			step = STEP_FAILED;
		}
	}
	return step == STEP_ON ? show_end(s) : step;
}

static bool
show_to(struct milters *all, struct milter *m, struct message *message)
{
	struct showing s = {.all = all,
	    .milter = m,
	    .message = message,
	    .macros = {.session = message->session,
		.id = message->submission.id},
	    .packets = BUF_INIT(PACKETS_MAX)};
	uint64_t patience = m->config->limits.end;
	enum milter_step step;

	if (patience < PATIENCE)
		patience = PATIENCE;
	m->whole = clock_monotonic_ms() + (int64_t)patience * 1000;
	step = show(&s);
	m->whole = -1;
	buf_free(&s.packets);
	if (m->state == MILTER_IN_MESSAGE)
		m->state = MILTER_IDLE;
	return milters_settle(all, m, step);
}

enum milters_end
milters_message(struct message *message)
{
	struct milters *all = message->session->milters;

	for (EACH_MILTER(all, m)) {
		if (all->discards != NULL)
			break;
		if (m->state == MILTER_IN_MESSAGE && !show_to(all, m, message))
			return MILTERS_REFUSE;
	}
	return all->discards == NULL ? MILTERS_TAKE : MILTERS_DISCARD;
}
