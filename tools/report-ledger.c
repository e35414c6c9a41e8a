/* SPDX-License-Identifier: ISC */
#include "tools/report-ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/admin.h"
#include "common/clock.h"
#include "common/protocol.h"

enum { ANSWER_MS = 30000 };

int
ledger_connect(struct ledger_link *l, const struct config *config)
{
	l->wrong = NULL;
	l->fd = admin_connect(config, "ledger");
	return l->fd == -1 ? -1 : 0;
}

static bool
ask(struct ledger_link *l)
{
	enum ipc_result result =
	    ipc_call(l->fd, &l->packet, clock_monotonic_ms() + ANSWER_MS);

	l->wrong = result == IPC_OK ? NULL
	    : result == IPC_TIMEOUT ? "does not answer"
	    : result == IPC_CLOSED  ? "closed the connection"
				    : strerror(errno);
	if (result == IPC_OK)
		packet_close(&l->packet);
	return result == IPC_OK;
}

static bool
malformed(struct ledger_link *l)
{
	l->wrong = "malformed answer";
	return false;
}

bool
ledger_begin(struct ledger_link *l)
{
	packet_start(&l->packet, "report-begin");
	return ask(l) &&
	    (packet_is(&l->packet, "done") ||
		(packet_is(&l->packet, "failed") ? false : malformed(l)));
}

bool
ledger_next(struct ledger_link *l, struct ledger_day *d)
{
	const char *domain, *policy, *rua;
	uint64_t day, reported;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("day", &day),
	    ATTRIBUTE_TEXT("domain", LEDGER_DOMAIN_MAX, &domain),
	    ATTRIBUTE_TEXT("policy", REPORT_POLICY_MAX, &policy),
	    ATTRIBUTE_TEXT("rua", REPORT_RUA_MAX, &rua),
	    ATTRIBUTE_NUMBER("messages", &d->messages),
	    ATTRIBUTE_NUMBER("reported", &reported)};

	packet_start(&l->packet, "report-next");
	packet_number(&l->packet, "day", d->day);
	packet_text(&l->packet, "domain", d->domain);
	if (!ask(l) || packet_is(&l->packet, "none"))
		return false;
	if (!packet_read(&l->packet, "report", set, 6, 0) || day > UINT32_MAX ||
	    day < d->day || (day == d->day && strcmp(domain, d->domain) <= 0))
		return malformed(l);
	d->day = (uint32_t)day;
	d->reported = reported != 0;
	snprintf(d->domain, sizeof(d->domain), "%s", domain);
	snprintf(d->policy, sizeof(d->policy), "%s", policy);
	snprintf(d->rua, sizeof(d->rua), "%s", rua);
	return true;
}

/* "COUNT TAB TEXT"; false: malformed. */
static bool
give_row(const char *value,
    void (*row)(void *context, uint64_t count, char *text), void *context)
{
	struct cursor c = cursor_over(value, strlen(value));
	uint64_t count = cursor_decimal(&c);
	char *text;

	cursor_expect(&c, "\t");
	text = cursor_ok(&c) ? strdup((const char *)c.pos) : NULL;
	if (text == NULL)
		return false;
	row(context, count, text);
	free(text);
	return true;
}

bool
ledger_rows(struct ledger_link *l, const struct ledger_day *d,
    void (*row)(void *context, uint64_t count, char *text), void *context)
{
	uint64_t from = 0, next = 0;

	do {
		const char *name, *value;
		struct cursor c;

		from = next;
		packet_start(&l->packet, "report-rows");
		packet_number(&l->packet, "day", d->day);
		packet_text(&l->packet, "domain", d->domain);
		packet_number(&l->packet, "from", from);
		if (!ask(l))
			return false;
		if (!packet_is(&l->packet, "report-rows"))
			return malformed(l);
		c = packet_cursor(&l->packet);
		while (packet_next(&c, &name, &value)) {
			if (strcmp(name, "next") == 0)
				next = strtoull(value, NULL, 10);
			else if (strcmp(name, "row") != 0 ||
			    !give_row(value, row, context))
				return malformed(l);
		}
		if (!cursor_done(&c))
			return malformed(l);
	} while (next > from);
	return true;
}

bool
ledger_done(struct ledger_link *l, const struct ledger_day *d)
{
	packet_start(&l->packet, "report-done");
	packet_number(&l->packet, "day", d->day);
	packet_text(&l->packet, "domain", d->domain);
	return ask(l) && (packet_is(&l->packet, "done") || malformed(l));
}
