/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/config_reader.h"
#include "common/cursor.h"

/* Lists in the DNS (RFC 5782): "bl.example =127.0.0.2-11,127.0.1.* 3". */

enum {
	DEFAULT_SCORE = 3,
	SCORE_MAX = 1000,
	ZONE_MAX = 180 /* an IPv6 address stands before it */
};

/* "*", "7" or "2-11". */
static void
read_octet(struct cursor *c, uint8_t *low, uint8_t *high)
{
	uint64_t from, to;

	if (cursor_left(c) > 0 && *c->pos == '*') {
		cursor_skip(c, 1);
		*low = 0;
		*high = UINT8_MAX;
		return;
	}
	from = to = cursor_decimal(c);
	if (cursor_left(c) > 0 && *c->pos == '-') {
		cursor_skip(c, 1);
		to = cursor_decimal(c);
	}
	if (from > to || to > UINT8_MAX)
		c->failed = true;
	*low = (uint8_t)from;
	*high = (uint8_t)to;
}

/* 127.0.0.1 and 127.255.255.* say that something is wrong, not who is bad. */
static bool
is_listing(const struct config_code *code)
{
	static const uint8_t none[4] = {127, 0, 0, 1};

	return code->low[0] == 127 && code->high[0] == 127 &&
	    (code->low[1] < 255 || code->low[2] < 255) &&
	    (memcmp(code->low, none, 4) != 0 ||
		memcmp(code->high, none, 4) != 0);
}

static bool
read_codes(struct config_zone *zone, const char *text)
{
	struct cursor c = cursor_over(text, strlen(text));

	do {
		struct config_code *code = &zone->codes[zone->ncodes];

		if (zone->ncodes == CONFIG_CODES_MAX)
			return false;
		for (size_t i = 0; i < 4; i++) {
			if (i > 0)
				cursor_expect(&c, ".");
			read_octet(&c, &code->low[i], &code->high[i]);
		}
		if (!cursor_ok(&c) || !is_listing(code))
			return false;
		zone->ncodes++;
		if (cursor_left(&c) > 0)
			cursor_expect(&c, ",");
		else
			break;
	} while (cursor_ok(&c));
	return cursor_done(&c);
}

static bool
read_score(struct config_zone *zone, const char *text, int sign)
{
	struct cursor c = cursor_over(text, strlen(text));
	uint64_t score;

	if (sign < 0)
		cursor_expect(&c, "-");
	score = cursor_decimal(&c);
	zone->score = (int64_t)(score % (SCORE_MAX + 1)) * sign;
	return cursor_done(&c) && score >= 1 && score <= SCORE_MAX;
}

/* The last of the list: its zone, then answers, then a score. */
static bool
take_word_of_list(
    struct config_reader *r, const struct config_keyword *k, const char *word)
{
	struct config_zones *list = config_member(r, k);
	struct config_zone *zone = &list->items[list->n - 1];
	int sign = k->take == take_dnswl ? -1 : 1;

	if (zone->name == NULL) {
		if (!config_is_domain(word, false) || strlen(word) > ZONE_MAX)
			return config_fail(r,
			    "\"%s\": \"%s\" is not the zone of a list", k->name,
			    word);
		zone->score = sign * DEFAULT_SCORE;
		if (!config_set_text(r, &zone->name, word))
			return false;
		config_lower_case(zone->name);
		return true;
	}
	if (word[0] == '=')
		return (zone->ncodes == 0 && read_codes(zone, word + 1)) ||
		    config_fail(r,
			"\"%s\": \"%s\" is not answers of a list "
			"(=127.0.0.2,127.0.0.4-11,127.0.1.*)",
			k->name, word);
	return read_score(zone, word, sign) ||
	    config_fail(r, "\"%s\": \"%s\" is not a score (%s, %s)", k->name,
		word, sign > 0 ? "3" : "-3", k->bounds);
}

static bool
take_list(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	struct config_zones *list = config_member(r, k);
	struct config_zone *grown;

	if (list->n == CONFIG_ZONES_MAX)
		return config_fail(
		    r, "\"%s\": more than %d lists", k->name, CONFIG_ZONES_MAX);
	grown = config_grow(r, list->items, list->n, sizeof(*grown));
	if (grown == NULL)
		return false;
	list->items = grown;
	grown[list->n++] = (struct config_zone){.name = NULL};
	return config_each_word(r, k, value, take_word_of_list);
}

bool
take_dnsbl(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	return take_list(r, k, value);
}

bool
take_dnswl(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	return take_list(r, k, value);
}
