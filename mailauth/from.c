/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "mailauth/from.h"

/* Which field is From, for whoever reads the header section (A16). */

const char dmarc_no_from[] = "no From field";

/*
 * Does this line begin a From for a reader who minds no octet that cannot be
 * seen, and not where the colon is?
 */
static bool
looks_like_from(const char *line, const char *end)
{
	static const char name[] = "from";
	size_t n = 0;

	for (; line < end && *line != ':'; line++) {
		if (*line <= ' ' || *line >= 0x7f)
			continue;
		if (n == 4 || (*line | 0x20) != name[n++])
			return false;
	}
	return n == 4;
}

static bool
is_mailbox_line(const char *line, const char *end)
{
	if (line < end && *line == '>')
		line++;
	return end - line >= 5 && memcmp(line, "From ", 5) == 0;
}

static size_t
count_likely(const struct header_section *h)
{
	const char *p = h->text.data,
		   *end = h->text.len == 0 ? p : p + h->text.len;
	size_t count = 0;

	while (p < end) {
		const char *line_end = memchr(p, '\n', (size_t)(end - p));

		if (line_end == NULL)
			line_end = end;
		if (looks_like_from(p, line_end) &&
		    (p != h->text.data || !is_mailbox_line(p, line_end)))
			count++;
		p = line_end < end ? line_end + 1 : end;
	}
	return count;
}

/* Does a line that is no field stand before this one? */
static bool
follows_no_field(const struct header_section *h, const struct header_field *f)
{
	const char *p = h->text.data, *line_end = memchr(p, '\n', h->text.len);

	if (line_end != NULL && h->fields[0].text.data == line_end + 1 &&
	    is_mailbox_line(p, line_end))
		p = line_end + 1;
	for (const struct header_field *g = h->fields; g <= f; g++) {
		if (g->text.data != p)
			return true;
		p = g->text.data + g->text.len + 1;
	}
	return false;
}

bool
from_is_hidden(const struct header_section *h)
{
	const struct header_field *from;

	return h->malformed && count_likely(h) > header_count(h, "From", &from);
}

const char *
dmarc_from(const struct header_section *h, char domain[DNS_NAME_MAX + 1])
{
	const struct header_field *from;
	size_t count = header_count(h, "From", &from);
	const char *wrong;

	domain[0] = '\0';
	if (!buf_ok(&h->text) || h->oversized)
		return "header section too big";
	if (count > 1 || (h->malformed && count_likely(h) > 1))
		return "several From fields";
	if (count == 0)
		return h->malformed && count_likely(h) > 0
		    ? "From that is no field"
		    : dmarc_no_from;
	if (from->value.data != from->name.data + from->name.len + 1)
		return "blank before the colon of From";
	if (h->malformed && follows_no_field(h, from))
		return "From behind a line that is no field";
	wrong = from_read(from->value, domain);
	if (wrong != NULL)
		domain[0] = '\0';
	return wrong;
}
