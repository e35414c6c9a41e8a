/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "common/cursor.h"
#include "common/protocol.h"
#include "common/utf8.h"
#include "queue/envelope.h"

/* A reading: where it stands, and the first thing that is wrong. */
struct reading {
	struct envelope *e;
	struct cursor file;
	struct cursor line; /* behind its verb and blank */
	unsigned number;
	const char *why;
	bool no_memory;
};

static bool
bad(struct reading *r, const char *why)
{
	if (r->why == NULL)
		r->why = why;
	return false;
}

static int
hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * Undo envelope_escape() up to the octet stop, which is taken, or to the end
 * of the line (stop 0).  Into out, of max + 1 octets.
 */
static bool
take_text(struct reading *r, unsigned char stop, char *out, size_t max)
{
	struct cursor *c = &r->line;
	size_t n = 0;

	while (cursor_left(c) > 0) {
		unsigned char octet = cursor_u8(c);

		if (stop != 0 && octet == stop) {
			stop = 0;
			break;
		}
		if (octet < ' ' || octet == 0x7f)
			return bad(r, "control character");
		if (octet == '\\') {
			int high, low;

			cursor_expect(c, "x");
			high = hex_digit(cursor_u8(c));
			low = hex_digit(cursor_u8(c));
			if (!cursor_ok(c) || high < 0 || low < 0 ||
			    high + low == 0)
				return bad(r, "bad escape");
			octet = (unsigned char)(high << 4 | low);
		}
		if (n == max)
			return bad(r, "text too long");
		out[n++] = (char)octet;
	}
	out[n] = '\0';
	return stop == 0 ? true : bad(r, "field missing");
}

static char *
keep(struct reading *r, const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL)
		r->no_memory = true;
	return copy;
}

static bool
take_line_text(struct reading *r, char **where)
{
	char text[PROTOCOL_TEXT_MAX + 1];

	if (!take_text(r, 0, text, PROTOCOL_TEXT_MAX))
		return false;
	*where = keep(r, text);
	return *where != NULL;
}

/* <ADDRESS> */
static bool
take_address(struct reading *r, char *out)
{
	char *p;

	cursor_expect(&r->line, "<");
	if (!cursor_ok(&r->line) ||
	    !take_text(r, '>', out, PROTOCOL_ADDRESS_MAX))
		return bad(r, "bad address");
	/* What we write never has these: they would break headers and packets.
	 */
	for (p = out; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return bad(r, "control character in address");
	return true;
}

static bool
at_end(struct reading *r)
{
	return cursor_done(&r->line) ? true : bad(r, "bad line");
}

static bool
take_number(struct reading *r, uint64_t max, uint64_t *value)
{
	*value = cursor_decimal(&r->line);
	return cursor_ok(&r->line) && *value <= max ? true
						    : bad(r, "bad number");
}

static bool
take_time(struct reading *r, int64_t *value)
{
	uint64_t number;

	if (!take_number(r, INT64_MAX / 4096, &number))
		return false;
	*value = (int64_t)number;
	return true;
}

static bool
take_index(struct reading *r, size_t *index)
{
	uint64_t number;

	if (!take_number(r, ENVELOPE_RECIPIENTS_MAX, &number))
		return false;
	cursor_expect(&r->line, " ");
	if (number >= r->e->n)
		return bad(r, "no such recipient");
	*index = (size_t)number;
	return true;
}

/* -- the part up to the end line: each field once, in this order -- */

static bool
read_size(struct reading *r, uint64_t *where)
{
	return take_number(r, INT64_MAX, where) && at_end(r);
}

static bool
read_content(struct reading *r)
{
	return read_size(r, &r->e->content);
}

static bool
read_start(struct reading *r)
{
	if (!read_size(r, &r->e->start))
		return false;
	return r->e->start <= r->e->content
	    ? true
	    : bad(r, "start behind the content's end");
}

static bool
read_wire(struct reading *r)
{
	return read_size(r, &r->e->wire);
}

/* A person who edits it may leave the fraction out. */
static bool
read_time(struct reading *r)
{
	uint64_t micros = 0;

	if (!take_time(r, &r->e->time))
		return false;
	if (cursor_left(&r->line) > 0) {
		cursor_expect(&r->line, ".");
		if (cursor_left(&r->line) != 6)
			return bad(r, "bad number");
		micros = cursor_decimal(&r->line);
	}
	r->e->micros = (uint32_t)micros;
	return at_end(r);
}

static bool
read_sender(struct reading *r)
{
	char address[PROTOCOL_ADDRESS_MAX + 1];

	if (!take_address(r, address) || !at_end(r))
		return false;
	r->e->sender = keep(r, address);
	return r->e->sender != NULL;
}

static bool
read_body(struct reading *r)
{
	char word[16];

	if (!take_text(r, 0, word, sizeof(word) - 1))
		return false;
	r->e->eight_bit = strcmp(word, "8bitmime") == 0;
	return r->e->eight_bit || strcmp(word, "7bit") == 0
	    ? true
	    : bad(r, "unknown body");
}

static bool
read_utf8(struct reading *r)
{
	uint64_t number;

	if (!take_number(r, 1, &number) || !at_end(r))
		return false;
	r->e->utf8 = number == 1;
	return true;
}

static bool
read_client(struct reading *r)
{
	return take_line_text(r, &r->e->client);
}

static bool
read_helo(struct reading *r)
{
	return take_line_text(r, &r->e->helo);
}

static bool
read_protocol(struct reading *r)
{
	return take_line_text(r, &r->e->protocol);
}

static bool
read_login(struct reading *r)
{
	return take_line_text(r, &r->e->login);
}

static bool
read_uid(struct reading *r)
{
	uint64_t number;

	if (!take_number(r, UINT32_MAX, &number) || !at_end(r))
		return false;
	r->e->uid = (int64_t)number;
	return true;
}

static bool
add_recipient(struct reading *r, const char *address, size_t parent)
{
	if (address[0] == '\0')
		return bad(r, "null recipient");
	if (r->e->n == ENVELOPE_RECIPIENTS_MAX)
		return bad(r, "too many recipients");
	r->no_memory = !envelope_add_recipient(r->e, address, parent);
	return !r->no_memory;
}

static bool
read_recipient(struct reading *r)
{
	char address[PROTOCOL_ADDRESS_MAX + 1];

	return take_address(r, address) && at_end(r) &&
	    add_recipient(r, address, r->e->n);
}

static bool
read_end(struct reading *r)
{
	uint64_t number;

	if (!take_number(r, ENVELOPE_RECIPIENTS_MAX, &number) || !at_end(r))
		return false;
	return number == r->e->n && number > 0
	    ? true
	    : bad(r, "wrong number of recipients");
}

static const struct field {
	const char *name;
	enum { ONCE, PERHAPS, REPEATED } times;
	bool (*read)(struct reading *);
} fields[] = {
    {"content", ONCE, read_content},
    {"start", ONCE, read_start},
    {"wire", ONCE, read_wire},
    {"time", ONCE, read_time},
    {"sender", ONCE, read_sender},
    {"body", ONCE, read_body},
    {"utf8", ONCE, read_utf8},
    {"client", ONCE, read_client},
    {"helo", ONCE, read_helo},
    {"protocol", ONCE, read_protocol},
    {"login", PERHAPS, read_login},
    {"uid", PERHAPS, read_uid},
    {"recipient", REPEATED, read_recipient},
    {"end", ONCE, read_end},
};
enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };

/* -- outcomes -- */

static bool
read_outcome(struct reading *r, enum recipient_state state)
{
	char dsn[ENVELOPE_DSN_MAX + 1] = "", relay[PROTOCOL_TEXT_MAX + 1] = "";
	char text[PROTOCOL_TEXT_MAX + 1];
	struct outcome o = {.state = state, .dsn = dsn, .text = text};
	size_t index;

	if (!take_index(r, &index) || !take_time(r, &o.when))
		return false;
	cursor_expect(&r->line, " ");
	if (state != RECIPIENT_BOUNCED &&
	    (!take_text(r, ' ', dsn, ENVELOPE_DSN_MAX) ||
		!take_text(r, ' ', relay, PROTOCOL_TEXT_MAX)))
		return false;
	if (!take_text(r, 0, text, PROTOCOL_TEXT_MAX))
		return false;
	if (r->e->recipients[index].state == RECIPIENT_EXPANDED)
		return bad(r, "outcome of an alias");
	o.relay = relay[0] == '\0' || strcmp(relay, "-") == 0 ? NULL : relay;
	r->no_memory = !envelope_note(r->e, index, &o);
	return !r->no_memory;
}

static bool
read_delivered(struct reading *r)
{
	return read_outcome(r, RECIPIENT_DELIVERED);
}

static bool
read_deferred(struct reading *r)
{
	return read_outcome(r, RECIPIENT_PENDING);
}

static bool
read_failed(struct reading *r)
{
	return read_outcome(r, RECIPIENT_FAILED);
}

static bool
read_bounced(struct reading *r)
{
	return read_outcome(r, RECIPIENT_BOUNCED);
}

static bool
read_expanded(struct reading *r)
{
	char address[PROTOCOL_ADDRESS_MAX + 1];
	struct outcome o = {.state = RECIPIENT_EXPANDED};
	size_t index;

	if (!take_index(r, &index) || !take_time(r, &o.when))
		return false;
	if (r->e->recipients[index].state != RECIPIENT_PENDING)
		return bad(r, "expanded after its outcome");
	r->no_memory = !envelope_note(r->e, index, &o);
	while (!r->no_memory && cursor_left(&r->line) > 0) {
		cursor_expect(&r->line, " ");
		if (!take_address(r, address) ||
		    !add_recipient(r, address, index))
			return false;
	}
	return !r->no_memory;
}

static bool
read_attempt(struct reading *r)
{
	if (!take_time(r, &r->e->attempted))
		return false;
	cursor_expect(&r->line, " ");
	if (!take_time(r, &r->e->next) || !at_end(r))
		return false;
	r->e->attempts++;
	return true;
}

static const struct field outcomes[] = {
    {"delivered", REPEATED, read_delivered},
    {"deferred", REPEATED, read_deferred},
    {"failed", REPEATED, read_failed},
    {"bounced", REPEATED, read_bounced},
    {"expanded", REPEATED, read_expanded},
    {"attempt", REPEATED, read_attempt},
};
enum { OUTCOMES = sizeof(outcomes) / sizeof(outcomes[0]) };

/* -- lines -- */

/* The next whole line, its verb apart; false at the end of whole lines. */
static bool
next_line(struct reading *r, struct span *verb)
{
	struct cursor before = r->file;
	struct span line = cursor_until(&r->file, '\n');
	const char *blank;

	if (!cursor_ok(&r->file)) {
		r->file = before;
		return false;
	}
	r->number++;
	blank = memchr(line.data, ' ', line.len);
	verb->data = line.data;
	verb->len = blank != NULL ? (size_t)(blank - line.data) : line.len;
	r->line = cursor_over(line.data, line.len);
	cursor_skip(&r->line, verb->len + (blank != NULL));
	return true;
}

static bool
is_verb(struct span verb, const char *name)
{
	return verb.len == strlen(name) &&
	    memcmp(verb.data, name, verb.len) == 0;
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
			(void)bad(r, "not text");
			return ENVELOPE_BAD;
		}
		zeros = c == '\0';
	}
	(void)bad(r, "cut short");
	return ENVELOPE_TORN;
}

static enum envelope_result
read_fields(struct reading *r)
{
	struct span verb;
	size_t at = 0;

	if (!next_line(r, &verb))
		return cut_short(r);
	if (!is_verb(verb, "postrider-envelope")) {
		(void)bad(r, "not an envelope");
		return ENVELOPE_BAD;
	}
	cursor_expect(&r->line, "1");
	if (!cursor_done(&r->line)) {
		(void)bad(r, "unknown version");
		return ENVELOPE_BAD;
	}
	while (at < FIELDS) {
		if (!next_line(r, &verb))
			return cut_short(r);
		while (at < FIELDS && !is_verb(verb, fields[at].name) &&
		    fields[at].times != ONCE)
			at++;
		if (at == FIELDS || !is_verb(verb, fields[at].name)) {
			(void)bad(r, "unexpected line");
			return ENVELOPE_BAD;
		}
		if (!fields[at].read(r))
			return failure(r);
		if (fields[at].times != REPEATED)
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
		size_t i = 0;

		/* Zeros: the length reached the disk, the octets did not. */
		if (verb.len > 0 && verb.data[0] == '\0')
			break;
		while (i < OUTCOMES && !is_verb(verb, outcomes[i].name))
			i++;
		if (i == OUTCOMES) {
			(void)bad(r, "unknown outcome");
			return ENVELOPE_BAD;
		}
		if (!outcomes[i].read(r) || !cursor_ok(&r->line)) {
			(void)bad(r, "bad line");
			return failure(r);
		}
		r->e->outcomes = true;
		r->e->whole = (uint64_t)(r->file.pos - r->file.start);
	}
	return ENVELOPE_WHOLE;
}

enum envelope_result
envelope_parse(struct envelope *e, const void *octets, size_t n,
    const char **why, unsigned *line)
{
	struct reading r = {.e = e, .file = cursor_over(octets, n)};
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
