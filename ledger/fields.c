/* SPDX-License-Identifier: ISC */
#include "ledger/fields.h"

#include <inttypes.h>
#include <string.h>

#include "common/cursor.h"

static bool
is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') ||
	    (c != '\0' && strchr("@._:/+*-", c) != NULL);
}

void
fields_text(struct buf *line, const char *text)
{
	buf_addc(line, ' ');
	if (*text == '\0')
		buf_addc(line, '%');
	for (; *text != '\0'; text++)
		if (is_plain(*text))
			buf_addc(line, *text);
		else
			buf_addf(line, "%%%02x", (unsigned char)*text);
}

void
fields_number(struct buf *line, uint64_t n)
{
	buf_addf(line, " %" PRIu64, n);
}

bool
fields_left(const struct fields *f)
{
	return !f->failed && *f->rest != '\0';
}

static int
hex(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

/* In place; false for what is not as fields_text() writes it. */
static bool
decode(char *text)
{
	char *out = text;

	if (strcmp(text, "%") == 0) {
		*text = '\0';
		return true;
	}
	for (; *text != '\0'; text++) {
		int high, low;

		if (*text != '%') {
			*out++ = *text;
			continue;
		}
		high = hex(text[1]);
		low = high >= 0 ? hex(text[2]) : -1;
		if (low < 0 || high + low == 0)
			return false;
		*out++ = (char)(high << 4 | low);
		text += 2;
	}
	*out = '\0';
	return true;
}

const char *
fields_take(struct fields *f, size_t max)
{
	char *word = f->rest;
	size_t n;

	if (!fields_left(f)) {
		f->failed = true;
		return "";
	}
	n = strcspn(word, " ");
	f->rest = word + n + (word[n] == ' ');
	word[n] = '\0';
	if (n == 0 || !decode(word) || strlen(word) > max) {
		f->failed = true;
		return "";
	}
	return word;
}

uint64_t
fields_take_number(struct fields *f, uint64_t max)
{
	const char *word = fields_take(f, 20);
	struct cursor c = cursor_over(word, strlen(word));
	uint64_t n = cursor_decimal(&c);

	if (!cursor_done(&c) || n > max) {
		f->failed = true;
		return 0;
	}
	return n;
}

time_t
fields_take_time(struct fields *f, time_t now)
{
	uint64_t when = fields_take_number(f, INT64_MAX);

	return when > (uint64_t)now ? now : (time_t)when;
}
