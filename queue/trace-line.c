/* SPDX-License-Identifier: ISC */
#include "queue/trace-line.h"

#include <string.h>
#include <time.h>

#include "common/cursor.h"

/* -- the time in front -- */

static bool
number(struct cursor *c, size_t digits, int least, int most, int *value)
{
	*value = 0;
	for (size_t i = 0; i < digits; i++) {
		unsigned d = (unsigned)cursor_u8(c) - '0';

		if (d > 9)
			return false;
		*value = *value * 10 + (int)d;
	}
	return cursor_ok(c) && *value >= least && *value <= most;
}

static int
peek(const struct cursor *c)
{
	return cursor_left(c) > 0 ? *c->pos : -1;
}

static bool
take(struct cursor *c, char wanted)
{
	if (peek(c) != (unsigned char)wanted)
		return false;
	(void)cursor_u8(c);
	return true;
}

static bool
clock_of_day(struct cursor *c, struct tm *tm)
{
	return number(c, 2, 0, 23, &tm->tm_hour) && take(c, ':') &&
	    number(c, 2, 0, 59, &tm->tm_min) && take(c, ':') &&
	    number(c, 2, 0, 60, &tm->tm_sec);
}

/* Up to milliseconds of a fraction of any length. */
static int64_t
fraction(struct cursor *c)
{
	int64_t ms = 0, unit = 100;

	if (peek(c) != '.' && peek(c) != ',')
		return 0;
	(void)cursor_u8(c);
	while (peek(c) >= '0' && peek(c) <= '9') {
		ms += (cursor_u8(c) - '0') * unit;
		unit /= 10;
	}
	return ms;
}

/* Z, +01:00, +0100, or nothing: seconds east of Greenwich. */
static bool
zone(struct cursor *c, bool *local, int *east)
{
	int hours, minutes;
	bool west = peek(c) == '-';

	*east = 0;
	*local = !take(c, 'Z');
	if (!*local || (peek(c) != '+' && peek(c) != '-'))
		return true;
	(void)cursor_u8(c);
	*local = false;
	if (!number(c, 2, 0, 23, &hours))
		return false;
	(void)take(c, ':');
	if (!number(c, 2, 0, 59, &minutes))
		return false;
	*east = (hours * 60 + minutes) * (west ? -60 : 60);
	return true;
}

/* RFC 3339: postrider's own file, rsyslogd, journalctl -o short-iso. */
static int64_t
iso_time(struct cursor *c)
{
	struct tm tm = {.tm_isdst = -1};
	int64_t ms;
	int east;
	bool local;

	if (!number(c, 4, 1970, 9999, &tm.tm_year) || !take(c, '-') ||
	    !number(c, 2, 1, 12, &tm.tm_mon) || !take(c, '-') ||
	    !number(c, 2, 1, 31, &tm.tm_mday) ||
	    (!take(c, 'T') && !take(c, ' ')) || !clock_of_day(c, &tm))
		return -1;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	ms = fraction(c);
	if (!zone(c, &local, &east) || !take(c, ' '))
		return -1;
	return ((local ? (int64_t)mktime(&tm) : (int64_t)timegm(&tm)) - east) *
	    1000 +
	    ms;
}

/* RFC 3164: "Nov  5 18:12:57". */
static int64_t
bsd_time(struct cursor *c, int64_t now)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t today = (time_t)now;
	struct span name = cursor_take(c, 3);
	struct tm tm, ref;
	int64_t when;
	int month = 0;

	if (!cursor_ok(c) || localtime_r(&today, &ref) == NULL)
		return -1;
	while (month < 12 && memcmp(months + 3 * month, name.data, 3) != 0)
		month++;
	tm = (struct tm){
	    .tm_year = ref.tm_year, .tm_mon = month, .tm_isdst = -1};
	if (month == 12 || !take(c, ' ') ||
	    !number(c, take(c, ' ') ? 1 : 2, 1, 31, &tm.tm_mday) ||
	    !take(c, ' ') || !clock_of_day(c, &tm) || !take(c, ' '))
		return -1;
	when = mktime(&tm);
	if (when > now + 86400) {
		tm.tm_year--;
		tm.tm_isdst = -1;
		when = mktime(&tm);
	}
	return when * 1000;
}

static int64_t
take_time(struct cursor *c, int64_t now)
{
	struct cursor at = *c;
	int64_t when = peek(c) >= '0' && peek(c) <= '9' ? iso_time(&at)
							: bsd_time(&at, now);

	if (when >= 0)
		*c = at;
	return when;
}

/* -- words -- */

struct reading {
	struct trace_line *line;
	struct cursor in;
	size_t used; /* of line->text */
};

static bool
is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool
is_lower(int c)
{
	return c >= 'a' && c <= 'z';
}

static void
put(struct reading *r, char c)
{
	if (r->used < sizeof(r->line->text))
		r->line->text[r->used++] = c;
	else
		r->in.failed = true;
}

/* "queue[811]: "; the cursor stays where it is when it is none. */
static bool
take_program(struct reading *r)
{
	struct cursor at = r->in;
	size_t from = r->used;
	long pid = 0;

	while (is_lower(peek(&r->in)) || peek(&r->in) == '-' ||
	    (r->used > from && is_digit(peek(&r->in))))
		put(r, (char)cursor_u8(&r->in));
	if (r->used == from || r->used - from > 40)
		goto none;
	put(r, '\0');
	if (take(&r->in, '[')) {
		int digits = 0;

		for (; is_digit(peek(&r->in)) && digits < 10; digits++)
			pid = pid * 10 + (cursor_u8(&r->in) - '0');
		if (digits == 0 || !take(&r->in, ']'))
			goto none;
	}
	if (!take(&r->in, ':') || !take(&r->in, ' ') || !cursor_ok(&r->in))
		goto none;
	r->line->program = r->line->text + from;
	r->line->pid = pid;
	return true;
none:
	r->in = at;
	r->used = from;
	return false;
}

/*
 * Perhaps a host's name, perhaps syslog's word for the suite, then who wrote
 * the line.  What follows is that one's own, though it look like another's
 * name: a program that is broken in must not speak for others.
 */
static bool
take_programs(struct reading *r)
{
	if (!take_program(r)) {
		(void)cursor_until(&r->in, ' ');
		if (!cursor_ok(&r->in) || !take_program(r))
			return false;
	}
	if (strcmp(r->line->program, "postrider") == 0)
		(void)take_program(r);
	return true;
}

/* Words of lower case letters and digits, up to the first pair. */
static bool
take_event(struct reading *r)
{
	size_t from = r->used;

	r->line->event = r->line->text + from;
	for (;;) {
		struct cursor at = r->in;
		size_t word = r->used;

		while (is_lower(peek(&r->in)) || is_digit(peek(&r->in)))
			put(r, (char)cursor_u8(&r->in));
		if (peek(&r->in) == ' ' && r->used > word) {
			put(r, (char)cursor_u8(&r->in));
			continue;
		}
		if (peek(&r->in) != -1 || r->used == word) {
			/* a key, or garbage */
			r->in = at;
			r->used = word;
		}
		break;
	}
	if (r->used > from && r->line->text[r->used - 1] == ' ')
		r->used--;
	put(r, '\0');
	return r->used > from + 1;
}

static int
hex(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void
take_escape(struct reading *r)
{
	int high, low;

	if (!take(&r->in, 'x')) {
		put(r, (char)cursor_u8(&r->in));
		return;
	}
	high = hex(cursor_u8(&r->in));
	low = hex(cursor_u8(&r->in));
	if (high < 0 || low < 0)
		r->in.failed = true;
	else
		put(r, high + low == 0 ? '?' : (char)(high << 4 | low));
}

/* "text in quotes", <an address>, or up to the next blank. */
static void
take_value(struct reading *r)
{
	int stop = ' ';

	if (take(&r->in, '"'))
		stop = '"';
	else if (take(&r->in, '<'))
		stop = '>';
	while (peek(&r->in) != -1 && peek(&r->in) != stop)
		if (take(&r->in, '\\'))
			take_escape(r);
		else
			put(r, (char)cursor_u8(&r->in));
	if (stop != ' ' && !take(&r->in, (char)stop))
		r->in.failed = true; /* cut short */
	put(r, '\0');
}

static bool
take_pair(struct reading *r)
{
	struct trace_pair *pair = &r->line->pairs[r->line->n];
	size_t from = r->used;

	if (r->line->n == TRACE_PAIRS_MAX)
		return false;
	pair->key = r->line->text + from;
	while (is_lower(peek(&r->in)) || peek(&r->in) == '_')
		put(r, (char)cursor_u8(&r->in));
	put(r, '\0');
	if (r->used == from + 1 || !take(&r->in, '='))
		return false;
	pair->value = r->line->text + r->used;
	take_value(r);
	if (!cursor_ok(&r->in))
		return false;
	r->line->n++;
	return true;
}

bool
trace_parse(struct trace_line *line, const char *text, size_t n, int64_t now)
{
	struct reading r = {.line = line, .in = cursor_over(text, n)};

	line->n = 0;
	if (n > TRACE_LINE_MAX)
		return false;
	line->time_ms = take_time(&r.in, now);
	if (!take_programs(&r) || !take_event(&r))
		return false;
	while (take_pair(&r) && take(&r.in, ' '))
		continue;
	return true;
}

const char *
trace_value(const struct trace_line *line, const char *key)
{
	for (size_t i = 0; i < line->n; i++)
		if (strcmp(line->pairs[i].key, key) == 0)
			return line->pairs[i].value;
	return NULL;
}
