/* SPDX-License-Identifier: ISC */
#include "common/netaddr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in *
as_ipv4(struct sockaddr_storage *a)
{
	return (struct sockaddr_in *)(void *)a;
}

static struct sockaddr_in6 *
as_ipv6(struct sockaddr_storage *a)
{
	return (struct sockaddr_in6 *)(void *)a;
}

void
netaddr_unmap(struct sockaddr_storage *a)
{
	struct sockaddr_in6 six;
	struct sockaddr_in *four = as_ipv4(a);

	if (a->ss_family != AF_INET6)
		return;
	six = *as_ipv6(a);
	if (!IN6_IS_ADDR_V4MAPPED(&six.sin6_addr))
		return;
	memset(a, 0, sizeof(*a));
	four->sin_family = AF_INET;
	four->sin_port = six.sin6_port;
	memcpy(&four->sin_addr, six.sin6_addr.s6_addr + 12, 4);
}

void
netaddr_format(const struct sockaddr_storage *address, char *out)
{
	struct sockaddr_storage a = *address;
	const char *text = NULL;

	netaddr_unmap(&a);
	if (a.ss_family == AF_INET)
		text = inet_ntop(
		    AF_INET, &as_ipv4(&a)->sin_addr, out, NETADDR_TEXT_MAX);
	else if (a.ss_family == AF_INET6)
		text = inet_ntop(
		    AF_INET6, &as_ipv6(&a)->sin6_addr, out, NETADDR_TEXT_MAX);
	if (text == NULL)
		snprintf(out, NETADDR_TEXT_MAX, "unknown");
}

static bool
shows_colons(const char *text)
{
	return strchr(text, ':') != NULL;
}

void
netaddr_format_port(const struct sockaddr_storage *a, char *out)
{
	char text[NETADDR_TEXT_MAX];

	netaddr_format(a, text);
	/* An address has at most 45 octets; the precision tells the compiler.
	 */
	snprintf(out, NETADDR_TEXT_MAX,
	    shows_colons(text) ? "[%.45s]:%u" : "%.45s:%u", text,
	    (unsigned)netaddr_port(a));
}

void
netaddr_format_literal(const struct sockaddr_storage *a, char *out)
{
	char text[NETADDR_TEXT_MAX];

	netaddr_format(a, text);
	snprintf(out, NETADDR_TEXT_MAX,
	    shows_colons(text) ? "[IPv6:%.45s]" : "[%.45s]", text);
}

/* A decimal port, 1 to 65535. */
static bool
parse_port(const char *text, uint16_t *port)
{
	unsigned long value = 0;

	if (*text == '\0' || strlen(text) > 5)
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (unsigned long)(*text - '0');
	}
	*port = (uint16_t)value;
	return value >= 1 && value <= UINT16_MAX;
}

/*
 * The parts of address, [address], address:port, [address]:port.  An IPv6
 * address has colons of its own, so its port needs the brackets.
 */
static bool
split(const char *text, const char **host, size_t *n, const char **port)
{
	const char *end, *colon;

	if (*text == '[') {
		end = strchr(text, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return false;
		*host = text + 1;
		*port = end[1] == ':' ? end + 2 : NULL;
	} else {
		colon = strchr(text, ':');
		if (colon != NULL && strchr(colon + 1, ':') != NULL)
			colon = NULL;
		end = colon != NULL ? colon : text + strlen(text);
		*host = text;
		*port = colon != NULL ? colon + 1 : NULL;
	}
	*n = (size_t)(end - *host);
	return true;
}

bool
netaddr_parse(
    const char *text, uint16_t fallback_port, struct sockaddr_storage *a)
{
	char host[NETADDR_TEXT_MAX];
	const char *start, *port;
	size_t n;

	if (!split(text, &start, &n, &port) || n >= sizeof(host))
		return false;
	memcpy(host, start, n);
	host[n] = '\0';
	if (port != NULL && !parse_port(port, &fallback_port))
		return false;
	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, host, &as_ipv4(a)->sin_addr) == 1)
		a->ss_family = AF_INET;
	else if (inet_pton(AF_INET6, host, &as_ipv6(a)->sin6_addr) == 1)
		a->ss_family = AF_INET6;
	else
		return false;
	netaddr_unmap(a);
	netaddr_set_port(a, fallback_port);
	return true;
}

socklen_t
netaddr_size(const struct sockaddr_storage *a)
{
	switch (a->ss_family) {
	case AF_INET:
		return sizeof(struct sockaddr_in);
	case AF_INET6:
		return sizeof(struct sockaddr_in6);
	default:
		return sizeof(*a);
	}
}

uint16_t
netaddr_port(const struct sockaddr_storage *a)
{
	struct sockaddr_storage copy = *a;

	switch (a->ss_family) {
	case AF_INET:
		return ntohs(as_ipv4(&copy)->sin_port);
	case AF_INET6:
		return ntohs(as_ipv6(&copy)->sin6_port);
	default:
		return 0;
	}
}

void
netaddr_set_port(struct sockaddr_storage *a, uint16_t port)
{
	if (a->ss_family == AF_INET)
		as_ipv4(a)->sin_port = htons(port);
	else if (a->ss_family == AF_INET6)
		as_ipv6(a)->sin6_port = htons(port);
}

bool
netaddr_equal(
    const struct sockaddr_storage *left, const struct sockaddr_storage *right)
{
	struct sockaddr_storage a = *left, b = *right;

	netaddr_unmap(&a);
	netaddr_unmap(&b);
	if (a.ss_family != b.ss_family)
		return false;
	if (a.ss_family == AF_INET)
		return as_ipv4(&a)->sin_addr.s_addr ==
		    as_ipv4(&b)->sin_addr.s_addr;
	if (a.ss_family == AF_INET6)
		return memcmp(&as_ipv6(&a)->sin6_addr, &as_ipv6(&b)->sin6_addr,
			   sizeof(struct in6_addr)) == 0;
	return false;
}

int
netaddr_listen(const struct sockaddr_storage *a)
{
	const int on = 1;
	int fd, saved;

	fd =
	    socket(a->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    (a->ss_family != AF_INET6 ||
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) ==
		    0) &&
	    bind(fd, (const struct sockaddr *)a, netaddr_size(a)) == 0 &&
	    listen(fd, SOMAXCONN) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}
