/* SPDX-License-Identifier: ISC */
#include "queue/report-parts.h"

#include <string.h>

#include "common/clock.h"
#include "common/dsn.h"
#include "common/utf8.h"

enum { WRAP = 72 };

bool
report_is_about(const struct report *r, size_t index)
{
	/* What the null sender is not told the postmaster may be. */
	if (r->copy && r->e->sender[0] == '\0')
		return r->e->recipients[index].state == RECIPIENT_FAILED;
	return owed_about(r->e, index, r->kind);
}

bool
report_is_global(const struct report *r)
{
	return r->e->utf8;
}

void
report_clean(struct report *r, const char *text, size_t n)
{
	uint32_t code;
	size_t length;

	for (; n > 0; text += length, n -= length) {
		length = utf8_decode(text, n, &code);
		if (length == 1 && code >= ' ' && code != 0x7f) {
			buf_addc(&r->text, *text);
		} else if (length > 1 && code > 0x9f && report_is_global(r)) {
			buf_add(&r->text, text, length);
		} else {
			buf_addc(&r->text, '?');
			if (length == 0)
				length = 1;
		}
	}
}

void
report_wrapped(
    struct report *r, const char *text, size_t column, const char *indent)
{
	while (*text != '\0') {
		size_t word = strcspn(text, " ");

		if (word > REPORT_LINE_MAX / 2)
			word = REPORT_LINE_MAX / 2;
		if (column + word > WRAP && column > strlen(indent)) {
			buf_addf(&r->text, "\n%s", indent);
			column = strlen(indent);
		}
		report_clean(r, text, word);
		column += word + 1;
		text += word;
		if (*text == ' ') {
			buf_addc(&r->text, ' ');
			text += strspn(text, " ");
		}
	}
	buf_addc(&r->text, '\n');
}

void
report_address(struct report *r, const char *address)
{
	size_t n = strlen(address);

	if (utf8_is_ascii(address, n) || report_is_global(r))
		report_clean(r, address, n);
	else
		dsn_write_address(&r->text, address, false);
}

void
report_date(struct report *r, const char *name, int64_t when)
{
	char date[CLOCK_DATE_SIZE];

	clock_date((time_t)when, date);
	buf_addf(&r->text, "%s: %s\n", name, date);
}

void
report_part(struct report *r, const char *type, bool eight_bit)
{
	buf_addf(&r->text, "\n--%s\nContent-Type: %s\n", r->boundary, type);
	if (eight_bit)
		buf_adds(&r->text, "Content-Transfer-Encoding: 8bit\n");
	buf_addc(&r->text, '\n');
}
