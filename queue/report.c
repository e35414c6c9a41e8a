/* SPDX-License-Identifier: ISC */
#include "queue/report.h"

#include <string.h>

#include "common/clock.h"
#include "common/utf8.h"

enum { LINE_MAX_OCTETS = 998, WRAP = 72 }; /* RFC 5322 section 2.1.1 */

static bool
is_ascii(const char *text)
{
	return utf8_is_ascii(text, strlen(text));
}

/* Whether the message is internationalized: then so is what we say of it. */
static bool
is_global(const struct report *r)
{
	return r->e->utf8;
}

/* -- safe pieces -- */

/* What strangers said, on one line: no control characters, well-formed. */
static void
add_clean(struct report *r, const char *text, size_t n)
{
	uint32_t code;
	size_t length;

	for (; n > 0; text += length, n -= length) {
		length = utf8_decode(text, n, &code);
		if (length == 1 && code >= ' ' && code != 0x7f) {
			buf_addc(&r->text, *text);
		} else if (length > 1 && code > 0x9f && is_global(r)) {
			buf_add(&r->text, text, length);
		} else {
			buf_addc(&r->text, '?');
			if (length == 0)
				length = 1;
		}
	}
}

/* Folded at blanks; a word that is too long by itself is cut in two. */
static void
add_wrapped(
    struct report *r, const char *text, size_t column, const char *indent)
{
	while (*text != '\0') {
		size_t word = strcspn(text, " ");

		if (word > LINE_MAX_OCTETS / 2)
			word = LINE_MAX_OCTETS / 2;
		if (column + word > WRAP && column > strlen(indent)) {
			buf_addf(&r->text, "\n%s", indent);
			column = strlen(indent);
		}
		add_clean(r, text, word);
		column += word + 1;
		text += word;
		if (*text == ' ') {
			buf_addc(&r->text, ' ');
			text += strspn(text, " ");
		}
	}
	buf_addc(&r->text, '\n');
}

/* RFC 6533 section 3: utf-8-addr-xtext where only ASCII may stand. */
static void
add_address(struct report *r, const char *address)
{
	size_t n = strlen(address), length;
	uint32_t code;

	if (is_ascii(address) || is_global(r)) {
		add_clean(r, address, n);
		return;
	}
	for (; n > 0; address += length, n -= length) {
		length = utf8_decode(address, n, &code);
		if (length == 1 && code != '\\' && code != '+' && code != '=')
			add_clean(r, address, 1);
		else
			buf_addf(
			    &r->text, "\\x{%04X}", length > 0 ? code : 0xfffd);
		if (length == 0)
			length = 1;
	}
}

static void
add_date(struct report *r, const char *name, int64_t when)
{
	char date[CLOCK_DATE_SIZE];

	clock_date((time_t)when, date);
	buf_addf(&r->text, "%s: %s\n", name, date);
}

static void
begin_part(struct report *r, const char *type, bool eight_bit)
{
	buf_addf(&r->text, "\n--=_%s\nContent-Type: %s\n", r->own_id, type);
	if (eight_bit)
		buf_adds(&r->text, "Content-Transfer-Encoding: 8bit\n");
	buf_addc(&r->text, '\n');
}

/* -- the header -- */

static void
add_header(struct report *r)
{
	const struct envelope *e = r->e;

	buf_adds(&r->text, "Return-Path: <>\nDelivered-To: ");
	buf_adds(&r->text, e->sender);
	buf_addc(&r->text, '\n');
	r->start = r->text.len;
	add_date(r, "Date", r->now);
	buf_addf(&r->text,
	    "From: Mail Delivery System <MAILER-DAEMON@%s>\nTo: <%s>\n",
	    r->hostname, e->sender);
	buf_addf(&r->text,
	    "Subject: Your message could not be delivered\n"
	    "Message-ID: <%s@%s>\n"
	    "Auto-Submitted: auto-replied\n"
	    "MIME-Version: 1.0\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\n"
	    "\tboundary=\"=_%s\"\n",
	    r->own_id, r->hostname, r->own_id);
	if (r->eight_bit)
		buf_adds(&r->text, "Content-Transfer-Encoding: 8bit\n");
	buf_adds(&r->text, "\nThis is a report in MIME format (RFC 3464).\n");
}

/* -- for people -- */

static void
explain_recipient(struct report *r, size_t index)
{
	const struct recipient *failed = &r->e->recipients[index];
	const struct recipient *original = envelope_original(r->e, index);

	buf_adds(&r->text, "\n<");
	add_address(r, failed->address);
	buf_addc(&r->text, '>');
	if (original != failed) {
		buf_adds(&r->text, " (for <");
		add_address(r, original->address);
		buf_adds(&r->text, ">)");
	}
	buf_adds(&r->text, ":\n    ");
	add_wrapped(r,
	    failed->text != NULL && failed->text[0] != '\0' ? failed->text
							    : "no reason given",
	    4, "    ");
}

static void
add_explanation(struct report *r)
{
	begin_part(r,
	    is_global(r) ? "text/plain; charset=utf-8"
			 : "text/plain; charset=us-ascii",
	    is_global(r));
	buf_addf(&r->text,
	    "This is the mail system at %s.\n\n"
	    "Your message could not be delivered to the recipients below, and\n"
	    "will not be tried again for them.  Its header is attached.\n",
	    r->hostname);
	for (size_t i = 0; i < r->e->n; i++)
		if (r->e->recipients[i].state == RECIPIENT_FAILED)
			explain_recipient(r, i);
}

/* -- for programs, RFC 3464 section 2 -- */

static const char *
address_type(const char *address)
{
	return is_ascii(address) ? "rfc822" : "utf-8";
}

/* host[address]:port, as deliver says it; the host is the Remote-MTA. */
static bool
add_remote_mta(struct report *r, const char *relay)
{
	const char *bracket = relay != NULL ? strchr(relay, '[') : NULL;

	if (bracket == NULL || bracket == relay)
		return false;
	buf_adds(&r->text, "Remote-MTA: dns; ");
	add_clean(r, relay, (size_t)(bracket - relay));
	buf_addc(&r->text, '\n');
	return true;
}

static void
add_status(struct report *r, size_t index)
{
	const struct recipient *failed = &r->e->recipients[index];
	const struct recipient *original = envelope_original(r->e, index);
	const char *type = "x-postrider; ";

	buf_addc(&r->text, '\n');
	if (original != failed) {
		buf_addf(&r->text, "Original-Recipient: %s; ",
		    address_type(original->address));
		add_address(r, original->address);
		buf_addc(&r->text, '\n');
	}
	buf_addf(
	    &r->text, "Final-Recipient: %s; ", address_type(failed->address));
	add_address(r, failed->address);
	buf_addf(&r->text, "\nAction: failed\nStatus: %s\n",
	    failed->dsn[0] == '5' ? failed->dsn : "5.0.0");
	if (add_remote_mta(r, failed->relay))
		type = "smtp; ";
	if (failed->text != NULL && failed->text[0] != '\0') {
		buf_addf(&r->text, "Diagnostic-Code: %s", type);
		add_wrapped(r, failed->text, 17 + strlen(type), "\t");
	}
	add_date(r, "Last-Attempt-Date", failed->when);
}

static void
add_delivery_status(struct report *r)
{
	begin_part(r,
	    is_global(r) ? "message/global-delivery-status"
			 : "message/delivery-status",
	    is_global(r));
	buf_addf(&r->text, "Reporting-MTA: dns; %s\nX-Postrider-ID: %s\n",
	    r->hostname, r->id);
	add_date(r, "Arrival-Date", r->e->time);
	for (size_t i = 0; i < r->e->n; i++)
		if (r->e->recipients[i].state == RECIPIENT_FAILED)
			add_status(r, i);
}

/* -- the message's own header -- */

/* Up to the empty line, or to the last whole line that was read. */
static size_t
header_length(const char *octets, size_t n)
{
	size_t end = 0;

	while (end < n && octets[end] != '\n') {
		const char *next = memchr(octets + end, '\n', n - end);

		if (next == NULL)
			break;
		end = (size_t)(next - octets) + 1;
	}
	return end;
}

static void
add_returned_line(struct report *r, const char *line, size_t n)
{
	if (n > LINE_MAX_OCTETS)
		n = LINE_MAX_OCTETS;
	for (size_t i = 0; i < n; i++) {
		bool control = line[i] == '\0' || line[i] == '\r';

		buf_addc(&r->text, control ? '?' : line[i]);
	}
	buf_addc(&r->text, '\n');
}

static void
add_returned_header(struct report *r, size_t n)
{
	bool ascii = utf8_is_ascii(r->header, n);
	size_t end, at = 0;

	begin_part(r,
	    is_global(r) ? "message/global-headers" : "text/rfc822-headers",
	    !ascii);
	for (; at < n; at = end + 1) {
		const char *next = memchr(r->header + at, '\n', n - at);

		end = next != NULL ? (size_t)(next - r->header) : n;
		add_returned_line(r, r->header + at, end - at);
	}
	buf_addf(&r->text, "\n--=_%s--\n", r->own_id);
}

bool
report_compose(struct report *r)
{
	size_t n = header_length(r->header, r->nheader);

	r->text = BUF_INIT(REPORT_MAX);
	r->utf8 = !is_ascii(r->e->sender);
	r->eight_bit = is_global(r) || r->utf8 || !utf8_is_ascii(r->header, n);
	add_header(r);
	add_explanation(r);
	add_delivery_status(r);
	add_returned_header(r, n);
	r->wire = r->text.len;
	for (size_t i = 0; i < r->text.len; i++)
		r->wire += r->text.data[i] == '\n';
	return buf_ok(&r->text);
}
