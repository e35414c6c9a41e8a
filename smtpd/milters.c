/* SPDX-License-Identifier: ISC */
#include "smtpd/milters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "smtpd/session.h"

/* -- answers -- */

static enum milter_step
refuse(struct milters *all, enum verdict verdict)
{
	const struct verdict_row *row = verdict_row(verdict);
	struct milter_refusal *r = &all->refusal;

	r->smtp = row->smtp;
	snprintf(r->enhanced, sizeof(r->enhanced), "%s", row->enhanced);
	snprintf(r->text, sizeof(r->text), "%s", row->text);
	return STEP_REFUSED;
}

static enum milter_step
hang_up_on_client(struct milters *all)
{
	all->refusal = (struct milter_refusal){
	    421, "4.7.0", "a content filter wants this connection closed"};
	return STEP_REFUSED;
}

enum milter_step
milters_read_step(struct milters *all, struct milter *m, const char *id,
    const struct milter_reply *reply)
{
	switch (reply->letter) {
	case MILTER_CONTINUE:
		return STEP_ON;
	case MILTER_ACCEPT:
		return STEP_PASS;
	case MILTER_SKIP:
		return STEP_SKIP;
	case MILTER_DISCARD:
		return STEP_DISCARD;
	case MILTER_REJECT:
		return refuse(all, VERDICT_FILTER_REJECT);
	case MILTER_TEMPFAIL:
		return refuse(all, VERDICT_FILTER_LATER);
	case MILTER_SHUTDOWN:
	case MILTER_CONNECTION_FAILS:
		return hang_up_on_client(all);
	case MILTER_REPLY_CODE:
		if (milter_read_refusal(reply->name, &all->refusal))
			return STEP_REFUSED;
		break;
	}
	milter_fail(m, id, "nonsense");
	return STEP_FAILED;
}

/* Not for ever, whatever progress it speaks of. */
static enum milter_heard
hear(struct milter *m, const char *id, struct milter_reply *reply, uint64_t *n)
{
	uint64_t command = m->config->limits.command;
	uint64_t end = m->config->limits.end;
	bool alone = m->whole < 0;
	enum milter_heard heard;

	if (alone)
		m->whole = clock_monotonic_ms() +
		    (int64_t)(end > command ? end : command) * 1000;
	heard = milter_hear(m, id, command, reply, n);
	if (alone)
		m->whole = -1;
	return heard;
}

enum milter_step
milters_put(struct milters *all, struct milter *m, const struct buf *packets,
    uint32_t mute, const char *id)
{
	struct milter_reply reply;
	uint64_t n;

	milter_limit(m, m->config->limits.command);
	if (!buf_ok(packets)) {
		milter_fail(m, id, "too long for it");
		return STEP_FAILED;
	}
	if (!milter_waits(m, id))
		return STEP_FAILED;
	milter_say(m, packets);
	if (m->options.steps & mute)
		return STEP_ON;
	switch (hear(m, id, &reply, &n)) {
	case MILTER_HEARD:
		return milters_read_step(all, m, id, &reply);
	case MILTER_HEARD_BODY:
		milter_fail(m, id, "nonsense");
		return STEP_FAILED;
	default:
		return STEP_FAILED;
	}
}

bool
milters_settle(struct milters *all, struct milter *m, enum milter_step step)
{
	switch (step) {
	case STEP_ON:
	case STEP_SKIP:
		return true;
	case STEP_PASS:
		m->state = MILTER_IDLE;
		return true;
	case STEP_DISCARD:
		m->state = MILTER_IDLE;
		all->discards = m;
		return true;
	case STEP_FAILED:
		if (m->config->accept)
			return true;
		refuse(all, VERDICT_FILTER_LATER);
		break;
	default:
		break;
	}
	all->filter = m->config->text;
	return false;
}

/* -- their life -- */

bool
milters_begin(struct session *s)
{
	const struct config_milters *configured = &s->config->milters;
	struct milters *all = calloc(1, sizeof(*all));

	if (all != NULL)
		all->items = calloc(configured->n, sizeof(*all->items));
	if (all == NULL || all->items == NULL) {
		free(all);
		return false;
	}
	all->n = configured->n;
	for (size_t i = 0; i < all->n; i++)
		milter_init(&all->items[i], &configured->items[i], i);
	s->milters = all;
	return true;
}

bool
milters_hear(const struct session *s)
{
	if (s->milters == NULL)
		return false;
	for (EACH_MILTER(s->milters, m))
		if (m->state == MILTER_IN_MESSAGE || milter_is_missed(m))
			return true;
	return s->milters->discards != NULL;
}

void
milters_reset(struct session *s)
{
	struct buf abandon = BUF_INIT(MILTER_HEAD);

	if (s->milters == NULL)
		return;
	s->milters->discards = NULL;
	milter_end(&abandon, milter_begin(&abandon, MILTER_ABORT));
	for (EACH_MILTER(s->milters, m)) {
		m->lost = false;
		if (m->state == MILTER_IN_MESSAGE) {
			m->state = MILTER_IDLE;
			milter_limit(m, m->config->limits.command);
			milter_say(m, &abandon);
		}
	}
	buf_free(&abandon);
}

void
milters_end(struct session *s)
{
	if (s->milters == NULL)
		return;
	for (EACH_MILTER(s->milters, m))
		milter_quit(m);
	free(s->milters->helo);
	free(s->milters->items);
	free(s->milters);
	s->milters = NULL;
}

/* -- refusals -- */

void
milters_refuse(struct session *s, const char *id, const char *recipient)
{
	const struct milters *all = s->milters;

	if (all == NULL) { /* no memory for them */
		session_verdict(s, VERDICT_INTERNAL);
		return;
	}
	session_log_filter(s, id, recipient, all->filter, &all->refusal);
	if (all->refusal.smtp >= 500)
		s->errors++;
	session_reply(
	    s, all->refusal.smtp, all->refusal.enhanced, all->refusal.text);
	if (all->refusal.smtp == 421)
		s->closing = true;
}
