/* SPDX-License-Identifier: ISC */
#include "smtpd/lists_read.h"

#include <stdio.h>
#include <string.h>

bool
lists_name(const struct sockaddr_storage *address, const char *zone,
    char out[DNS_NAME_MAX + 1])
{
	char reverse[DNS_NAME_MAX + 1], *suffix;

	if (!dns_reverse_name(address, reverse))
		return false;
	suffix =
	    strstr(reverse, address->ss_family == AF_INET ? "in-addr" : "ip6");
	if (suffix == NULL)
		return false;
	*suffix = '\0';
	return snprintf(out, DNS_NAME_MAX + 1, "%s%s", reverse, zone) <=
	    DNS_NAME_MAX;
}

/* The octets of an address record. */
static bool
read_octets(const struct dns_answer *a, size_t i, uint8_t out[4])
{
	struct cursor c = dns_record_cursor(a, &a->records[i]);
	struct span octets = cursor_take(&c, 4);

	if (a->records[i].type != DNS_TYPE_A || !cursor_done(&c))
		return false;
	memcpy(out, octets.data, 4);
	return true;
}

/* RFC 5782 section 2.1; the last are how lists say that they do not answer. */
static bool
is_of_a_list(const uint8_t octets[4])
{
	return octets[0] == 127 && !(octets[1] == 255 && octets[2] == 255);
}

static bool
is_listing(const uint8_t octets[4])
{
	static const uint8_t none[4] = {127, 0, 0, 1};

	return is_of_a_list(octets) && memcmp(octets, none, 4) != 0;
}

void
lists_nonsense(const struct dns_answer *a, char reason[LISTS_REASON_MAX + 1])
{
	uint8_t octets[4];

	reason[0] = '\0';
	for (size_t i = 0; i < a->n && reason[0] == '\0'; i++)
		if (read_octets(a, i, octets) && !is_of_a_list(octets))
			snprintf(reason, LISTS_REASON_MAX + 1,
			    "answers %u.%u.%u.%u", octets[0], octets[1],
			    octets[2], octets[3]);
}

static bool
is_within(const struct config_code *code, const uint8_t octets[4])
{
	for (size_t i = 0; i < 4; i++)
		if (octets[i] < code->low[i] || octets[i] > code->high[i])
			return false;
	return true;
}

static bool
counts(const struct config_zone *zone, const uint8_t octets[4])
{
	for (size_t i = 0; i < zone->ncodes; i++)
		if (is_within(&zone->codes[i], octets))
			return true;
	return zone->ncodes == 0;
}

bool
lists_matches(const struct config_zone *zone, const struct dns_answer *a)
{
	uint8_t octets[4];

	for (size_t i = 0; i < a->n; i++)
		if (read_octets(a, i, octets) && is_listing(octets) &&
		    counts(zone, octets))
			return true;
	return false;
}

bool
lists_text(const struct dns_answer *a, char *out, size_t size)
{
	struct cursor c;
	size_t n = 0;

	if (a->n == 0 || a->records[0].type != DNS_TYPE_TXT || size == 0)
		return false;
	c = dns_record_cursor(a, &a->records[0]);
	while (cursor_left(&c) > 0) {
		struct span s = cursor_take(&c, cursor_u8(&c));

		for (size_t i = 0; i < s.len && n < size - 1; i++)
			out[n++] = s.data[i] < ' ' || s.data[i] > '~'
			    ? '?'
			    : s.data[i];
	}
	out[n] = '\0';
	return cursor_ok(&c) && n > 0;
}

void
lists_shown(const char *zone, char out[DNS_NAME_MAX + 1])
{
	size_t first = strcspn(zone, ".");

	snprintf(out, DNS_NAME_MAX + 1, "%s%s",
	    first >= LISTS_KEY_MIN ? "..." : "",
	    first >= LISTS_KEY_MIN ? zone + first : zone);
}
