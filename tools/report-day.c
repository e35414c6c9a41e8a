/* SPDX-License-Identifier: ISC */
#include "tools/report-day.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "common/clock.h"
#include "common/idn.h"
#include "common/print.h"
#include "tools/report-mail.h"
#include "tools/report-unpack.h"
#include "tools/report-uri.h"
#include "tools/report.h"

enum {
	DAY_S = 86400,
	DNS_MS = 15000,    /* about one domain */
	PATIENCE_DAYS = 5, /* with name servers */
	RECORD_OCTETS_MAX = 6 * REPORT_ROW_MAX + 4096, /* &quot; */
	RECORDS_OCTETS_MAX = 16 << 20,
	XML_OCTETS_MAX = RECORDS_OCTETS_MAX + 65536,
	MAIL_OCTETS_MAX = 32 << 20
};

/* What a report is made of. */
struct day {
	struct sending *s;
	const struct ledger_day *of;
	struct report_facts facts;
	struct destinations to;
	char policy[REPORT_POLICY_MAX + 1];
	char id[REPORT_ID_SIZE];
	char from[ADDRESS_TEXT_MAX + 1];
	char error[128];
	struct buf records;
	uint64_t counted; /* messages in them */
	size_t nrecords;
};

/* -- what is told -- */

static void
say_day(const struct day *d)
{
	time_t when = (time_t)d->of->day * DAY_S;
	char text[16] = "?";
	struct tm tm;

	if (gmtime_r(&when, &tm) != NULL)
		strftime(text, sizeof(text), "%Y-%m-%d", &tm);
	printf("%s ", text);
	print_clean(d->of->domain);
}

static void
say(const struct day *d, const char *what, const char *about)
{
	if (!d->s->verbose && !d->s->dry_run)
		return;
	say_day(d);
	printf(": %s", what);
	if (*about != '\0') {
		putchar(' ');
		print_clean(about);
	}
	putchar('\n');
}

/* -- the report -- */

/*
 * Who the reports are from; the default is whom postmaster's mail goes to.
 * Not every host takes names of domains but in ASCII.
 */
static void
find_sender(const struct config *c, char out[ADDRESS_TEXT_MAX + 1])
{
	char text[ADDRESS_TEXT_MAX + 1], domain[DNS_NAME_MAX + 1], *at;
	const char *address =
	    c->dmarc_report_from != NULL ? c->dmarc_report_from : c->postmaster;

	if (address != NULL)
		snprintf(text, sizeof(text), "%s", address);
	else
		snprintf(text, sizeof(text), "postmaster@%s",
		    c->domains.n > 0 ? c->domains.items[0] : c->hostname);
	at = strrchr(text, '@');
	if (!idn_to_ascii(at + 1, domain))
		snprintf(domain, sizeof(domain), "%s", c->hostname);
	*at = '\0';
	snprintf(out, ADDRESS_TEXT_MAX + 1, "%.*s@%s", ADDRESS_LOCAL_MAX, text,
	    domain);
}

static void
take_row(void *context, uint64_t count, char *text)
{
	struct day *d = context;
	struct report_row_text row;

	/* One that is broken, or too much, is missing and counted as that. */
	if (!report_row_read(text, &row) ||
	    d->records.len > RECORDS_OCTETS_MAX - RECORD_OCTETS_MAX)
		return;
	xml_record(&d->records, count, &row);
	d->counted += count;
	d->nrecords++;
}

static void
state_facts(struct day *d)
{
	const struct config *c = d->s->config;
	int64_t begin = (int64_t)d->of->day * DAY_S;

	report_id(d->id, c->hostname, d->of->domain, d->of->day);
	d->facts.organization = strrchr(d->from, '@') + 1;
	d->facts.email = d->from;
	d->facts.id = d->id;
	d->facts.begin = begin;
	d->facts.end = begin + DAY_S - 1;
	d->facts.domain = d->of->domain;
	if (d->counted >= d->of->messages)
		return;
	snprintf(d->error, sizeof(d->error),
	    "%" PRIu64 " more messages are in no record: they differed in too "
	    "many ways",
	    d->of->messages - d->counted);
	d->facts.error = d->error;
}

static bool
write_xml(struct day *d, struct buf *out)
{
	state_facts(d);
	xml_begin(out, &d->facts);
	if (!buf_ok(&d->records) ||
	    !buf_add(out, d->records.data, d->records.len))
		return false;
	xml_end(out);
	return buf_text(out) != NULL;
}

/* -- to whom -- */

static int
send_to(struct day *d, const struct report_mail *mail)
{
	struct buf message = BUF_INIT(MAIL_OCTETS_MAX);
	enum verdict verdict;
	const char *why;
	int code = EX_OK;

	if (!mail_write(mail, &message)) {
		code = report_fail(EX_OSERR, d->of->domain, "out of memory");
	} else {
		verdict = mail_submit(mail, &message, &why);
		d->s->mails++;
		if (verdict_is_success(verdict))
			say(d, "sent to", mail->to);
		else if (why != NULL || verdict_row(verdict)->smtp < 500)
			code = report_fail(EX_TEMPFAIL, "queue",
			    why != NULL ? why : verdict_row(verdict)->text);
		else
			say(d, "refused by our own queue, to", mail->to);
	}
	buf_free(&message);
	return code;
}

static int
send_to_all(struct day *d, const struct buf *xml)
{
	struct buf packed = BUF_INIT(XML_OCTETS_MAX);
	struct report_mail mail = {.config = d->s->config,
	    .facts = &d->facts,
	    .from = d->from,
	    .xml = xml,
	    .now = (time_t)d->s->mailauth.now};
	int code = EX_OK;

	if (pack_gzip(xml->data, xml->len, &packed))
		mail.packed = &packed;
	for (size_t i = 0; i < d->to.n && code == EX_OK; i++) {
		mail.to = d->to.address[i];
		code = send_to(d, &mail);
	}
	buf_free(&packed);
	return code;
}

static void
show(struct day *d, const struct buf *xml)
{
	for (size_t i = 0; i < d->to.n; i++)
		say(d, "to", d->to.address[i]);
	say_day(d);
	printf(": %" PRIu64 " message%s in %zu record%s\n", d->of->messages,
	    d->of->messages == 1 ? "" : "s", d->nrecords,
	    d->nrecords == 1 ? "" : "s");
	if (d->s->verbose)
		fwrite(xml->data, 1, xml->len, stdout);
}

/* -- all of it -- */

static int
build_and_send(struct day *d)
{
	struct buf xml = BUF_INIT(XML_OCTETS_MAX);
	int code = EX_OK;

	d->records = BUF_INIT(RECORDS_OCTETS_MAX);
	if (!ledger_rows(&d->s->ledger, d->of, take_row, d))
		code = report_fail(EX_TEMPFAIL, "ledger", d->s->ledger.wrong);
	else if (d->nrecords == 0)
		say(d, "no records", "");
	else if (!write_xml(d, &xml))
		code = report_fail(EX_OSERR, d->of->domain, "out of memory");
	else if (d->s->dry_run)
		show(d, &xml);
	else
		code = send_to_all(d, &xml);
	buf_free(&xml);
	buf_free(&d->records);
	return code;
}

/* False: nobody knows yet to whom. */
static bool
find_destinations(struct day *d, uint32_t age)
{
	dns_deadline(d->s->dns, clock_monotonic_ms() + DNS_MS);
	destinations_find(&d->s->mailauth, d->of->domain, d->of->rua, &d->to);
	if (d->to.refused > 0)
		say(d, "not sent to", d->to.reason);
	if (!d->to.trouble || age >= PATIENCE_DAYS)
		return true;
	say(d, "the DNS does not tell where to; to be tried again", "");
	return false;
}

int
day_report(struct sending *s, const struct ledger_day *of, uint32_t age)
{
	struct day d = {.s = s, .of = of};
	int code = EX_OK;

	memcpy(d.policy, of->policy, sizeof(d.policy));
	find_sender(s->config, d.from);
	if (!report_policy_read(d.policy, &d.facts.policy))
		say(&d, "a broken policy in ledger:", of->policy);
	else if (!find_destinations(&d, age))
		return EX_OK;
	else if (d.to.n == 0)
		say(&d, "nobody to send to", "");
	else
		code = build_and_send(&d);
	if (code == EX_OK && !s->dry_run && !ledger_done(&s->ledger, of))
		code = report_fail(EX_TEMPFAIL, "ledger", s->ledger.wrong);
	return code;
}
