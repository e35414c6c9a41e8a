/* SPDX-License-Identifier: ISC */
#include "tools/report-mail.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base64.h"
#include "common/clock.h"

enum { LINE_OCTETS = 57 }; /* 76 letters, RFC 2045 section 6.8 */

/* FNV-1a, 64 bits: who would gain by two reports with one id? */
static uint64_t
hash(uint64_t state, const char *text)
{
	do
		state = (state ^ (unsigned char)*text) * 1099511628211u;
	while (*text++ != '\0');
	return state;
}

void
report_id(char out[REPORT_ID_SIZE], const char *hostname, const char *domain,
    uint32_t day)
{
	uint64_t sum = hash(hash(14695981039346656037u, hostname), domain);

	snprintf(out, REPORT_ID_SIZE, "%" PRIu32 "x%016" PRIx64, day, sum);
}

static void
add_base64(struct buf *out, const struct buf *in)
{
	char line[BASE64_LENGTH(LINE_OCTETS) + 1];

	for (size_t i = 0; i < in->len; i += LINE_OCTETS) {
		size_t n = in->len - i;

		base64_encode(
		    in->data + i, n < LINE_OCTETS ? n : LINE_OCTETS, line);
		buf_addf(out, "%s\n", line);
	}
}

static void
add_header(const struct report_mail *m, struct buf *out)
{
	const struct report_facts *f = m->facts;
	const char *hostname = m->config->hostname;
	char date[CLOCK_DATE_SIZE];

	clock_date(m->now, date);
	buf_addf(out, "Date: %s\nFrom: <%s>\nTo: <%s>\n", date, m->from, m->to);
	buf_addf(out,
	    "Subject: Report Domain: %s\n\tSubmitter: %s\n\tReport-ID: <%s>\n",
	    f->domain, hostname, f->id);
	buf_addf(out, "Message-ID: <%s.%08" PRIx32 "@%s>\n", f->id,
	    (uint32_t)hash(14695981039346656037u, m->to), hostname);
	buf_addf(out,
	    "Auto-Submitted: auto-generated\nMIME-Version: 1.0\n"
	    "Content-Type: multipart/mixed; boundary=\"%s\"\n\n",
	    f->id);
}

static void
add_text(const struct report_mail *m, struct buf *out)
{
	const struct report_facts *f = m->facts;
	time_t begin = (time_t)f->begin;
	char day[16] = "";
	struct tm tm;

	if (gmtime_r(&begin, &tm) != NULL)
		strftime(day, sizeof(day), "%Y-%m-%d", &tm);
	buf_addf(out,
	    "--%s\nContent-Type: text/plain; charset=us-ascii\n\n"
	    "This is the aggregate report (DMARC) of %s about mail in the\n"
	    "name of %s that came in on %s (UTC).\n\n",
	    f->id, m->config->hostname, f->domain, day);
}

static void
add_report(const struct report_mail *m, struct buf *out)
{
	const struct report_facts *f = m->facts;
	bool packed = m->packed != NULL;

	buf_addf(out,
	    "--%s\nContent-Type: %s\nContent-Transfer-Encoding: base64\n"
	    "Content-Disposition: attachment;\n"
	    "\tfilename=\"%s!%s!%" PRId64 "!%" PRId64 "!%s.xml%s\"\n\n",
	    f->id, packed ? "application/gzip" : "text/xml",
	    m->config->hostname, f->domain, f->begin, f->end, f->id,
	    packed ? ".gz" : "");
	add_base64(out, packed ? m->packed : m->xml);
	buf_addf(out, "--%s--\n", f->id);
}

bool
mail_write(const struct report_mail *m, struct buf *out)
{
	add_header(m, out);
	add_text(m, out);
	add_report(m, out);
	return buf_ok(out);
}
