/* SPDX-License-Identifier: ISC */
#include "queue/owed.h"

#include <string.h>

static const char *const names[] = {
    [REPORT_FAILURE] = "failure",
    [REPORT_SUCCESS] = "success",
    [REPORT_DELAY] = "delay",
};

const char *
report_kind_name(enum report_kind kind)
{
	return names[kind];
}

bool
report_kind_named(const char *name, enum report_kind *kind)
{
	for (int i = 0; i < REPORT_KINDS; i++)
		if (strcmp(names[i], name) == 0) {
			*kind = (enum report_kind)i;
			return true;
		}
	return false;
}

/* NOTIFY, and where it was absent: failures and delays (section 4.1). */
static bool
is_asked(const struct envelope *e, size_t index, unsigned bit)
{
	unsigned notify = envelope_notify(e, index);

	if (notify == 0)
		return bit != DSN_SUCCESS;
	return (notify & bit) != 0;
}

/* Names of Maildirs (queue/local.c) */
static bool
is_in_maildir(const struct recipient *r)
{
	return r->relay != NULL &&
	    (strncmp(r->relay, "mailbox:", 8) == 0 ||
		strncmp(r->relay, "system:", 7) == 0);
}

/* Sections 5.2.2 (b), 5.2.3 (a), 5.2.7.2, 5.2.7.3 (c) */
static bool
is_success_to_tell(const struct recipient *r)
{
	if (r->told || r->gone)
		return false;
	if (r->state == RECIPIENT_EXPANDED)
		return r->members != 1;
	return r->state == RECIPIENT_DELIVERED &&
	    (r->relayed || is_in_maildir(r));
}

bool
owed_about(const struct envelope *e, size_t index, enum report_kind kind)
{
	const struct recipient *r = &e->recipients[index];

	if (e->sender[0] == '\0')
		return false;
	switch (kind) {
	case REPORT_FAILURE:
		return r->state == RECIPIENT_FAILED &&
		    is_asked(e, index, DSN_FAILURE);
	case REPORT_SUCCESS:
		return is_success_to_tell(r) && is_asked(e, index, DSN_SUCCESS);
	default:
		return r->state == RECIPIENT_PENDING && !r->warned &&
		    is_asked(e, index, DSN_DELAY);
	}
}

size_t
owed_count(const struct envelope *e, enum report_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < e->n; i++)
		n += owed_about(e, i, kind);
	return n;
}

bool
owed_by_wish(const struct envelope *e, enum report_kind kind)
{
	for (size_t i = 0; i < e->n; i++)
		if (owed_about(e, i, kind) && envelope_notify(e, i) != 0)
			return true;
	return false;
}

bool
owed_silence(const struct envelope *e, size_t index)
{
	return e->recipients[index].state == RECIPIENT_FAILED &&
	    !owed_about(e, index, REPORT_FAILURE);
}

const char *
owed_action(const struct envelope *e, size_t index, enum report_kind kind)
{
	const struct recipient *r = &e->recipients[index];

	if (kind == REPORT_FAILURE)
		return "failed";
	if (kind == REPORT_DELAY)
		return "delayed";
	if (r->state == RECIPIENT_EXPANDED)
		return "expanded";
	return is_in_maildir(r) ? "delivered" : "relayed";
}

int64_t
owed_delay_in(const struct envelope *e, int64_t age_ms, int64_t warning_ms)
{
	if (warning_ms == 0 || owed_count(e, REPORT_DELAY) == 0)
		return -1;
	return warning_ms > age_ms ? warning_ms - age_ms : 0;
}
