/* SPDX-License-Identifier: ISC */
#include "mailauth/header.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void
header_init(struct header_section *h)
{
	*h = (struct header_section){.text = BUF_INIT(HEADER_SECTION_MAX)};
}

void
header_free(struct header_section *h)
{
	free(h->fields);
	buf_free(&h->text);
	header_init(h);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Room for one more, whose number is h->n. */
static bool
add_room(struct header_section *h)
{
	size_t room = h->n == 0 ? 16 : h->n * 2;
	struct header_field *fields;

	if (h->n >= HEADER_FIELDS_MAX) {
		h->oversized = true;
		return false;
	}
	if (h->n != 0 && (h->n < 16 || (h->n & (h->n - 1)) != 0))
		return true;
	fields = reallocarray(h->fields, room, sizeof(*fields));
	if (fields == NULL) {
		h->text.failed = true;
		return false;
	}
	h->fields = fields;
	return true;
}

/*
 * "name:" at the start of the field, blanks before the colon allowed
 * (RFC 5322 section 4.5), and a fold among them.  False: this is no field.
 */
static bool
split(struct span text, struct header_field *f)
{
	size_t n = 0, colon;

	while (n < text.len && text.data[n] > ' ' && text.data[n] < 0x7f &&
	    text.data[n] != ':')
		n++;
	for (colon = n; colon < text.len &&
	     (is_blank(text.data[colon]) || text.data[colon] == '\n');)
		colon++;
	if (n == 0 || colon == text.len || text.data[colon] != ':')
		return false;
	*f = (struct header_field){
	    .text = text,
	    .name = {text.data, n},
	    .value = {text.data + colon + 1, text.len - colon - 1},
	};
	return true;
}

/*
 * The line that a mailbox file has before a message.  Those who take mail in
 * pass over it, so it makes nothing of what follows less true.
 */
static bool
is_mailbox_line(struct span line)
{
	if (line.len > 0 && line.data[0] == '>') {
		line.data++;
		line.len--;
	}
	return line.len >= 5 && memcmp(line.data, "From ", 5) == 0 &&
	    memchr(line.data, '\n', line.len) == NULL;
}

/* Who unfolds lines first sees a field, who reads lines sees none. */
static bool
is_folded_before_colon(const struct header_field *f)
{
	return memchr(f->name.data, '\n',
		   (size_t)(f->value.data - f->name.data)) != NULL;
}

/* With the lines that continue it, without its last line end. */
static struct span
whole_field(const char *p, const char *end)
{
	const char *at = p, *line_end;

	do {
		line_end = memchr(at, '\n', (size_t)(end - at));
		if (line_end == NULL)
			line_end = end;
		at = line_end == end ? end : line_end + 1;
	} while (at < end && is_blank(*at));
	return (struct span){p, (size_t)(line_end - p)};
}

/* A line that was cut off by the bound is nothing that was sent. */
static void
drop_cut_line(struct buf *text)
{
	while (text->len > 0 && text->data[text->len - 1] != '\n')
		text->len--;
}

static void
cut_into_fields(struct header_section *h)
{
	const char *p, *end;

	if (h->oversized)
		drop_cut_line(&h->text);
	p = h->text.data;
	end = h->text.len == 0 ? p : p + h->text.len;
	while (p < end) {
		struct span text = whole_field(p, end);
		struct header_field field;

		if (!is_blank(*p) && split(text, &field)) {
			if (!add_room(h))
				return;
			h->fields[h->n++] = field;
			h->malformed =
			    h->malformed || is_folded_before_colon(&field);
		} else if (p != h->text.data || !is_mailbox_line(text)) {
			h->malformed = true;
		}
		p = text.data + text.len;
		if (p < end)
			p++;
	}
}

static void
add_text(struct header_section *h, const char *octets, size_t n)
{
	size_t room = HEADER_SECTION_MAX - h->text.len;

	if (n > room) {
		h->oversized = true;
		n = room;
	}
	buf_add(&h->text, octets, n);
}

size_t
header_take(struct header_section *h, const char *octets, size_t n)
{
	size_t used = 0;

	while (used < n && !h->done) {
		const char *p = octets + used;
		const char *line_end = memchr(p, '\n', n - used);
		size_t taken =
		    line_end == NULL ? n - used : (size_t)(line_end - p) + 1;

		if (line_end == p && !h->within_line) {
			used++;
			header_end(h);
			break;
		}
		add_text(h, p, taken);
		h->within_line = line_end == NULL;
		used += taken;
	}
	return used;
}

void
header_end(struct header_section *h)
{
	if (h->done)
		return;
	h->done = true;
	cut_into_fields(h);
}

bool
header_is(const struct header_field *f, const char *name)
{
	return strlen(name) == f->name.len &&
	    strncasecmp(name, f->name.data, f->name.len) == 0;
}

size_t
header_count(const struct header_section *h, const char *name,
    const struct header_field **first)
{
	size_t count = 0;

	*first = NULL;
	for (size_t i = 0; i < h->n; i++)
		if (header_is(&h->fields[i], name) && count++ == 0)
			*first = &h->fields[i];
	return count;
}
