/* SPDX-License-Identifier: ISC */
#include "smtpd/milter_connect.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/door.h"
#include "common/ipc.h"
#include "common/netaddr.h"

enum { REST_MS = 10000, AGAIN_MS = 50 };

static int64_t rests[CONFIG_MILTERS_MAX]; /* until then */

void
milter_rest(size_t index)
{
	rests[index] = clock_monotonic_ms() + REST_MS;
}

bool
milter_rests(size_t index)
{
	return clock_monotonic_ms() < rests[index];
}

static int
fail(int fd, const char **why)
{
	*why = strerror(errno);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* -- at the supervisor's door -- */

/* The connection; -1 and errno, EAGAIN: others wait there. */
static int
knock(const char *door, int64_t deadline_ms)
{
	static struct packet p;
	int fd = ipc_connect(door);
	enum ipc_result result;

	if (fd == -1)
		return -1;
	result = ipc_receive(fd, &p, deadline_ms);
	close(fd);
	if (result == IPC_OK && packet_read(&p, "door", NULL, 0, 1))
		return packet_detach(&p, 0);
	if (result == IPC_OK) {
		errno = packet_is(&p, "busy") ? EAGAIN : EBADMSG;
		packet_close(&p);
	} else if (result == IPC_TIMEOUT) {
		errno = ETIMEDOUT;
	} else if (result == IPC_CLOSED) {
		errno = ECONNREFUSED; /* the supervisor has logged why */
	}
	return -1;
}

static int
reach_path(const char *path, int64_t deadline_ms, const char **why)
{
	char door[DOOR_NAME_SIZE];
	int fd;

	door_name(path, door);
	while ((fd = knock(door, deadline_ms)) == -1 && errno == EAGAIN) {
		if (clock_left(deadline_ms) == 0) {
			errno = ETIMEDOUT;
			break;
		}
		poll(NULL, 0, AGAIN_MS);
	}
	return fd == -1 ? fail(fd, why) : fd;
}

/* -- over TCP -- */

static int
wait_connected(int fd, int64_t deadline_ms)
{
	struct pollfd poller = {.fd = fd, .events = POLLOUT};
	socklen_t size = sizeof(int);
	int n, error;

	do
		n = poll(&poller, 1, clock_left(deadline_ms));
	while (n == -1 && errno == EINTR);
	if (n == 0)
		errno = ETIMEDOUT;
	if (n <= 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1)
		return -1;
	errno = error;
	return error == 0 ? 0 : -1;
}

static int
reach_address(const struct sockaddr_storage *address, int64_t deadline_ms,
    const char **why)
{
	int on = 1;
	int fd = socket(
	    address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd == -1)
		return fail(fd, why);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (const struct sockaddr *)address,
		netaddr_size(address)) == -1 &&
	    (errno != EINPROGRESS || wait_connected(fd, deadline_ms) == -1))
		return fail(fd, why);
	return fd;
}

int
milter_reach(
    const struct config_milter *m, int64_t deadline_ms, const char **why)
{
	if (m->path != NULL)
		return reach_path(m->path, deadline_ms, why);
	return reach_address(&m->address, deadline_ms, why);
}
