/* SPDX-License-Identifier: ISC */
#include "queue/pattern.h"

#include <stddef.h>
#include <string.h>

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Behind one character: UTF-8's further octets belong to it. */
static const char *
behind(const char *text)
{
	text++;
	while (((unsigned char)*text & 0xc0) == 0x80)
		text++;
	return text;
}

/* Both behind what matches; false: it does not. */
static bool
step(const char **pattern, const char **text)
{
	const char *p = *pattern;

	if (**text == '\0' || *p == '\0')
		return false;
	if (*p == '?') {
		*pattern = p + 1;
		*text = behind(*text);
		return true;
	}
	if (*p == '\\' && p[1] != '\0')
		p++;
	if (lower(*p) != lower(**text))
		return false;
	*pattern = p + 1;
	(*text)++;
	return true;
}

/* Only the last star is ever tried again: what stood before it matched. */
bool
pattern_matches(const char *pattern, const char *text)
{
	const char *star = NULL, *from = NULL;

	for (;;) {
		if (*pattern == '*') {
			star = ++pattern;
			from = text;
		} else if (*pattern == '\0' && *text == '\0') {
			return true;
		} else if (!step(&pattern, &text)) {
			if (star == NULL || *from == '\0')
				return false;
			pattern = star;
			text = ++from;
		}
	}
}

bool
pattern_is_wild(const char *pattern)
{
	for (; *pattern != '\0'; pattern++) {
		if (*pattern == '*' || *pattern == '?')
			return true;
		if (*pattern == '\\' && pattern[1] != '\0')
			pattern++;
	}
	return false;
}

bool
pattern_quote(const char *text, char *out, size_t size)
{
	size_t n = 0;

	for (; *text != '\0'; text++) {
		if (n + 2 >= size)
			return false;
		if (strchr("*?\\", *text) != NULL)
			out[n++] = '\\';
		out[n++] = *text;
	}
	out[n] = '\0';
	return true;
}

bool
pattern_plain(const char *pattern, char *out, size_t size)
{
	size_t n = 0;

	if (pattern_is_wild(pattern))
		return false;
	for (; *pattern != '\0'; pattern++) {
		if (*pattern == '\\' && pattern[1] != '\0')
			pattern++;
		if (n + 1 >= size)
			return false;
		out[n++] = *pattern;
	}
	out[n] = '\0';
	return true;
}
