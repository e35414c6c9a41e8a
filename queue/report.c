/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* memmem */
#include "queue/report.h"

#include <stdio.h>
#include <string.h>

#include "common/utf8.h"
#include "queue/report-parts.h"

/* -- the header -- */

static bool
all_delivered(const struct report *r)
{
	for (size_t i = 0; i < r->e->n; i++)
		if (report_is_about(r, i) &&
		    strcmp(owed_action(r->e, i, r->kind), "delivered") != 0)
			return false;
	return true;
}

static const char *
subject(const struct report *r)
{
	switch (r->kind) {
	case REPORT_FAILURE:
		return r->copy ? "Postmaster's copy: a message could not be "
				 "delivered"
			       : "Your message could not be delivered";
	case REPORT_DELAY:
		return "Your message is delayed";
	default:
		return all_delivered(r) ? "Your message was delivered"
					: "Your message was passed on";
	}
}

static void
add_header(struct report *r)
{
	buf_addf(&r->text, "Return-Path: <>\nDelivered-To: %s\n", r->to);
	r->start = r->text.len;
	report_date(r, "Date", r->now);
	buf_addf(&r->text,
	    "From: Mail Delivery System <MAILER-DAEMON@%s>\nTo: <%s>\n"
	    "Subject: %s\n"
	    "Message-ID: <%s@%s>\n",
	    r->hostname, r->to, subject(r), r->own_id, r->hostname);
	report_thread(r);
	/* A copy answers nobody (RFC 3834 section 5). */
	buf_addf(&r->text,
	    "Auto-Submitted: %s\n"
	    "MIME-Version: 1.0\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\n"
	    "\tboundary=\"%s\"\n",
	    r->copy ? "auto-generated" : "auto-replied", r->boundary);
	if (r->eight_bit)
		buf_adds(&r->text, "Content-Transfer-Encoding: 8bit\n");
	buf_adds(&r->text, "\nThis is a report in MIME format (RFC 3464).\n");
}

/* One that does not occur in what is returned. */
static void
choose_boundary(struct report *r)
{
	size_t n;

	snprintf(r->boundary, sizeof(r->boundary) - 1, "=_%s", r->own_id);
	for (n = strlen(r->boundary); n < sizeof(r->boundary) - 1; n++) {
		if (r->n < n || memmem(r->octets, r->n, r->boundary, n) == NULL)
			break;
		r->boundary[n] = 'x';
		r->boundary[n + 1] = '\0';
	}
}

bool
report_compose(struct report *r)
{
	size_t n = report_returns_all(r) ? r->n : report_header_length(r);

	r->text = BUF_INIT(REPORT_MAX);
	r->utf8 = !utf8_is_ascii(r->to, strlen(r->to));
	r->eight_bit =
	    report_is_global(r) || r->utf8 || !utf8_is_ascii(r->octets, n);
	choose_boundary(r);
	add_header(r);
	report_explain(r);
	report_status(r);
	report_return(r);
	r->wire = r->text.len;
	for (size_t i = 0; i < r->text.len; i++)
		r->wire += r->text.data[i] == '\n';
	return buf_ok(&r->text);
}
