/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/config.h"
#include "common/log.h"
#include "common/netaddr.h"
#include "common/proxy.h"

void
proxy_find_peer(int fd, struct proxy_client *client)
{
	struct sockaddr_storage *address = &client->address;
	socklen_t n = sizeof(*address);

	client->proxied = false;
	if (getpeername(fd, (struct sockaddr *)address, &n) == -1 ||
	    (address->ss_family != AF_INET && address->ss_family != AF_INET6))
		*address = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
	netaddr_unmap(address);
}

/* As recv(2), waiting for at least one octet until the deadline. */
static ssize_t
receive(int fd, void *octets, size_t n, int64_t deadline)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	int ready;

	do
		ready = poll(&poller, 1, clock_left(deadline));
	while (ready == -1 && errno == EINTR);
	if (ready == 0)
		errno = ETIMEDOUT;
	return ready == 1 ? recv(fd, octets, n, MSG_DONTWAIT) : -1;
}

static bool
complain(const struct sockaddr_storage *peer, const char *reason)
{
	char text[NETADDR_TEXT_MAX];

	netaddr_format(peer, text);
	log_event(LEVEL_WARNING, "refused", log_text("client", text),
	    log_text("reason", reason));
	return false;
}

/* A check that connects and goes is nobody's trouble. */
static bool
no_header(const struct sockaddr_storage *peer, size_t have, ssize_t n)
{
	if (n == -1 && errno == ETIMEDOUT)
		return complain(peer, "this proxy sends no PROXY header");
	return have > 0 ? complain(peer, "the PROXY header ends early") : false;
}

static bool
take_header(
    int fd, const struct sockaddr_storage *peer, struct proxy_header *header)
{
	int64_t deadline = clock_monotonic_ms() + PROXY_WAIT_MS;
	enum proxy_result result;
	char octets[PROXY_MAX];
	size_t have = 0;

	while ((result = proxy_parse(octets, have, header)) == PROXY_MORE) {
		ssize_t n =
		    receive(fd, octets + have, header->size - have, deadline);

		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return no_header(peer, have, n);
		have += (size_t)n;
	}
	return result == PROXY_DONE || complain(peer, "malformed PROXY header");
}

bool
proxy_find_client(
    int fd, const struct config_nets *proxies, struct proxy_client *client)
{
	struct proxy_header header;

	if (!config_net_contains(proxies, &client->address))
		return true;
	if (!take_header(fd, &client->address, &header))
		return false;
	client->proxied = !header.own;
	if (client->proxied)
		client->address = header.client;
	return true;
}
