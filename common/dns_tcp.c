/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* SOCK_NONBLOCK */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/dns_query.h"

static bool
wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd poller = {.fd = fd, .events = events};
	int n;

	do
		n = poll(&poller, 1, clock_left(deadline));
	while (n == -1 && errno == EINTR);
	return n == 1;
}

static int
connect_by(const struct sockaddr_storage *server, int64_t deadline)
{
	socklen_t size = server->ss_family == AF_INET
	    ? sizeof(struct sockaddr_in)
	    : sizeof(struct sockaddr_in6);
	int fd = socket(
	    server->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error = 0;
	socklen_t n = sizeof(error);

	if (fd == -1)
		return -1;
	if (connect(fd, (const struct sockaddr *)server, size) == 0)
		return fd;
	if (errno == EINPROGRESS && wait_for(fd, POLLOUT, deadline) &&
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && error == 0)
		return fd;
	close(fd);
	return -1;
}

static bool
send_all(int fd, const unsigned char *octets, size_t n, int64_t deadline)
{
	while (n > 0) {
		ssize_t sent = send(fd, octets, n, MSG_NOSIGNAL);

		if (sent == -1 && errno == EAGAIN &&
		    wait_for(fd, POLLOUT, deadline))
			continue;
		if (sent == -1 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false;
		octets += sent;
		n -= (size_t)sent;
	}
	return true;
}

static bool
receive_all(int fd, unsigned char *octets, size_t n, int64_t deadline)
{
	while (n > 0) {
		ssize_t got;

		if (!wait_for(fd, POLLIN, deadline))
			return false;
		got = recv(fd, octets, n, 0);
		if (got == -1 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0)
			return false;
		octets += got;
		n -= (size_t)got;
	}
	return true;
}

size_t
dns_ask_by_tcp(const struct sockaddr_storage *server,
    const unsigned char *query, size_t query_size, unsigned char *packet,
    int64_t deadline)
{
	unsigned char message[2 + 512], length[2];
	int fd = connect_by(server, deadline);
	size_t n = 0;

	if (fd == -1)
		return 0;
	if (query_size <= sizeof(message) - 2) {
		message[0] = (unsigned char)(query_size >> 8);
		message[1] = (unsigned char)query_size;
		memcpy(message + 2, query, query_size);
		if (send_all(fd, message, 2 + query_size, deadline) &&
		    receive_all(fd, length, 2, deadline))
			n = (size_t)(length[0] << 8 | length[1]);
	}
	if (n > 0 && !receive_all(fd, packet, n, deadline))
		n = 0;
	close(fd);
	return n;
}
