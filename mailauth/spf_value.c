/* SPDX-License-Identifier: ISC */
#include "mailauth/spf_value.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "common/netaddr.h"
#include "common/utf8.h"

/* Section 7.3: IPv6 as its nibbles. */
static int
write_client(const struct sockaddr_storage *client, char *out, size_t size)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)client;
	size_t n = 0;

	if (client->ss_family == AF_INET) {
		netaddr_format(client, out);
		return (int)strlen(out);
	}
	for (size_t i = 0; i < 16 && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, "%X.%X.",
		    in6->sin6_addr.s6_addr[i] >> 4U,
		    in6->sin6_addr.s6_addr[i] & 15U);
	out[--n] = '\0';
	return (int)n;
}

/* As it stands, before it is transformed; -1: there is none. */
static int
write_value(const struct spf_macros *m, char letter, char *out, size_t size)
{
	bool ascii = utf8_is_ascii(m->local, strlen(m->local));

	switch (letter) {
	case 's':
		return !ascii
		    ? -1
		    : snprintf(out, size, "%s@%s", m->local, m->sender_domain);
	case 'l':
		return !ascii ? -1 : snprintf(out, size, "%s", m->local);
	case 'o':
		return snprintf(out, size, "%s", m->sender_domain);
	case 'd':
		return snprintf(out, size, "%s", m->domain);
	case 'i':
		return write_client(m->client, out, size);
	case 'p':
		return snprintf(out, size, "%s", m->name(m->context));
	case 'v':
		return snprintf(out, size, "%s",
		    m->client->ss_family == AF_INET ? "in-addr" : "ip6");
	case 'h':
		return snprintf(out, size, "%s", m->helo);
	case 'c':
		netaddr_format(m->client, out);
		return (int)strlen(out);
	case 'r':
		return snprintf(out, size, "%s", m->receiver);
	case 't':
		return snprintf(out, size, "%" PRId64, m->now);
	default:
		return -1;
	}
}

/* Parted at the delimiters; how many there are. */
static size_t
part(struct span text, struct span delimiters, struct span *parts)
{
	size_t n = 0;

	if (delimiters.len == 0)
		delimiters = (struct span){".", 1};
	parts[0] = (struct span){text.data, 0};
	for (size_t i = 0; i < text.len; i++) {
		if (memchr(delimiters.data, text.data[i], delimiters.len) ==
		    NULL)
			parts[n].len++;
		else
			parts[++n] = (struct span){text.data + i + 1, 0};
	}
	return n + 1;
}

/* Those that are kept, in their new order, with dots between them. */
static size_t
transform(struct span text, const struct spf_transform *how, char *out)
{
	struct span parts[SPF_TEXT_MAX + 1];
	size_t count = part(text, how->delimiters, parts), n = 0;
	size_t first = count > how->keep ? count - how->keep : 0;

	for (size_t i = first; i < count; i++) {
		struct span p = parts[how->reverse ? count - 1 - i : i];

		if (i > first)
			out[n++] = '.';
		memcpy(out + n, p.data, p.len);
		n += p.len;
	}
	return n;
}

/* RFC 3986 section 2.3 */
static bool
is_unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || (c != '\0' && strchr("-._~", c) != NULL);
}

static size_t
url_escape(struct span text, char *out)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (is_unreserved(c)) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '%';
		out[n++] = digits[c >> 4U];
		out[n++] = digits[c & 15U];
	}
	return n;
}

bool
spf_value(const struct spf_macros *m, char letter,
    const struct spf_transform *how, bool escape, char room[SPF_VALUE_MAX],
    struct span *value)
{
	char raw[SPF_TEXT_MAX + 1], parted[SPF_TEXT_MAX + 1];
	int n = write_value(m, letter, raw, sizeof(raw));
	struct span text = {raw, (size_t)n};

	if (n < 0 || (size_t)n >= sizeof(raw))
		return false;
	if (how->any)
		text = (struct span){parted, transform(text, how, parted)};
	*value = (struct span){room, text.len};
	if (escape)
		value->len = url_escape(text, room);
	else
		memcpy(room, text.data, text.len);
	return true;
}
