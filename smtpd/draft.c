/* SPDX-License-Identifier: ISC */
#include "smtpd/draft.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void
draft_free(struct draft *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->fields[i].text);
	free(d->fields);
	*d = (struct draft){.n = 0};
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* -- the list -- */

static bool
make_room(struct draft *d, size_t octets)
{
	size_t room = d->room > 0 ? 2 * d->room : 32;
	struct draft_field *grown;

	if (d->failed || d->n == DRAFT_FIELDS_MAX ||
	    octets > DRAFT_OCTETS_MAX - d->octets) {
		d->failed = true;
		return false;
	}
	if (d->n < d->room)
		return true;
	grown = reallocarray(d->fields, room, sizeof(*grown));
	if (grown == NULL) {
		d->failed = true;
		return false;
	}
	d->fields = grown;
	d->room = room;
	return true;
}

/* text becomes the draft's; NULL: there was no memory for it. */
static void
put(struct draft *d, size_t at, struct draft_field field)
{
	if (field.text == NULL || !make_room(d, field.n)) {
		d->failed = true;
		free(field.text);
		return;
	}
	memmove(d->fields + at + 1, d->fields + at,
	    (d->n - at) * sizeof(*d->fields));
	d->fields[at] = field;
	d->n++;
	d->octets += field.n;
}

static void
cut(struct draft *d, size_t at)
{
	d->octets -= d->fields[at].n;
	free(d->fields[at].text);
	d->n--;
	memmove(d->fields + at, d->fields + at + 1,
	    (d->n - at) * sizeof(*d->fields));
}

/* -- a section -- */

/* The name as filters are told it; 0: these lines are no field. */
static void
find_name(struct draft_field *f)
{
	size_t n = 0, colon;

	while (n < f->n && f->text[n] > ' ' && f->text[n] < 0x7f &&
	    f->text[n] != ':')
		n++;
	for (colon = n; colon < f->n && is_blank(f->text[colon]);)
		colon++;
	if (n == 0 || n > DRAFT_NAME_MAX || colon == f->n ||
	    f->text[colon] != ':') {
		f->kind = DRAFT_LINES;
		return;
	}
	f->name = n;
	f->value = colon + 1;
}

static size_t
field_length(struct span lines)
{
	size_t n = 0;

	do {
		const char *end = memchr(lines.data + n, '\n', lines.len - n);

		if (end == NULL)
			return lines.len;
		n = (size_t)(end - lines.data) + 1;
	} while (n < lines.len && is_blank(lines.data[n]));
	return n - 1;
}

void
draft_take(struct draft *d, enum draft_kind kind, struct span lines)
{
	while (lines.len > 0) {
		size_t n = field_length(lines);
		struct draft_field field = {
		    .kind = kind, .text = strndup(lines.data, n), .n = n};

		if (field.text != NULL)
			find_name(&field);
		put(d, d->n, field);
		n += n < lines.len;
		lines.data += n;
		lines.len -= n;
	}
}

/* -- what filters say -- */

bool
draft_is_name(const char *name)
{
	size_t n = 0;

	for (; name[n] != '\0'; n++)
		if (name[n] <= ' ' || name[n] > '~' || name[n] == ':')
			return false;
	return n > 0 && n <= DRAFT_NAME_MAX;
}

/*
 * Line by line: no CR, no empty line, which would end the header section, and
 * none that would begin another field (A8).
 */
static void
add_value(struct buf *out, const char *value)
{
	bool first = true;

	while (*value != '\0' || first) {
		size_t n = strcspn(value, "\r\n");

		if (!first && strspn(value, " \t") < n) {
			buf_addc(out, '\n');
			if (!is_blank(*value))
				buf_addc(out, '\t');
		}
		if (first || strspn(value, " \t") < n)
			buf_add(out, value, n);
		first = false;
		value += n;
		value += strspn(value, "\r\n");
	}
}

static struct draft_field
make_field(const char *name, const char *value, bool spaced)
{
	struct buf text = BUF_INIT(DRAFT_OCTETS_MAX);
	struct draft_field field = {.kind = DRAFT_ADDED,
	    .name = strlen(name),
	    .value = strlen(name) + 1};

	buf_adds(&text, name);
	buf_adds(&text, spaced || value[0] == '\0' ? ":" : ": ");
	add_value(&text, value);
	field.n = text.len;
	if (buf_text(&text) != NULL)
		field.text = text.data;
	else
		buf_free(&text);
	return field;
}

static size_t
own_fields(const struct draft *d)
{
	size_t n = 0;

	while (n < d->n && d->fields[n].kind == DRAFT_OWN)
		n++;
	return n;
}

bool
draft_add(struct draft *d, const char *name, const char *value, bool spaced)
{
	if (!draft_is_name(name))
		return false;
	put(d, d->n, make_field(name, value, spaced));
	return true;
}

bool
draft_insert(struct draft *d, size_t index, const char *name, const char *value,
    bool spaced)
{
	size_t at = 0, own = own_fields(d);

	if (!draft_is_name(name))
		return false;
	/* Received, which they do not see, is the first that they count. */
	for (size_t seen = 1; at < d->n && seen < index; at++)
		seen += d->fields[at].name > 0;
	put(d, at > own ? at : own, make_field(name, value, spaced));
	return true;
}

static bool
is_called(const struct draft_field *f, const char *name)
{
	return f->name == strlen(name) &&
	    strncasecmp(f->text, name, f->name) == 0;
}

bool
draft_change(struct draft *d, size_t index, const char *name, const char *value,
    bool spaced)
{
	size_t at = 0;

	if (!draft_is_name(name))
		return false;
	for (size_t met = 0; at < d->n; at++)
		if (is_called(&d->fields[at], name) && ++met >= index)
			break;
	if (at == d->n) {
		if (value[0] != '\0')
			put(d, at, make_field(name, value, spaced));
		return true;
	}
	if (d->fields[at].kind == DRAFT_OWN)
		return true;
	cut(d, at);
	if (value[0] != '\0')
		put(d, at, make_field(name, value, spaced));
	return true;
}

bool
draft_is_marked(const struct draft *d)
{
	static const char *const marks[] = {
	    "X-Spam", "X-Spam-Flag", "X-Spam-Status"};

	for (size_t i = 0; i < d->n; i++) {
		const struct draft_field *f = &d->fields[i];
		const char *value = f->text + f->value;

		if (f->kind != DRAFT_ADDED)
			continue;
		value += strspn(value, " \t\n");
		for (size_t m = 0; m < sizeof(marks) / sizeof(marks[0]); m++)
			if (is_called(f, marks[m]) &&
			    strncasecmp(value, "yes", 3) == 0)
				return true;
	}
	return false;
}

void
draft_write(
    const struct draft *d, enum draft_kind kind, bool others, struct buf *out)
{
	for (size_t i = 0; i < d->n; i++)
		if ((d->fields[i].kind == kind) != others) {
			buf_add(out, d->fields[i].text, d->fields[i].n);
			buf_addc(out, '\n');
		}
}
