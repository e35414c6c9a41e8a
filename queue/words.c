/* SPDX-License-Identifier: ISC */
#include "queue/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct unit {
	char letter;
	uint64_t factor;
};

static const struct unit ages[] = {
    {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}, {0, 0}};
static const struct unit sizes[] = {
    {'K', 1 << 10}, {'M', 1 << 20}, {'G', 1 << 30}, {0, 0}};

enum { DIGITS_MAX = 15 };

static bool
read_measure(const char *text, const struct unit *units, uint64_t *value)
{
	size_t n = strspn(text, "0123456789");
	uint64_t factor = 1;

	*value = 0;
	if (n == 0 || n > DIGITS_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		*value = *value * 10 + (uint64_t)(text[i] - '0');
	if (text[n] != '\0') {
		while (units->letter != 0 && units->letter != text[n])
			units++;
		factor = units->factor;
		if (factor == 0 || text[n + 1] != '\0')
			return false;
	}
	return !__builtin_mul_overflow(*value, factor, value);
}

bool
words_read_age(const char *text, int64_t *seconds)
{
	uint64_t value;

	if (!read_measure(text, ages, &value) || value > INT64_MAX / 4096)
		return false;
	*seconds = (int64_t)value;
	return true;
}

bool
words_read_size(const char *text, uint64_t *octets)
{
	char upper[DIGITS_MAX + 3] = "";
	size_t n = strlen(text);

	if (n == 0 || n >= sizeof(upper))
		return false;
	memcpy(upper, text, n);
	if (upper[n - 1] >= 'a' && upper[n - 1] <= 'z')
		upper[n - 1] = (char)(upper[n - 1] - 'a' + 'A');
	return read_measure(upper, sizes, octets);
}

/* -- points in time -- */

static bool
read_digits(const char **text, size_t n, int least, int most, int *value)
{
	*value = 0;
	for (size_t i = 0; i < n; i++, (*text)++) {
		if (**text < '0' || **text > '9')
			return false;
		*value = *value * 10 + (**text - '0');
	}
	return *value >= least && *value <= most;
}

static bool
read_char(const char **text, const char *any)
{
	if (**text == '\0' || strchr(any, **text) == NULL)
		return false;
	(*text)++;
	return true;
}

static bool
read_date(const char **text, struct tm *tm)
{
	if (!read_digits(text, 4, 1970, 9999, &tm->tm_year) ||
	    !read_char(text, "-") ||
	    !read_digits(text, 2, 1, 12, &tm->tm_mon) ||
	    !read_char(text, "-") || !read_digits(text, 2, 1, 31, &tm->tm_mday))
		return false;
	tm->tm_year -= 1900;
	tm->tm_mon--;
	return true;
}

static bool
read_clock(const char **text, struct tm *tm)
{
	return read_char(text, " T") &&
	    read_digits(text, 2, 0, 23, &tm->tm_hour) && read_char(text, ":") &&
	    read_digits(text, 2, 0, 59, &tm->tm_min) &&
	    (!read_char(text, ":") || read_digits(text, 2, 0, 60, &tm->tm_sec));
}

bool
words_read_time(const char *text, int64_t now, int64_t *when)
{
	struct tm tm = {.tm_isdst = -1};
	int64_t age;

	if (words_read_age(text, &age)) {
		*when = now - age;
		return true;
	}
	if (!read_date(&text, &tm) ||
	    (*text != '\0' && !read_clock(&text, &tm)))
		return false;
	*when = read_char(&text, "Z") ? timegm(&tm) : mktime(&tm);
	return *text == '\0';
}

/* -- for people -- */

/* A list has a hundred thousand of them: not with printf(3). */
static void
put_number(char out[WORDS_SIZE], uint64_t number, char unit)
{
	char digits[20];
	size_t n = 0, at = 0;

	do
		digits[n++] = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	while (n > 0)
		out[at++] = digits[--n];
	out[at++] = unit;
	out[at] = '\0';
}

void
words_age(char out[WORDS_SIZE], int64_t seconds)
{
	uint64_t age = seconds < 0 ? 0 : (uint64_t)seconds;

	if (age < 60)
		put_number(out, age, 's');
	else if (age < 3600)
		put_number(out, age / 60, 'm');
	else if (age < UINT64_C(48) * 3600)
		put_number(out, age / 3600, 'h');
	else
		put_number(out, age / 86400, 'd');
}

void
words_size(char out[WORDS_SIZE], uint64_t octets)
{
	static const char letters[] = "KMGTPE";
	size_t i = 0;

	if (octets < 1000) {
		put_number(out, octets, '\0');
		return;
	}
	/* Tenths, for what has one digit in front of them. */
	while (octets >= UINT64_C(1999) * 512 && letters[i + 1] != '\0') {
		octets /= 1024;
		i++;
	}
	if (octets * 10 < UINT64_C(100) * 1024 - 512)
		snprintf(out, WORDS_SIZE, "%" PRIu64 ".%" PRIu64 "%c",
		    (octets * 10 + 512) / 10240,
		    (octets * 10 + 512) / 1024 % 10, letters[i]);
	else
		put_number(out, (octets + 512) / 1024, letters[i]);
}

void
words_duration(char out[WORDS_SIZE], int64_t seconds)
{
	if (seconds < 0)
		seconds = 0;
	if (seconds < 120)
		snprintf(out, WORDS_SIZE, "%" PRId64 " s", seconds);
	else if (seconds < 7200)
		snprintf(out, WORDS_SIZE, "%" PRId64 " min", seconds / 60);
	else if (seconds < INT64_C(48) * 3600)
		snprintf(out, WORDS_SIZE, "%" PRId64 " h", seconds / 3600);
	else
		snprintf(out, WORDS_SIZE, "%" PRId64 " days", seconds / 86400);
}

void
words_time(char out[WORDS_SIZE], int64_t when, int64_t now)
{
	time_t at = (time_t)when, today = (time_t)now;
	struct tm tm, ref;
	bool same;

	if (localtime_r(&at, &tm) == NULL ||
	    localtime_r(&today, &ref) == NULL) {
		snprintf(out, WORDS_SIZE, "%" PRId64, when);
		return;
	}
	same = tm.tm_year == ref.tm_year && tm.tm_yday == ref.tm_yday;
	if (strftime(out, WORDS_SIZE, same ? "%H:%M" : "%Y-%m-%d %H:%M", &tm) ==
	    0)
		snprintf(out, WORDS_SIZE, "%" PRId64, when);
}
