/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/netaddr.h"
#include "supervisor/report.h"

enum { WAIT_MS = 1000 };

static int
wait_connected(int fd)
{
	struct pollfd poller = {.fd = fd, .events = POLLOUT};
	socklen_t size = sizeof(int);
	int error = ETIMEDOUT;

	if (poll(&poller, 1, WAIT_MS) == 1)
		(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	return error;
}

static int
try(int family, const void *address, socklen_t size)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error = 0;

	if (fd == -1)
		return errno;
	if (connect(fd, address, size) == -1)
		error = errno == EINPROGRESS ? wait_connected(fd) : errno;
	close(fd);
	return error;
}

/* 0, or why nobody can be reached there. */
static int
reach(const struct config_milter *m)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (m->path == NULL)
		return try(m->address.ss_family, &m->address,
		    netaddr_size(&m->address));
	strncpy(address.sun_path, m->path, sizeof(address.sun_path) - 1);
	return try(AF_UNIX, &address, sizeof(address));
}

/* It may be started later than we are. */
void
check_filters(const struct config *config)
{
	for (size_t i = 0; i < config->milters.n; i++) {
		const struct config_milter *m = &config->milters.items[i];
		int error = reach(m);

		if (error != 0)
			report_warning("milter %s: %s: %s", m->text,
			    strerror(error),
			    m->accept ? "mail passes without it"
				      : "mail has to wait for it");
	}
}
