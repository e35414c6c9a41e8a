/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "common/utf8.h"
#include "queue/report-parts.h"

/* The part that returns the message, or its header. */

size_t
report_header_length(const struct report *r)
{
	size_t end = 0;

	while (end < r->n && r->octets[end] != '\n') {
		const char *next = memchr(r->octets + end, '\n', r->n - end);

		if (next == NULL)
			break;
		end = (size_t)(next - r->octets) + 1;
	}
	return end;
}

/*
 * Neither 7bit nor 8bit has room for NUL, CR or a long line, and a message
 * may not be encoded otherwise (RFC 2046 section 5.2.1).
 */
static bool
fits_8bit(const char *octets, size_t n)
{
	size_t line = 0;

	for (size_t i = 0; i < n; i++) {
		if (octets[i] == '\0' || octets[i] == '\r')
			return false;
		line = octets[i] == '\n' ? 0 : line + 1;
		if (line > REPORT_LINE_MAX)
			return false;
	}
	return true;
}

bool
report_returns_all(const struct report *r)
{
	return r->kind == REPORT_FAILURE && !r->copy && r->whole &&
	    r->e->ret == DSN_RET_FULL && fits_8bit(r->octets, r->n);
}

static void
add_line(struct report *r, const char *line, size_t n)
{
	if (n > REPORT_LINE_MAX)
		n = REPORT_LINE_MAX;
	for (size_t i = 0; i < n; i++) {
		bool control = line[i] == '\0' || line[i] == '\r';

		buf_addc(&r->text, control ? '?' : line[i]);
	}
	buf_addc(&r->text, '\n');
}

static void
return_header(struct report *r)
{
	size_t n = report_header_length(r), end, at = 0;

	report_part(r,
	    report_is_global(r) ? "message/global-headers"
				: "text/rfc822-headers",
	    !utf8_is_ascii(r->octets, n));
	for (; at < n; at = end + 1) {
		const char *next = memchr(r->octets + at, '\n', n - at);

		end = next != NULL ? (size_t)(next - r->octets) : n;
		add_line(r, r->octets + at, end - at);
	}
}

static void
return_all(struct report *r)
{
	report_part(r,
	    report_is_global(r) ? "message/global" : "message/rfc822",
	    !utf8_is_ascii(r->octets, r->n));
	buf_add(&r->text, r->octets, r->n);
	if (r->n > 0 && r->octets[r->n - 1] != '\n')
		buf_addc(&r->text, '\n');
}

void
report_return(struct report *r)
{
	if (report_returns_all(r))
		return_all(r);
	else
		return_header(r);
	buf_addf(&r->text, "\n--%s--\n", r->boundary);
}
