/* SPDX-License-Identifier: ISC */
/* Values that are numbers: with a unit, or of something in a time. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/config_reader.h"

struct unit {
	char letter;
	uint64_t factor;
};

static const struct unit no_units[] = {{'\0', 0}};
static const struct unit size_units[] = {{'K', UINT64_C(1) << 10},
    {'M', UINT64_C(1) << 20}, {'G', UINT64_C(1) << 30}, {'k', 1 << 10},
    {'\0', 0}};
static const struct unit time_units[] = {{'s', 1}, {'m', 60}, {'h', 3600},
    {'d', 86400}, {'w', UINT64_C(7) * 86400}, {'\0', 0}};

/* Digits and at most one unit, up to the end or a space. */
static bool
measure(const char *text, const struct unit *units, uint64_t *value)
{
	const char *p = text;

	for (*value = 0; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, (uint64_t)(*p - '0'), value))
			return false;
	if (p == text)
		return false;
	for (; units->letter != '\0'; units++)
		if (*p == units->letter) {
			p++;
			if (__builtin_mul_overflow(
				*value, units->factor, value))
				return false;
			break;
		}
	return *p == '\0' || *p == ' ';
}

static bool
within(const char *bounds, const struct unit *units, uint64_t value)
{
	const char *to = strstr(bounds, " to ");
	uint64_t low, high;

	/* The table's own text: a mistake there is not the user's. */
	if (to == NULL || !measure(bounds, units, &low) ||
	    !measure(to + 4, units, &high))
		abort();
	return value >= low && value <= high;
}

static bool
take_measure(struct config_reader *r, const struct config_keyword *k,
    const char *value, const struct unit *units, const char *form,
    uint64_t *out)
{
	if (strchr(value, ' ') != NULL || !measure(value, units, out))
		return config_fail(r, "\"%s\": \"%s\" is not a %s (%s)",
		    k->name, value, k->type, form);
	return within(k->bounds, units, *out) ||
	    config_fail(
		r, "\"%s\": %s is not within %s", k->name, value, k->bounds);
}

bool
take_number(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	return take_measure(
	    r, k, value, no_units, "digits only", config_member(r, k));
}

bool
take_size(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	return take_measure(r, k, value, size_units,
	    "octets, or with K, M or G: 50M", config_member(r, k));
}

bool
take_duration(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	return take_measure(r, k, value, time_units,
	    "seconds, or with m, h, d or w: 5d", config_member(r, k));
}

bool
config_read_duration(const char *text, uint64_t *seconds)
{
	return strchr(text, ' ') == NULL && measure(text, time_units, seconds);
}

/* The part before a slash, digits only; NULL: there is none. */
static const char *
measure_count(const char *text, uint64_t *count)
{
	char digits[24];
	size_t n = strcspn(text, "/");

	if (text[n] == '\0' || n >= sizeof(digits))
		return NULL;
	memcpy(digits, text, n);
	digits[n] = '\0';
	return strchr(digits, ' ') == NULL && measure(digits, no_units, count)
	    ? text + n + 1
	    : NULL;
}

bool
config_parse_rate(const char *text, struct config_rate *rate)
{
	struct config_rate read = {0, 0};
	const char *span;

	if (strcmp(text, "0") != 0) {
		span = measure_count(text, &read.count);
		if (span == NULL || strchr(span, ' ') != NULL ||
		    !measure(span, time_units, &read.span) ||
		    !within("1 to 1000000", no_units, read.count) ||
		    !within("1s to 30d", time_units, read.span))
			return false;
	}
	*rate = read;
	return true;
}

void
config_format_rate(const struct config_rate *rate, char out[CONFIG_RATE_SIZE])
{
	static const struct unit units[] = {
	    {'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
	const struct unit *u = units;

	if (rate->count == 0) {
		memcpy(out, "0", 2);
		return;
	}
	while (rate->span % u->factor != 0)
		u++;
	snprintf(out, CONFIG_RATE_SIZE, "%" PRIu64 "/%" PRIu64 "%c",
	    rate->count, rate->span / u->factor, u->letter);
}

bool
take_rate(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	return config_parse_rate(value, config_member(r, k)) ||
	    config_fail(r,
		"\"%s\": \"%s\" is not a %s (a number and a time: 60/1m; "
		"%s)",
		k->name, value, k->type, k->bounds);
}

static bool
take_port(
    struct config_reader *r, const struct config_keyword *k, const char *word)
{
	struct config_ports *list = config_member(r, k);
	uint16_t *grown;
	uint64_t port;

	if (!measure(word, no_units, &port) ||
	    !within(k->bounds, no_units, port))
		return config_fail(r, "\"%s\": \"%s\" is not a port (%s)",
		    k->name, word, k->bounds);
	grown = config_grow(r, list->items, list->n, sizeof(*grown));
	if (grown == NULL)
		return false;
	list->items = grown;
	list->items[list->n++] = (uint16_t)port;
	return true;
}

bool
take_ports(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	return config_each_word(r, k, value, take_port);
}
