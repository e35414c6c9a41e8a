/* SPDX-License-Identifier: ISC */
#include "common/self.h"

#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "common/netaddr.h"

enum { SMTP_PORT = 25 };

static uint32_t
ipv4_of(const struct sockaddr_storage *a)
{
	return ntohl(
	    ((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr);
}

static const struct in6_addr *
ipv6_of(const struct sockaddr_storage *a)
{
	return &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
}

bool
self_is_nobody(const struct sockaddr_storage *address)
{
	struct sockaddr_storage a = *address;
	const struct in6_addr *six;

	netaddr_unmap(&a);
	if (a.ss_family == AF_INET)
		return ipv4_of(&a) >> 24 == 0 || ipv4_of(&a) >= 0xe0000000;
	if (a.ss_family != AF_INET6)
		return true;
	six = ipv6_of(&a);
	return IN6_IS_ADDR_UNSPECIFIED(six) || IN6_IS_ADDR_MULTICAST(six) ||
	    IN6_IS_ADDR_LINKLOCAL(six) ||
	    (IN6_IS_ADDR_V4COMPAT(six) && !IN6_IS_ADDR_LOOPBACK(six));
}

bool
self_is_loopback(const struct sockaddr_storage *address)
{
	struct sockaddr_storage a = *address;

	netaddr_unmap(&a);
	if (a.ss_family == AF_INET)
		return ipv4_of(&a) >> 24 == 127;
	return a.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(ipv6_of(&a));
}

bool
self_source(
    const struct config *config, int family, struct sockaddr_storage *source)
{
	for (size_t i = 0; i < config->source_addresses.n; i++)
		if (netaddr_parse(
			config->source_addresses.items[i], 0, source) &&
		    source->ss_family == family)
			return true;
	return false;
}

bool
self_kernel_source(
    const struct sockaddr_storage *to, struct sockaddr_storage *from)
{
	struct sockaddr_storage target = *to;
	socklen_t size = sizeof(*from);
	int fd = socket(to->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ok;

	if (fd == -1)
		return false;
	netaddr_set_port(&target, SMTP_PORT);
	ok = connect(fd, (struct sockaddr *)&target, netaddr_size(&target)) ==
		0 &&
	    getsockname(fd, (struct sockaddr *)from, &size) == 0;
	close(fd);
	return ok;
}

bool
self_is_local(const struct sockaddr_storage *address)
{
	struct sockaddr_storage from;

	return self_is_loopback(address) ||
	    (self_kernel_source(address, &from) &&
		netaddr_equal(address, &from));
}

static bool
is_wildcard(const struct sockaddr_storage *a)
{
	if (a->ss_family == AF_INET)
		return ipv4_of(a) == INADDR_ANY;
	return a->ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(ipv6_of(a));
}

bool
self_is_listener(const struct config_listeners *listeners,
    const struct sockaddr_storage *address, bool local)
{
	for (size_t i = 0; i < listeners->n; i++) {
		const struct config_listener *l = &listeners->items[i];

		if (l->kind != LISTENER_SMTP ||
		    netaddr_port(&l->address) != netaddr_port(address))
			continue;
		if (netaddr_equal(&l->address, address))
			return true;
		if (local && is_wildcard(&l->address) &&
		    l->address.ss_family == address->ss_family)
			return true;
	}
	return false;
}

bool
self_is_us(const struct config *config, const struct sockaddr_storage *address)
{
	if (netaddr_port(address) == SMTP_PORT && self_is_loopback(address))
		return true;
	return self_is_listener(
	    &config->listen, address, self_is_local(address));
}
