/* SPDX-License-Identifier: ISC */
#include "common/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "common/cursor.h"
#include "common/netaddr.h"

/* -- version 1, a line of text -- */

static const char v1_begin[] = "PROXY ";
enum {
	V1_BEGIN = sizeof(v1_begin) - 1,
	V1_MIN = sizeof("PROXY UNKNOWN\r\n") - 1
};

static bool
is_word(struct span word, const char *text)
{
	return word.len == strlen(text) &&
	    memcmp(word.data, text, word.len) == 0;
}

static bool
read_address(struct span word, int family, struct sockaddr_storage *out)
{
	char text[INET6_ADDRSTRLEN];
	struct sockaddr_in *in = (void *)out;
	struct sockaddr_in6 *in6 = (void *)out;

	if (word.len >= sizeof(text) || memchr(word.data, '\0', word.len))
		return false;
	memcpy(text, word.data, word.len);
	text[word.len] = '\0';
	memset(out, 0, sizeof(*out));
	out->ss_family = (sa_family_t)family;
	return inet_pton(family, text,
		   family == AF_INET ? (void *)&in->sin_addr
				     : (void *)&in6->sin6_addr) == 1;
}

/* 0 to 65535, without zeros in front. */
static bool
read_port(struct span word, uint16_t *port)
{
	struct cursor c = cursor_over(word.data, word.len);
	uint64_t value = cursor_decimal(&c);

	*port = (uint16_t)value;
	return cursor_done(&c) && value <= UINT16_MAX &&
	    (word.len == 1 || word.data[0] != '0');
}

static bool
read_line(struct cursor *c, int family, struct sockaddr_storage *client)
{
	struct span source = cursor_until(c, ' ');
	struct span destination = cursor_until(c, ' ');
	struct span source_port = cursor_until(c, ' ');
	struct span destination_port = cursor_take(c, cursor_left(c));
	struct sockaddr_storage ignored;
	uint16_t port, other;

	if (!cursor_ok(c) || !read_address(destination, family, &ignored) ||
	    !read_address(source, family, client) ||
	    !read_port(source_port, &port) ||
	    !read_port(destination_port, &other))
		return false;
	netaddr_set_port(client, port);
	return true;
}

/* line: without its CRLF. */
static enum proxy_result
parse_line(const char *line, size_t n, struct proxy_header *header)
{
	struct cursor c = cursor_over(line, n);
	struct span rest, protocol;

	cursor_skip(&c, V1_BEGIN);
	rest = (struct span){(const char *)c.pos, cursor_left(&c)};
	/* The rest of such a line is for nobody. */
	header->own = is_word(rest, "UNKNOWN") ||
	    (rest.len >= 8 && memcmp(rest.data, "UNKNOWN ", 8) == 0);
	if (header->own)
		return PROXY_DONE;
	protocol = cursor_until(&c, ' ');
	if (is_word(protocol, "TCP4"))
		return read_line(&c, AF_INET, &header->client) ? PROXY_DONE
							       : PROXY_BAD;
	if (is_word(protocol, "TCP6"))
		return read_line(&c, AF_INET6, &header->client) ? PROXY_DONE
								: PROXY_BAD;
	return PROXY_BAD;
}

static enum proxy_result
parse_v1(const char *octets, size_t n, struct proxy_header *header)
{
	size_t most = n < PROXY_V1_MAX ? n : PROXY_V1_MAX;
	const char *end = memchr(octets, '\n', most);

	if (memcmp(octets, v1_begin, n < V1_BEGIN ? n : V1_BEGIN) != 0)
		return PROXY_BAD;
	if (end != NULL) {
		header->size = (size_t)(end - octets) + 1;
		if (header->size < V1_MIN || end[-1] != '\r')
			return PROXY_BAD;
		return parse_line(octets, header->size - 2, header);
	}
	header->size = n < V1_MIN ? V1_MIN : n + 1;
	return n < PROXY_V1_MAX ? PROXY_MORE : PROXY_BAD;
}

/* -- version 2, binary -- */

static const char v2_begin[] = "\r\n\r\n\0\r\nQUIT\n";
enum {
	V2_BEGIN = sizeof(v2_begin) - 1,
	V2_FIXED = V2_BEGIN + 4,
	V2_LOCAL = 0x20,
	V2_PROXY = 0x21,
	/* the family's and the protocol's halves of an octet */
	V2_INET_STREAM = 0x11,
	V2_INET6_STREAM = 0x21,
	V2_FAMILY_LAST = 0x30,
	V2_PROTOCOL_LAST = 0x02
};

/* Both addresses and both ports, of which the source's are wanted. */
static bool
read_block(struct cursor *c, int family, struct sockaddr_storage *client)
{
	struct sockaddr_in *in = (void *)client;
	struct sockaddr_in6 *in6 = (void *)client;
	size_t n = family == AF_INET ? 4 : 16;
	struct span source = cursor_take(c, n);
	uint16_t port;

	cursor_skip(c, n);
	port = cursor_u16(c);
	cursor_skip(c, 2);
	if (!cursor_ok(c))
		return false;
	memset(client, 0, sizeof(*client));
	client->ss_family = (sa_family_t)family;
	if (family == AF_INET)
		memcpy(&in->sin_addr, source.data, n);
	else
		memcpy(&in6->sin6_addr, source.data, n);
	netaddr_set_port(client, port);
	return true;
}

static enum proxy_result
parse_v2(const char *octets, size_t n, struct proxy_header *header)
{
	struct cursor c;
	uint8_t command, kind;
	bool known = true;

	if (memcmp(octets, v2_begin, n < V2_BEGIN ? n : V2_BEGIN) != 0)
		return PROXY_BAD;
	header->size = V2_FIXED;
	if (n < V2_FIXED)
		return PROXY_MORE;
	c = cursor_over(octets, n);
	cursor_skip(&c, V2_BEGIN);
	command = cursor_u8(&c);
	kind = cursor_u8(&c);
	header->size += cursor_u16(&c);
	if (header->size > PROXY_MAX ||
	    (command != V2_LOCAL && command != V2_PROXY) ||
	    (command == V2_PROXY &&
		((kind & 0xf0) > V2_FAMILY_LAST ||
		    (kind & 0x0f) > V2_PROTOCOL_LAST)))
		return PROXY_BAD;
	if (n < header->size)
		return PROXY_MORE;
	c.end = c.start + header->size;
	header->own = command == V2_LOCAL ||
	    (kind != V2_INET_STREAM && kind != V2_INET6_STREAM);
	if (!header->own)
		known =
		    read_block(&c, kind == V2_INET_STREAM ? AF_INET : AF_INET6,
			&header->client);
	return known ? PROXY_DONE : PROXY_BAD;
}

enum proxy_result
proxy_parse(const void *octets, size_t n, struct proxy_header *header)
{
	enum proxy_result result;
	const char *first = octets;

	*header = (struct proxy_header){.size = V1_MIN};
	if (n == 0)
		return PROXY_MORE;
	result = first[0] == v2_begin[0] ? parse_v2(octets, n, header)
					 : parse_v1(octets, n, header);
	if (result == PROXY_DONE && !header->own)
		netaddr_unmap(&header->client);
	return result;
}
