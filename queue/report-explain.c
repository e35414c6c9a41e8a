/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "common/clock.h"
#include "queue/report-parts.h"

/* The part for people. */

static void
introduce_failure(struct report *r)
{
	const char *attached = report_returns_all(r) ? "It" : "Its header";

	if (!r->copy) {
		buf_addf(&r->text,
		    "Your message could not be delivered to the recipients "
		    "below, and\n"
		    "will not be tried again for them.  %s is attached.\n",
		    attached);
	} else if (r->e->sender[0] == '\0') {
		buf_adds(&r->text,
		    "A report of this mail system could not be delivered to "
		    "the recipients\n"
		    "below, and nobody else is told.  Its header is "
		    "attached.\n");
	} else {
		buf_adds(&r->text, "A message of <");
		report_address(r, r->e->sender);
		buf_adds(&r->text,
		    "> could not be\n"
		    "delivered to the recipients below.  The sender was told; "
		    "this is the\n"
		    "postmaster's copy.  The message's header is attached.\n");
	}
}

static void
introduce_delay(struct report *r)
{
	char date[CLOCK_DATE_SIZE];

	clock_date((time_t)r->expires, date);
	buf_addf(&r->text,
	    "Your message has not reached the recipients below yet.  You need "
	    "not send\n"
	    "it again: it will be tried until\n\n    %s\n\n"
	    "This is all that you have to know; nothing is lost.  Its header "
	    "is attached.\n",
	    date);
}

static void
introduce_success(struct report *r)
{
	buf_adds(&r->text,
	    "You asked to be told what becomes of your message.  Its header "
	    "is\nattached.\n");
}

static void (*const introduce[])(struct report *) = {
    [REPORT_FAILURE] = introduce_failure,
    [REPORT_DELAY] = introduce_delay,
    [REPORT_SUCCESS] = introduce_success,
};

static const char *
what_became(const char *action)
{
	if (strcmp(action, "expanded") == 0)
		return "passed on to the addresses that this one stands for";
	if (strcmp(action, "relayed") == 0)
		return "passed on to a mail system that may not tell you more";
	return "delivered to the mailbox";
}

static const char *
said_of(const struct report *r, size_t index)
{
	const char *text = r->e->recipients[index].text;

	if (r->kind == REPORT_SUCCESS)
		return what_became(owed_action(r->e, index, r->kind));
	if (text != NULL && text[0] != '\0')
		return text;
	return r->kind == REPORT_DELAY ? "it waits for its turn"
				       : "no reason given";
}

static void
explain_recipient(struct report *r, size_t index)
{
	const struct recipient *to = &r->e->recipients[index];
	const struct recipient *original = envelope_original(r->e, index);

	buf_adds(&r->text, "\n<");
	report_address(r, to->address);
	buf_addc(&r->text, '>');
	if (original != to) {
		buf_adds(&r->text, " (for <");
		report_address(r, original->address);
		buf_adds(&r->text, ">)");
	}
	buf_adds(&r->text, ":\n    ");
	report_wrapped(r, said_of(r, index), 4, "    ");
}

void
report_explain(struct report *r)
{
	bool global = report_is_global(r);

	report_part(r,
	    global ? "text/plain; charset=utf-8"
		   : "text/plain; charset=us-ascii",
	    global);
	buf_addf(&r->text, "This is the mail system at %s.\n\n", r->hostname);
	introduce[r->kind](r);
	for (size_t i = 0; i < r->e->n; i++)
		if (report_is_about(r, i))
			explain_recipient(r, i);
}
