/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "queue/envelope-read.h"

/* -- lines -- */

/* Its verb apart.  Editors of other systems end lines with CRLF. */
static void
take_line(struct reading *r, struct span line, struct span *verb)
{
	const char *blank;

	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	r->number++;
	blank = memchr(line.data, ' ', line.len);
	verb->data = line.data;
	verb->len = blank != NULL ? (size_t)(blank - line.data) : line.len;
	r->line = cursor_over(line.data, line.len);
	cursor_skip(&r->line, verb->len + (blank != NULL));
}

/* The next whole line; false at the end of whole lines. */
static bool
next_line(struct reading *r, struct span *verb)
{
	struct cursor before = r->file;
	struct span line = cursor_until(&r->file, '\n');

	if (!cursor_ok(&r->file)) {
		r->file = before;
		return false;
	}
	take_line(r, line, verb);
	return true;
}

static bool
is_verb(struct span verb, const char *name)
{
	/* Most are told apart by their first letter. */
	return verb.len > 0 && verb.data[0] == name[0] &&
	    verb.len == strlen(name) && memcmp(verb.data, name, verb.len) == 0;
}

static enum envelope_result
failure(const struct reading *r)
{
	return r->no_memory ? ENVELOPE_NO_MEMORY : ENVELOPE_BAD;
}

/* A disk that kept less than was written leaves a beginning, or zeros. */
static enum envelope_result
cut_short(struct reading *r)
{
	bool zeros = false;

	while (cursor_left(&r->file) > 0) {
		unsigned char c = cursor_u8(&r->file);

		if (c != '\0' && (zeros || c < ' ')) {
			(void)read_bad(r, "not text");
			return ENVELOPE_BAD;
		}
		zeros = c == '\0';
	}
	(void)read_bad(r, "cut short");
	return ENVELOPE_TORN;
}

/*
 * Some editors leave the last line end out.  An end line counts without it
 * when its number is right: one that was cut in writing has another.
 */
static bool
last_line(struct reading *r)
{
	struct reading before = *r;
	struct span verb, line = cursor_take(&r->file, cursor_left(&r->file));
	uint64_t number;

	take_line(r, line, &verb);
	r->e->unended = is_verb(verb, "end") &&
	    read_number(r, ENVELOPE_RECIPIENTS_MAX, &number) &&
	    read_at_end(r) && number == r->e->n && number > 0;
	if (!r->e->unended)
		*r = before;
	return r->e->unended;
}

static enum envelope_result
read_fields(struct reading *r)
{
	const struct field *at = envelope_fields;
	struct span verb;
	bool fits;

	if (!next_line(r, &verb))
		return cut_short(r);
	if (!is_verb(verb, "postrider-envelope")) {
		(void)read_bad(r, "not an envelope");
		return ENVELOPE_BAD;
	}
	/* Those before have fewer lines, and are the same else. */
	if (cursor_decimal(&r->line) - 1 >= ENVELOPE_VERSION ||
	    !cursor_done(&r->line)) {
		(void)read_bad(r, "unknown version");
		return ENVELOPE_BAD;
	}
	while (at->name != NULL) {
		if (!next_line(r, &verb))
			return last_line(r) ? ENVELOPE_WHOLE : cut_short(r);
		while (!(fits = is_verb(verb, at->name)) && at->times != ONCE)
			at++;
		if (!fits) {
			(void)read_bad(r, "unexpected line");
			return ENVELOPE_BAD;
		}
		if (!at->read(r))
			return failure(r);
		if (at->times != REPEATED)
			at++;
	}
	return ENVELOPE_WHOLE;
}

/* What stands behind the last line end was torn in writing: ignored. */
static enum envelope_result
read_outcomes(struct reading *r)
{
	struct span verb;

	r->e->whole = (uint64_t)(r->file.pos - r->file.start);
	while (next_line(r, &verb)) {
		const struct field *f = envelope_outcomes;

		/* Zeros: the length reached the disk, the octets did not. */
		if (verb.len > 0 && verb.data[0] == '\0')
			break;
		while (f->name != NULL && !is_verb(verb, f->name))
			f++;
		if (f->name == NULL) {
			(void)read_bad(r, "unknown outcome");
			return ENVELOPE_BAD;
		}
		if (!f->read(r) || !cursor_ok(&r->line)) {
			(void)read_bad(r, "bad line");
			return failure(r);
		}
		r->e->outcomes = true;
		r->e->whole = (uint64_t)(r->file.pos - r->file.start);
	}
	return ENVELOPE_WHOLE;
}

static enum envelope_result
envelope_read(struct envelope *e, const void *octets, size_t n, bool brief,
    const char **why, unsigned *line)
{
	struct reading r = {
	    .e = e, .file = cursor_over(octets, n), .brief = brief};
	enum envelope_result result;

	envelope_init(e);
	result = read_fields(&r);
	if (result == ENVELOPE_WHOLE)
		result = read_outcomes(&r);
	if (result != ENVELOPE_WHOLE)
		envelope_free(e);
	*why = r.why != NULL ? r.why : "no memory";
	*line = r.number;
	return result;
}

enum envelope_result
envelope_parse(struct envelope *e, const void *octets, size_t n,
    const char **why, unsigned *line)
{
	return envelope_read(e, octets, n, false, why, line);
}

enum envelope_result
envelope_parse_brief(struct envelope *e, const void *octets, size_t n)
{
	const char *why;
	unsigned line;

	return envelope_read(e, octets, n, true, &why, &line);
}
