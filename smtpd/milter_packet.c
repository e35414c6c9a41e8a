/* SPDX-License-Identifier: ISC */
#include "smtpd/milter_packet.h"

#include <stdio.h>
#include <string.h>

#include "common/cursor.h"

/* -- writing -- */

static void
put_u32(char *out, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		out[i] = (char)(n >> (24 - 8 * i));
}

size_t
milter_begin(struct buf *out, enum milter_command letter)
{
	size_t begun = out->len;

	milter_u32(out, 0);
	buf_addc(out, (char)letter);
	return begun;
}

void
milter_end(struct buf *out, size_t begun)
{
	if (buf_ok(out))
		put_u32(out->data + begun, (uint32_t)(out->len - begun - 4));
}

void
milter_string(struct buf *out, const char *text)
{
	buf_add(out, text, strlen(text) + 1);
}

void
milter_u16(struct buf *out, uint16_t n)
{
	buf_addc(out, (char)(n >> 8));
	buf_addc(out, (char)n);
}

void
milter_u32(struct buf *out, uint32_t n)
{
	char octets[4];

	put_u32(octets, n);
	buf_add(out, octets, sizeof(octets));
}

void
milter_offer(struct buf *out)
{
	size_t begun = milter_begin(out, MILTER_NEGOTIATE);

	milter_u32(out, MILTER_VERSION);
	milter_u32(out, MILTER_ACTIONS);
	milter_u32(out, MILTER_STEPS);
	milter_end(out, begun);
}

/* -- what a filter says -- */

/* What stands behind each letter. */
enum shape {
	NOTHING,
	TEXT,
	TEXT_PERHAPS_TEXT,
	TEXT_TEXT,
	INDEX_TEXT_TEXT,
	OCTETS
};

static const struct {
	char letter;
	enum shape shape;
} shapes[] = {
    {MILTER_CONTINUE, NOTHING},
    {MILTER_ACCEPT, NOTHING},
    {MILTER_REJECT, NOTHING},
    {MILTER_TEMPFAIL, NOTHING},
    {MILTER_DISCARD, NOTHING},
    {MILTER_PROGRESS, NOTHING},
    {MILTER_SKIP, NOTHING},
    {MILTER_SHUTDOWN, NOTHING},
    {MILTER_CONNECTION_FAILS, NOTHING},
    {MILTER_REPLY_CODE, TEXT},
    {MILTER_QUARANTINE, TEXT},
    {MILTER_ADD_RECIPIENT, TEXT},
    {MILTER_DELETE_RECIPIENT, TEXT},
    {MILTER_ADD_RECIPIENT_WITH, TEXT_PERHAPS_TEXT},
    {MILTER_CHANGE_SENDER, TEXT_PERHAPS_TEXT},
    {MILTER_ADD_HEADER, TEXT_TEXT},
    {MILTER_INSERT_HEADER, INDEX_TEXT_TEXT},
    {MILTER_CHANGE_HEADER, INDEX_TEXT_TEXT},
    {MILTER_REPLACE_BODY, OCTETS},
    {MILTER_NEGOTIATE, OCTETS},
};

static bool
find_shape(char letter, enum shape *shape)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (shapes[i].letter == letter) {
			*shape = shapes[i].shape;
			return true;
		}
	return false;
}

bool
milter_read_head(
    const char octets[MILTER_HEAD], uint64_t body_max, struct milter_head *head)
{
	struct cursor c = cursor_over(octets, MILTER_HEAD);
	uint32_t length = cursor_u32(&c);
	enum shape shape;

	head->letter = (char)cursor_u8(&c);
	if (length == 0 || !find_shape(head->letter, &shape))
		return false;
	head->n = length - 1;
	return head->n <=
	    (head->letter == MILTER_REPLACE_BODY ? body_max : MILTER_DATA_MAX);
}

bool
milter_read_reply(
    char letter, const char *data, size_t n, struct milter_reply *reply)
{
	bool ended = n > 0 && data[n - 1] == '\0';
	struct cursor c = cursor_over(data, ended ? n : n + 1);
	enum shape shape;

	*reply = (struct milter_reply){.letter = letter};
	if (!find_shape(letter, &shape) || shape == OCTETS)
		return false;
	if (shape == NOTHING)
		return true;
	if (shape == INDEX_TEXT_TEXT)
		reply->index = cursor_u32(&c);
	reply->name = cursor_string(&c, MILTER_DATA_MAX);
	if (shape == TEXT_TEXT || shape == INDEX_TEXT_TEXT ||
	    (shape == TEXT_PERHAPS_TEXT && cursor_left(&c) > 0))
		reply->value = cursor_string(&c, MILTER_DATA_MAX);
	return cursor_done(&c);
}

/* -- negotiation -- */

/* Names as a filter writes them: blanks and commas between. */
static void
keep_names(const char *names, char out[MILTER_MACROS_MAX])
{
	size_t n = 0;

	for (; *names != '\0' && n < MILTER_MACROS_MAX - 1; names++)
		out[n++] = *names == ',' ? ' ' : *names;
	/* One that was cut off is none. */
	while (*names != '\0' && n > 0 && out[n - 1] != ' ')
		n--;
	out[n] = '\0';
}

bool
milter_read_options(const char *data, size_t n, struct milter_options *out)
{
	struct cursor c = cursor_over(data, n);

	memset(out, 0, sizeof(*out));
	out->version = cursor_u32(&c);
	out->actions = cursor_u32(&c);
	out->steps = cursor_u32(&c);
	while (cursor_left(&c) > 0) {
		uint32_t stage = cursor_u32(&c);
		const char *names = cursor_string(&c, MILTER_DATA_MAX);

		if (names != NULL && stage < MILTER_STAGES)
			keep_names(names, out->macros[stage]);
	}
	return cursor_done(&c) && out->version >= MILTER_VERSION_MIN &&
	    out->version <= MILTER_VERSION &&
	    (out->actions & ~(uint32_t)MILTER_ACTIONS) == 0 &&
	    (out->steps & ~(uint32_t)MILTER_STEPS) == 0;
}

/* -- refusals -- */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "5.7.1" of that class, in front of a blank or the end; 0: there is none. */
static size_t
enhanced_length(const char *text, char class)
{
	size_t n = 0;

	if (text[0] != class)
		return 0;
	for (int part = 0; part < 3; part++) {
		size_t digits = 0;

		while (is_digit(text[n + digits]))
			digits++;
		if (digits == 0 || digits > 3)
			return 0;
		n += digits;
		if (part < 2 && text[n++] != '.')
			return 0;
	}
	return text[n] == ' ' || text[n] == '\0' || text[n] == '\r' ||
		text[n] == '\n'
	    ? n
	    : 0;
}

/* The code, and what it shares with the lines behind it, passed over. */
static const char *
behind_code(const char *line, struct milter_refusal *out)
{
	size_t n;

	if (!is_digit(line[0]) || !is_digit(line[1]) || !is_digit(line[2]))
		return line;
	line += 3;
	if (*line == ' ' || *line == '-')
		line++;
	n = enhanced_length(line, (char)('0' + out->smtp / 100));
	if (n > 0 && out->enhanced[0] == '\0')
		snprintf(
		    out->enhanced, sizeof(out->enhanced), "%.*s", (int)n, line);
	line += n;
	return line + (n > 0 && *line == ' ');
}

/* A percent sign is doubled: filters' libraries take it for a format. */
static const char *
add_line(const char *line, struct milter_refusal *out)
{
	size_t n = strlen(out->text);

	if (n > 0 && n < MILTER_TEXT_MAX)
		out->text[n++] = ' ';
	for (; *line != '\0' && *line != '\r' && *line != '\n'; line++) {
		if (line[0] == '%' && line[1] == '%')
			line++;
		if (n < MILTER_TEXT_MAX)
			out->text[n++] =
			    *line < ' ' || *line > '~' ? '?' : *line;
	}
	out->text[n] = '\0';
	return line + strspn(line, "\r\n");
}

bool
milter_read_refusal(const char *text, struct milter_refusal *out)
{
	memset(out, 0, sizeof(*out));
	if ((text[0] != '4' && text[0] != '5') || !is_digit(text[1]) ||
	    text[1] > '5' || !is_digit(text[2]) ||
	    (text[3] != ' ' && text[3] != '-' && text[3] != '\0'))
		return false;
	out->smtp =
	    (text[0] - '0') * 100 + (text[1] - '0') * 10 + text[2] - '0';
	while (*text != '\0')
		text = add_line(behind_code(text, out), out);
	if (out->enhanced[0] == '\0')
		snprintf(out->enhanced, sizeof(out->enhanced), "%c.7.1",
		    '0' + out->smtp / 100);
	if (out->text[0] == '\0')
		snprintf(out->text, sizeof(out->text), "refused by a filter");
	return true;
}
