/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/verdict.h"
#include "queue/attempt.h"
#include "queue/dispatch.h"
#include "queue/queue.h"
#include "queue/random.h"
#include "queue/rewrite.h"

enum {
	TROUBLE_MS = 1000,
	TROUBLE_DOUBLINGS = 6,
	RECORD_MS = 5000,
	TELL_AGAIN_MS = 60 * 1000
};

/* -- outcomes -- */

static const char *const events[] = {
    [RECIPIENT_PENDING] = "deferred",
    [RECIPIENT_DELIVERED] = "delivered",
    [RECIPIENT_FAILED] = "failed",
    [RECIPIENT_BOUNCED] = "failed",
};

/* The words that scripts for other mail servers look for. */
static const char *const statuses[] = {
    [RECIPIENT_PENDING] = "deferred",
    [RECIPIENT_DELIVERED] = "sent",
    [RECIPIENT_FAILED] = "failed",
    [RECIPIENT_BOUNCED] = "bounced",
};

static void
log_result(const struct attempt *a, size_t index, const struct result *result)
{
	const struct recipient *r = &a->e.recipients[index];
	const struct recipient *original = envelope_original(&a->e, index);
	int64_t age = message_age(a->m);
	int64_t attempt = clock_monotonic_ms() - a->began;
	int64_t before = age > attempt ? age - attempt : 0;
	char delays[160];

	snprintf(delays, sizeof(delays), "%lld.%03lld/%lld.%03lld%s%.100s",
	    (long long)(before / 1000), (long long)(before % 1000),
	    (long long)(attempt / 1000), (long long)(attempt % 1000),
	    result->delays != NULL ? "/" : "",
	    result->delays != NULL ? result->delays : "");
	log_event(LEVEL_INFO, events[result->state], log_text("id", a->id),
	    log_address("from", a->e.sender),
	    log_address("srs", attempt_sender(a, index)),
	    log_address("to", r->address),
	    log_address("orig_to", original != r ? original->address : NULL),
	    log_text("relay", result->relay),
	    log_text("folder", result->folder), log_text("tls", result->tls),
	    log_text("verified", result->verified), log_delay("delay", age),
	    log_text("delays", delays), log_text("dsn", result->dsn),
	    log_text("status", statuses[result->state]),
	    log_text("reason", result->text));
}

/* A line more only when it says something new, and while there is room. */
static bool
is_news(const struct attempt *a, size_t index, const struct result *result)
{
	const struct recipient *r = &a->e.recipients[index];

	if (result->state != RECIPIENT_PENDING)
		return true;
	if (result->trouble ||
	    a->e.whole + a->lines.len > ENVELOPE_FILE_SPARING)
		return false;
	return r->when == 0 || r->text == NULL ||
	    strcmp(r->dsn, result->dsn) != 0 ||
	    strncmp(r->text, result->text, ENVELOPE_TEXT_MAX) != 0;
}

void
attempt_note(struct attempt *a, size_t index, const struct result *result)
{
	struct outcome outcome = {.state = result->state,
	    .when = clock_now(),
	    .dsn = result->dsn,
	    .relay = result->relay,
	    .relayed = result->relayed &&
		(envelope_notify(&a->e, index) & DSN_SUCCESS) != 0,
	    .text = result->text != NULL ? result->text : ""};
	struct outcome bare = {
	    .state = result->state, .when = outcome.when, .dsn = result->dsn};

	log_result(a, index, result);
	if (is_news(a, index, result))
		envelope_outcome_line(&a->lines, index, &outcome);
	/* Texts may be done without; the state may not. */
	if (!envelope_note(&a->e, index, &outcome))
		(void)envelope_note(&a->e, index, &bare);
}

/* What could not be written stays in order, for the next time. */
void
attempt_record(struct attempt *a)
{
	bool known = a->unwritten;
	int64_t whole;

	if (a->lines.len == 0 && buf_ok(&a->lines))
		return;
	errno = ENOMEM;
	whole = buf_ok(&a->lines) ? spool_append(&queue.spool, a->id,
					a->e.whole, a->lines.data, a->lines.len)
				  : -1;
	a->unwritten = whole == -1;
	a->gone = whole == -1 && errno == ENOENT;
	if (a->unwritten) {
		if (!known)
			log_event(LEVEL_ERROR, "cannot record",
			    log_text("id", a->id),
			    log_text("reason", strerror(errno)));
		return;
	}
	a->e.whole = (uint64_t)whole;
	buf_reset(&a->lines);
}

/* -- the end -- */

/* The struct stays until here, the message leaves or waits. */
static void
release(struct attempt *a)
{
	attempt_free(a);
	dispatch_done();
}

/* Wait for a part of this house that is away, or for room on the disk. */
static void
wait_for_us(struct attempt *a)
{
	struct message *m = a->m;
	unsigned doublings = m->troubles;

	if (m->troubles < TROUBLE_DOUBLINGS)
		m->troubles++;
	/* What was not heard, or not written, may have happened. */
	m->again = m->again || a->trouble || a->unwritten;
	/* Whatever its destination does: it need not be about that. */
	message_lead(m, NULL);
	dispatch_wait(m, (int64_t)TROUBLE_MS << doublings);
	release(a);
}

static bool
is_in_maildir(const struct attempt *a)
{
	for (size_t i = 0; i < a->e.n; i++) {
		const struct recipient *r = &a->e.recipients[i];

		if (r->state == RECIPIENT_DELIVERED && r->relay != NULL &&
		    strncmp(r->relay, "mailbox:", 8) == 0)
			return true;
	}
	return a->linked;
}

static void
leave_spool(struct attempt *a, const char *why)
{
	if (spool_remove(&queue.spool, (enum spool_folder)a->m->folder, a->id,
		is_in_maildir(a)) == -1) {
		log_event(LEVEL_ERROR, "cannot remove", log_text("id", a->id),
		    log_text("reason", strerror(errno)));
		attempt_record(a); /* at least nobody gets it again */
		wait_for_us(a);
		return;
	}
	log_event(LEVEL_INFO, "removed", log_text("id", a->id),
	    log_text("reason", why));
	message_drop(a->m);
	release(a);
}

static void write_again(struct timer *);

/*
 * Outcomes are written before the attempt is forgotten: else a disk that
 * stays full sends the message again and again to those who have it.
 */
void
attempt_write_then(struct attempt *a, void (*then)(struct attempt *))
{
	attempt_record(a);
	a->then = then;
	a->record.fire = write_again;
	/* What has no room in memory, or no file, will not have one later. */
	if (!a->unwritten || a->gone || !buf_ok(&a->lines) ||
	    loop_timer(&a->record, RECORD_MS) == -1)
		then(a);
}

static void
write_again(struct timer *t)
{
	struct attempt *a = container_of(t, struct attempt, record);

	if (a->m->doomed)
		leave_spool(a, "deleted by the postmaster");
	else
		attempt_write_then(a, a->then);
}

/* The domain of all that is pending, held; NULL: several, or in this house. */
static struct domain *
pending_domain(const struct attempt *a, bool parked)
{
	const char *name = NULL;

	for (size_t i = 0; i < a->e.n; i++) {
		const struct work *w = &a->work[i];

		if (a->e.recipients[i].state != RECIPIENT_PENDING ||
		    (parked && w->stage != WORK_PARKED))
			continue;
		if (w->target == NULL || w->kind != ROUTE_REMOTE ||
		    (name != NULL && !parked && strcmp(name, w->target) != 0))
			return NULL;
		name = w->target;
	}
	return name != NULL ? domain_hold(name) : NULL;
}

static void
lead(struct attempt *a)
{
	struct domain *domain = pending_domain(a, a->parked);

	message_lead(a->m, domain);
	if (domain != NULL)
		domain_release(domain);
}

/* It is its destination's turn to say when. */
static void
park(struct attempt *a)
{
	struct message *m = a->m;
	const struct destination *d =
	    m->domain != NULL ? m->domain->destination : NULL;

	m->again = m->again || a->trouble || a->unwritten;
	if (!a->look && d != NULL && pace_rests(&d->pace))
		log_event(LEVEL_INFO, "parked", log_text("id", a->id),
		    log_text("relay", d->name), log_text("dsn", d->dsn),
		    log_text("reason", d->text));
	dispatch_park(m);
	release(a);
}

static void
put_off(struct attempt *a)
{
	struct message *m = a->m;

	/* For good: a look too many costs little, one too few doubles. */
	m->again = m->again || a->trouble || a->unwritten;
	dispatch_wait(m, a->wait);
	release(a);
}

/*
 * All of it was for the host's sake, which rests: then the message need not
 * wait any longer than that.
 */
static bool
waits_for_host(const struct attempt *a)
{
	const struct domain *domain = a->m->domain;

	return !a->singled_out && domain != NULL &&
	    domain->destination != NULL &&
	    pace_rests(&domain->destination->pace);
}

/* Until the next attempt; parked: or the end of its destination's rest. */
static int64_t
next_wait(struct attempt *a, bool parked)
{
	struct retry_policy policy = queue_policy();
	struct message *m = a->m;
	int64_t wait =
	    schedule_wait(&policy, m->attempts, message_age(m), random_bits());
	/* Made anew when what leads where has changed meanwhile. */
	const struct destination *d =
	    parked ? domain_destination(m->domain) : NULL;
	int64_t rest =
	    d != NULL ? destination_wait(d, clock_monotonic_ms()) : wait;

	return rest < wait ? rest : wait;
}

static void
wait_for_them(struct attempt *a)
{
	struct message *m = a->m;
	int64_t now = clock_now(), tells = attempt_tells_in(a);
	bool parked;

	lead(a);
	/* A look at a parked message would come at once, again and again. */
	parked = tells != 0 && m->domain != NULL &&
	    (a->parked || waits_for_host(a));
	if (m->attempts < UINT16_MAX)
		m->attempts++;
	m->troubles = 0;
	a->wait = next_wait(a, parked);
	/* The sender hears of a delay in time, and again soon if he did not. */
	if (tells == 0)
		tells = TELL_AGAIN_MS;
	if (tells > 0 && tells < a->wait)
		a->wait = tells;
	if (m->folder == SPOOL_NEW) {
		if (spool_defer(&queue.spool, a->id) == 0)
			m->folder = SPOOL_CUR;
		else
			log_event(LEVEL_ERROR, "cannot rename",
			    log_text("id", a->id),
			    log_text("reason", strerror(errno)));
	}
	envelope_attempt_line(&a->lines, now, now + (a->wait + 999) / 1000);
	attempt_write_then(a, parked ? park : put_off);
}

/* Nothing was tried, and nothing counts. */
static void
wait_in_lane(struct attempt *a)
{
	if (!a->look)
		lead(a);
	/* A report that could not be written now is tried again. */
	if (a->m->domain != NULL && attempt_tells_in(a) != 0)
		attempt_write_then(a, park);
	else
		attempt_write_then(a, wait_for_us);
}

static void
conclude(struct attempt *a)
{
	size_t pending = envelope_count(&a->e, RECIPIENT_PENDING);
	/* Whose sender could not be told now. */
	size_t owed = envelope_count(&a->e, RECIPIENT_FAILED) +
	    owed_count(&a->e, REPORT_SUCCESS);

	if (a->m->doomed) {
		leave_spool(a, "deleted by the postmaster");
	} else if (pending + owed == 0) {
		leave_spool(a, "done");
	} else if (owed == 0 && a->deferred) {
		wait_for_them(a);
	} else if (owed == 0 && a->parked && !a->trouble) {
		wait_in_lane(a);
	} else {
		attempt_write_then(a, wait_for_us);
	}
}

/* -- failures -- */

static void
expire(struct attempt *a)
{
	const struct verdict_row *row = verdict_row(VERDICT_EXPIRED);
	char text[ENVELOPE_TEXT_MAX];

	for (size_t i = 0; i < a->e.n; i++) {
		const struct recipient *r = &a->e.recipients[i];
		bool has = r->text != NULL && r->text[0] != '\0';
		struct result result = {.state = RECIPIENT_FAILED,
		    .dsn = row->enhanced,
		    .relay = r->relay,
		    .text = text};

		if (r->state != RECIPIENT_PENDING)
			continue;
		snprintf(text, sizeof(text), "%s%s%.*s", row->text,
		    has ? "; last: " : "", ENVELOPE_TEXT_MAX - 80,
		    has ? r->text : "");
		attempt_note(a, i, &result);
	}
}

void
attempt_finish(struct attempt *a)
{
	struct retry_policy policy = queue_policy();

	if (a->m->doomed) {
		conclude(a);
		return;
	}
	if (schedule_expired(&policy, message_age(a->m)))
		expire(a);
	attempt_tell(a, conclude);
}
