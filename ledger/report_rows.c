/* SPDX-License-Identifier: ISC */
#include "ledger/report_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/protocol.h"
#include "common/report_row.h"
#include "ledger/ledger.h"
#include "ledger/reports.h"

_Static_assert((int)REPORTS_ROW_MAX >= (int)REPORT_ROW_MAX &&
	(int)REPORTS_POLICY_MAX >= (int)REPORT_POLICY_MAX &&
	(int)REPORTS_RUA_MAX >= (int)REPORT_RUA_MAX,
    "what smtpd may write is kept");

/* Who sends reports now: one at a time, or some would go out twice. */
static const struct peer *reporter;

/* -- smtpd -- */

static bool
is_plain(const char *text, bool tabs)
{
	for (; *text != '\0'; text++)
		if (((unsigned char)*text < ' ' && !(tabs && *text == '\t')) ||
		    *text == 0x7f)
			return false;
	return true;
}

bool
smtpd_packet(struct peer *peer, struct packet *p)
{
	const char *domain, *policy, *rua, *text;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("domain", REPORTS_DOMAIN_MAX, &domain),
	    ATTRIBUTE_TEXT("policy", REPORTS_POLICY_MAX, &policy),
	    ATTRIBUTE_TEXT("rua", REPORTS_RUA_MAX, &rua),
	    ATTRIBUTE_TEXT("text", REPORTS_ROW_MAX, &text)};

	(void)peer;
	if (!packet_read(p, "row", set, 4, 0) || *domain == '\0' ||
	    !is_plain(domain, false) || !is_plain(policy, false) ||
	    !is_plain(rua, false) || !is_plain(text, true))
		return false;
	if (ledger.config.dmarc_reports) {
		reports_count(domain, policy, rua, text, clock_now());
		ledger_changed();
	}
	return true;
}

/* -- postrider-report -- */

static bool
begin(struct peer *peer, struct packet *p)
{
	static struct packet answer;
	bool free_now = reporter == NULL || reporter == peer;

	if (!packet_read(p, "report-begin", NULL, 0, 0))
		return false;
	packet_start(&answer, free_now ? "done" : "failed");
	if (free_now)
		reporter = peer;
	else
		packet_text(&answer, "reason", "reports are being sent");
	peer_send(peer, &answer);
	return true;
}

static bool
next(struct peer *peer, struct packet *p)
{
	static struct packet answer;
	const struct report_day *d;
	const char *domain;
	uint64_t day;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("day", &day),
	    ATTRIBUTE_TEXT("domain", REPORTS_DOMAIN_MAX, &domain)};

	if (!packet_read(p, "report-next", set, 2, 0) || day > UINT32_MAX)
		return false;
	d = reports_after((uint32_t)day, domain);
	packet_start(&answer, d != NULL ? "report" : "none");
	if (d != NULL) {
		packet_number(&answer, "day", d->day);
		packet_text(&answer, "domain", d->domain);
		packet_text(&answer, "policy", d->policy);
		packet_text(&answer, "rua", d->rua);
		packet_number(&answer, "messages", d->messages);
		packet_number(&answer, "reported", d->reported);
	}
	peer_send(peer, &answer);
	return true;
}

/* As many as fit into a packet, and the number of the next. */
static void
add_rows(struct packet *answer, const struct report_day *d, uint64_t from)
{
	char text[REPORTS_ROW_MAX + 32];
	size_t i;

	for (i = (size_t)from; i < d->n && i - from < IPC_TOGETHER_MAX; i++) {
		int n = snprintf(text, sizeof(text), "%" PRIu64 "\t%s",
		    d->rows[i]->count, report_row_text(d->rows[i]));

		if (answer->len + (size_t)n + 64 > IPC_PACKET_MAX)
			break;
		packet_text(answer, "row", text);
	}
	if (i < d->n)
		packet_number(answer, "next", i);
}

static bool
rows(struct peer *peer, struct packet *p)
{
	static struct packet answer;
	const struct report_day *d;
	const char *domain;
	uint64_t day, from;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("day", &day),
	    ATTRIBUTE_TEXT("domain", REPORTS_DOMAIN_MAX, &domain),
	    ATTRIBUTE_NUMBER("from", &from)};

	if (!packet_read(p, "report-rows", set, 3, 0) || day > UINT32_MAX ||
	    from > REPORTS_DAY_ROWS_MAX)
		return false;
	d = reports_find((uint32_t)day, domain);
	packet_start(&answer, "report-rows");
	if (d != NULL)
		add_rows(&answer, d, from);
	peer_send(peer, &answer);
	return true;
}

static bool
done(struct peer *peer, struct packet *p)
{
	static struct packet answer;
	struct report_day *d;
	const char *domain;
	uint64_t day;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("day", &day),
	    ATTRIBUTE_TEXT("domain", REPORTS_DOMAIN_MAX, &domain)};

	if (!packet_read(p, "report-done", set, 2, 0) || day > UINT32_MAX ||
	    reporter != peer)
		return false;
	d = reports_find((uint32_t)day, domain);
	if (d != NULL)
		reports_done(d);
	packet_start(&answer, "done");
	peer_send(peer, &answer);
	ledger_changed();
	return true;
}

bool
report_is_verb(const struct packet *p)
{
	return strncmp(packet_verb(p), "report-", 7) == 0;
}

bool
report_packet(struct peer *peer, struct packet *p)
{
	if (packet_is(p, "report-begin"))
		return begin(peer, p);
	if (packet_is(p, "report-next"))
		return next(peer, p);
	return packet_is(p, "report-rows") ? rows(peer, p) : done(peer, p);
}

void
report_gone(const struct peer *peer)
{
	if (reporter == peer)
		reporter = NULL;
}
