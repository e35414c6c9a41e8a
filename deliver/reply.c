/* SPDX-License-Identifier: ISC */
#include "deliver/reply.h"

#include <stdio.h>
#include <string.h>

#include "common/utf8.h"

/* What a code says where the server gave no enhanced one (RFC 5248). */
static const struct {
	int code;
	const char *dsn;
} implied[] = {
    {421, "4.3.2"},
    {432, "4.7.12"},
    {450, "4.2.0"},
    {451, "4.3.0"},
    {454, "4.7.0"},
    {455, "4.5.4"},
    {500, "5.5.2"},
    {501, "5.5.4"},
    {502, "5.5.1"},
    {503, "5.5.1"},
    {504, "5.5.4"},
    {521, "5.3.2"},
    {530, "5.7.0"},
    {535, "5.7.8"},
    {551, "5.1.6"},
    {553, "5.1.3"},
    {555, "5.5.4"},
    {556, "5.1.10"},
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

void
reply_init(struct reply *r)
{
	r->code = 0;
	r->lines = 0;
	r->dsn[0] = '\0';
	r->text[0] = '\0';
	r->len = 0;
}

/* "NNN", then space, hyphen or the end; some servers use a tab. */
static bool
read_code(struct span line, int *code)
{
	const char *p = line.data;

	if (line.len < 3 || p[0] < '2' || p[0] > '5' || !is_digit(p[1]) ||
	    !is_digit(p[2]))
		return false;
	if (line.len > 3 && p[3] != ' ' && p[3] != '-' && p[3] != '\t')
		return false;
	*code = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
	return true;
}

/* 1 to 3 digits; returns how many, 0 for none. */
static size_t
digits(struct span s, size_t at)
{
	size_t n = 0;

	while (at + n < s.len && is_digit(s.data[at + n]))
		n++;
	return n <= 3 ? n : 0;
}

/* Length of an enhanced code of this class at the start, 0 if none. */
static size_t
dsn_length(struct span s, int class)
{
	size_t subject, detail, n;

	if (s.len < 5 || s.data[0] != '0' + class || s.data[1] != '.')
		return 0;
	subject = digits(s, 2);
	if (subject == 0 || 2 + subject >= s.len || s.data[2 + subject] != '.')
		return 0;
	detail = digits(s, 3 + subject);
	n = 3 + subject + detail;
	if (detail == 0 || (n < s.len && s.data[n] != ' '))
		return 0;
	return n;
}

static void
add(struct reply *r, char c)
{
	if (r->len < REPLY_TEXT_MAX)
		r->text[r->len++] = c;
	r->text[r->len] = '\0';
}

static void
add_text(struct reply *r, struct span s)
{
	uint32_t code;

	if (r->lines > 1)
		add(r, '\n');
	for (size_t i = 0; i < s.len;) {
		size_t n = utf8_decode(s.data + i, s.len - i, &code);

		if (n == 0 || code < ' ' || (code >= 0x7f && code < 0xa0)) {
			add(r, s.data[i] == '\t' ? ' ' : '?');
			i += n > 0 ? n : 1;
			continue;
		}
		if (r->len + n <= REPLY_TEXT_MAX)
			for (size_t k = 0; k < n; k++)
				add(r, s.data[i + k]);
		i += n;
	}
}

enum reply_step
reply_line(struct reply *r, struct span line)
{
	bool more;
	size_t n;
	int code;

	if (++r->lines > REPLY_LINES_MAX)
		return REPLY_BAD;
	if (!read_code(line, &code)) {
		add_text(r, line);
		return REPLY_MORE;
	}
	more = line.len > 3 && line.data[3] == '-';
	r->code = code;
	n = line.len > 3 ? 4 : 3;
	line = (struct span){line.data + n, line.len - n};
	n = dsn_length(line, code / 100);
	if (n > 0) {
		memcpy(r->dsn, line.data, n);
		r->dsn[n] = '\0';
		n += n < line.len;
		line = (struct span){line.data + n, line.len - n};
	}
	add_text(r, line);
	return more ? REPLY_MORE : REPLY_END;
}

bool
reply_next(const struct reply *r, const char **at, struct span *line)
{
	const char *end = r->text + r->len;
	const char *feed;

	if (*at == NULL)
		*at = r->text;
	else if (*at >= end)
		return false;
	else
		++*at;
	feed = memchr(*at, '\n', (size_t)(end - *at));
	if (feed == NULL)
		feed = end;
	*line = (struct span){*at, (size_t)(feed - *at)};
	*at = feed;
	return true;
}

int
reply_class(const struct reply *r)
{
	return r->code / 100;
}

void
reply_status(const struct reply *r, char *out)
{
	int class = reply_class(r);

	if (r->dsn[0] == '0' + class) {
		memcpy(out, r->dsn, REPLY_DSN_MAX);
		return;
	}
	snprintf(out, REPLY_DSN_MAX, "%d.0.0", class % 10);
	for (size_t i = 0; i < sizeof(implied) / sizeof(implied[0]); i++)
		if (implied[i].code == r->code)
			snprintf(out, REPLY_DSN_MAX, "%s", implied[i].dsn);
}

void
reply_show(const struct reply *r, char *out, size_t size)
{
	size_t n;
	int head = snprintf(out, size, "%d%s%s%s", r->code,
	    r->dsn[0] != '\0' ? " " : "", r->dsn, r->len > 0 ? " " : "");

	if (head < 0 || (size_t)head >= size)
		return;
	n = r->len < size - 1 - (size_t)head ? r->len : size - 1 - (size_t)head;
	while (
	    n < r->len && n > 0 && ((unsigned char)r->text[n] & 0xc0) == 0x80)
		n--;
	for (size_t i = 0; i < n; i++)
		out[(size_t)head + i] = r->text[i] == '\n' ? ' ' : r->text[i];
	out[(size_t)head + n] = '\0';
}

bool
reply_is_too_many(const struct reply *r)
{
	if (r->code != 452 && r->code != 552)
		return false;
	return r->dsn[0] == '\0' || strcmp(r->dsn + 1, ".5.3") == 0;
}
