/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* memmem */
#include "queue/report.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

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

/* An angle-addr, or nearly one: nothing that breaks a line of ours. */
static bool
is_message_id(const char *text, size_t n)
{
	enum { ID_MAX = 250 };

	if (n < 3 || n > ID_MAX || text[0] != '<' || text[n - 1] != '>')
		return false;
	for (size_t i = 1; i < n - 1; i++)
		if (text[i] <= ' ' || text[i] > '~' || text[i] == '<' ||
		    text[i] == '>')
			return false;
	return true;
}

/* RFC 3834 section 3.1.5 */
static void
add_references(struct report *r)
{
	static const char field[] = "Message-ID:";
	size_t n = report_header_length(r), end, at = 0;

	for (; at < n; at = end + 1) {
		const char *next = memchr(r->octets + at, '\n', n - at);
		const char *line = r->octets + at;
		size_t length;

		end = next != NULL ? (size_t)(next - r->octets) : n;
		length = end - at;
		if (length < sizeof(field) ||
		    strncasecmp(line, field, sizeof(field) - 1) != 0)
			continue;
		line += sizeof(field) - 1;
		length -= sizeof(field) - 1;
		for (; length > 0 && *line == ' '; length--)
			line++;
		if (is_message_id(line, length))
			buf_addf(&r->text,
			    "In-Reply-To: %.*s\nReferences: %.*s\n",
			    (int)length, line, (int)length, line);
		return;
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
	add_references(r);
	buf_addf(&r->text,
	    "Auto-Submitted: auto-replied\n"
	    "MIME-Version: 1.0\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\n"
	    "\tboundary=\"%s\"\n",
	    r->boundary);
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
