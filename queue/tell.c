/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "queue/attempt.h"
#include "queue/bounce.h"
#include "queue/queue.h"

/*
 * What the sender is told when an attempt ends.  One kind of report after the
 * other: failures first, that they are not kept from him by anything.
 */

int64_t
attempt_tells_in(const struct attempt *a)
{
	return owed_delay_in(&a->e, message_age(a->m),
	    (int64_t)queue.config.delay_warning * 1000);
}

/* -- failures that no sender is told of -- */

/*
 * A report that could not be delivered may go to the postmaster.  What he
 * gets is of another protocol, and strangers' reports are not ours: nothing
 * comes of those, and so there is an end to it.
 */
static bool
is_for_postmaster(const struct attempt *a)
{
	return a->e.sender[0] == '\0' && queue.config.bounce_copy != NULL &&
	    strcmp(a->e.protocol, PROTOCOL_OF_REPORTS) == 0;
}

static size_t
mark_failed(struct attempt *a, const char *text, bool silent)
{
	struct outcome outcome = {
	    .state = RECIPIENT_BOUNCED, .when = clock_now(), .text = text};
	size_t n = 0;

	for (size_t i = 0; i < a->e.n; i++) {
		struct recipient *r = &a->e.recipients[i];

		if (r->state != RECIPIENT_FAILED ||
		    (silent && !owed_silence(&a->e, i)))
			continue;
		envelope_outcome_line(&a->lines, i, &outcome);
		r->state = RECIPIENT_BOUNCED;
		n++;
	}
	return n;
}

static void
keep_silent(struct attempt *a)
{
	bool null = a->e.sender[0] == '\0';
	size_t n;

	if (is_for_postmaster(a))
		return;
	n = mark_failed(a, null ? "null sender" : "not asked for", true);
	if (n > 0)
		log_event(LEVEL_WARNING, "not bounced", log_text("id", a->id),
		    log_address("from", a->e.sender),
		    log_number("recipients", (int64_t)n),
		    log_text("reason",
			null ? "the null sender gets no reports"
			     : "the sender wants no report"));
}

/* -- one report after the other -- */

static size_t
due_now(const struct attempt *a)
{
	switch (a->report) {
	case REPORT_FAILURE:
		return envelope_count(&a->e, RECIPIENT_FAILED);
	case REPORT_DELAY:
		if (attempt_tells_in(a) != 0)
			return 0;
		return owed_count(&a->e, a->report);
	default:
		return owed_count(&a->e, a->report);
	}
}

static void next_report(struct attempt *);

/* The report is made of what the file says. */
static void
ask(struct attempt *a)
{
	if (a->unwritten)
		attempt_told(a, BOUNCE_LATER, "");
	else
		bounce_ask(a);
}

static void
next_report(struct attempt *a)
{
	while (a->report < REPORT_KINDS && due_now(a) == 0)
		a->report++;
	if (a->report < REPORT_KINDS) {
		attempt_write_then(a, ask);
		return;
	}
	a->m->warned = attempt_tells_in(a) == -1;
	a->told(a);
}

void
attempt_tell(struct attempt *a, void (*then)(struct attempt *))
{
	a->told = then;
	a->report = REPORT_FAILURE;
	keep_silent(a);
	next_report(a);
}

/* -- answers -- */

static const char *const events[] = {
    [REPORT_FAILURE] = "bounced",
    [REPORT_SUCCESS] = "reported",
    [REPORT_DELAY] = "warned",
};

static const char *const refusals[] = {
    [REPORT_FAILURE] = "not bounced",
    [REPORT_SUCCESS] = "not reported",
    [REPORT_DELAY] = "not warned",
};

/* Without memory for the line it may be said again after a restart. */
static void
mark_told(struct attempt *a)
{
	size_t *index = reallocarray(NULL, a->e.n, sizeof(*index)), n = 0;

	/* None of them decides about another one. */
	for (size_t i = 0; i < a->e.n; i++) {
		struct recipient *r = &a->e.recipients[i];

		if (!owed_about(&a->e, i, a->report))
			continue;
		if (index != NULL)
			index[n++] = i;
		if (a->report == REPORT_DELAY)
			r->warned = true;
		else
			r->told = true;
	}
	if (n > 0 && a->report == REPORT_DELAY)
		envelope_warned_line(&a->lines, clock_now(), index, n);
	else if (n > 0)
		envelope_told_line(&a->lines, clock_now(), index, n);
	free(index);
}

void
attempt_told(struct attempt *a, enum bounce_answer answer, const char *report)
{
	int64_t n = (int64_t)due_now(a);
	const char *to =
	    a->e.sender[0] == '\0' ? queue.config.bounce_copy : a->e.sender;

	if (answer == BOUNCE_SENT)
		log_event(LEVEL_INFO, events[a->report], log_text("id", a->id),
		    log_address("to", to), log_number("recipients", n),
		    log_text("report", report));
	else if (answer == BOUNCE_REFUSED)
		log_event(LEVEL_WARNING, refusals[a->report],
		    log_text("id", a->id), log_address("from", a->e.sender),
		    log_number("recipients", n), log_text("reason", report));
	if (answer != BOUNCE_LATER && a->report == REPORT_FAILURE)
		(void)mark_failed(a, report, false);
	else if (answer != BOUNCE_LATER)
		mark_told(a);
	a->report++;
	next_report(a);
}
