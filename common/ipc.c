/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* accept4, SO_PEERCRED's struct ucred */
#include "common/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"

static void
add_string(struct packet *p, const char *text)
{
	size_t n = strlen(text) + 1;

	if (p->failed || n > sizeof(p->octets) - p->len) {
		p->failed = true;
		return;
	}
	memcpy(p->octets + p->len, text, n);
	p->len += n;
}

void
packet_start(struct packet *p, const char *verb)
{
	p->len = 0;
	p->nfds = 0;
	p->together = 0;
	p->failed = false;
	add_string(p, verb);
}

void
packet_also(struct packet *p, const char *verb)
{
	if (p->nfds > 0 || ++p->together == IPC_TOGETHER_MAX)
		p->failed = true;
	add_string(p, "");
	add_string(p, verb);
}

/* Half of the room holds any packet of the protocol. */
bool
packet_is_full(const struct packet *p)
{
	return p->len > IPC_PACKET_MAX / 2 ||
	    p->together + 1 == IPC_TOGETHER_MAX;
}

void
packet_text(struct packet *p, const char *name, const char *value)
{
	add_string(p, name);
	add_string(p, value);
}

void
packet_number(struct packet *p, const char *name, uint64_t value)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRIu64, value);
	packet_text(p, name, digits);
}

void
packet_attach(struct packet *p, int fd)
{
	if (p->nfds == IPC_FDS_MAX || fd < 0) {
		p->failed = true;
		return;
	}
	p->fds[p->nfds++] = fd;
}

const char *
packet_verb(const struct packet *p)
{
	struct cursor c = cursor_over(p->octets, p->len);
	const char *verb = cursor_string(&c, IPC_PACKET_MAX);

	return verb != NULL ? verb : "";
}

bool
packet_is(const struct packet *p, const char *verb)
{
	return strcmp(packet_verb(p), verb) == 0;
}

struct cursor
packet_cursor(const struct packet *p)
{
	struct cursor c = cursor_over(p->octets, p->len);

	(void)cursor_string(&c, IPC_PACKET_MAX);
	return c;
}

bool
packet_next(struct cursor *c, const char **name, const char **value)
{
	if (cursor_left(c) == 0)
		return false;
	*name = cursor_string(c, IPC_PACKET_MAX);
	*value = cursor_string(c, IPC_PACKET_MAX);
	return cursor_ok(c);
}

/* Where the one that begins here ends. */
static size_t
end_of_one(const struct packet *p, size_t from)
{
	struct cursor c = cursor_over(p->octets + from, p->len - from);

	(void)cursor_string(&c, IPC_PACKET_MAX);
	while (cursor_left(&c) > 0) {
		size_t here = p->len - cursor_left(&c);
		const char *name = cursor_string(&c, IPC_PACKET_MAX);
		if (cursor_left(&c) > 0 && name[0] == '\0')
			return here;
		(void)cursor_string(&c, IPC_PACKET_MAX);
	}
	return p->len;
}

bool
packet_split(struct packet *together, size_t *at, struct packet *one)
{
	size_t end;

	if (*at >= together->len)
		return false;
	end = end_of_one(together, *at);
	one->len = end - *at;
	one->nfds = 0;
	one->together = 0;
	one->failed = false;
	memcpy(one->octets, together->octets + *at, one->len);
	*at = end < together->len ? end + 1 : end;
	if (*at == together->len) {
		one->nfds = together->nfds;
		memcpy(one->fds, together->fds, sizeof(one->fds));
		together->nfds = 0;
	}
	return true;
}

static bool
read_value(const struct attribute *a, const char *value)
{
	size_t n = strlen(value);
	struct cursor c = cursor_over(value, n);

	if (a->number != NULL) {
		*a->number = cursor_decimal(&c);
		return cursor_done(&c);
	}
	*a->text = value;
	return n <= a->max;
}

bool
packet_read(const struct packet *p, const char *verb,
    const struct attribute *set, size_t n, size_t nfds)
{
	struct cursor c = packet_cursor(p);
	const char *name, *value;
	bool more;

	if (!cursor_ok(&c) || !packet_is(p, verb) || p->nfds != nfds)
		return false;
	more = packet_next(&c, &name, &value);
	for (size_t i = 0; i < n; i++) {
		if (set[i].number != NULL)
			*set[i].number = 0;
		else
			*set[i].text = NULL;
		if (more && strcmp(name, set[i].name) == 0) {
			if (!read_value(&set[i], value))
				return false;
			more = packet_next(&c, &name, &value);
		} else if (!set[i].optional) {
			return false;
		}
	}
	return !more && cursor_done(&c);
}

int
packet_detach(struct packet *p, size_t i)
{
	int fd;

	if (i >= p->nfds)
		return -1;
	fd = p->fds[i];
	p->fds[i] = -1;
	return fd;
}

void
packet_close(struct packet *p)
{
	for (size_t i = 0; i < p->nfds; i++)
		if (p->fds[i] >= 0)
			close(p->fds[i]);
	p->nfds = 0;
}

/* Wait until the socket is ready; false when the deadline has passed. */
static bool
wait_for(int fd, short events, int64_t deadline_ms)
{
	struct pollfd poller = {.fd = fd, .events = events};
	int n;

	if (deadline_ms == 0)
		return false;
	do
		n = poll(&poller, 1, clock_left(deadline_ms));
	while (n == -1 && errno == EINTR);
	return n != 0;
}

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
};

enum ipc_result
ipc_send(int fd, const struct packet *p, int64_t deadline_ms)
{
	struct iovec part = {(void *)p->octets, p->len};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	union control control;
	size_t bytes = sizeof(int) * p->nfds;

	if (p->failed || p->len == 0) {
		errno = EMSGSIZE;
		return IPC_ERROR;
	}
	if (p->nfds > 0) {
		memset(&control, 0, sizeof(control));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(bytes);
		memcpy(CMSG_DATA(&control.header), p->fds, bytes);
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(bytes);
	}
	while (sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == -1) {
		switch (errno) {
		case EINTR:
			break;
		case EAGAIN:
			if (!wait_for(fd, POLLOUT, deadline_ms))
				return IPC_TIMEOUT;
			break;
		case ETOOMANYREFS:
			if (clock_left(deadline_ms) == 0)
				return IPC_TIMEOUT;
			poll(NULL, 0, 2);
			break;
		case EPIPE:
		case ECONNRESET:
		case ENOTCONN:
			return IPC_CLOSED;
		default:
			return IPC_ERROR;
		}
	}
	return IPC_OK;
}

static void
collect_descriptors(struct packet *p, struct msghdr *message)
{
	struct cmsghdr *c;
	size_t n;

	for (c = CMSG_FIRSTHDR(message); c != NULL;
	     c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (p->nfds < IPC_FDS_MAX)
				p->fds[p->nfds++] = fd;
			else
				close(fd);
		}
	}
}

enum ipc_result
ipc_receive(int fd, struct packet *p, int64_t deadline_ms)
{
	struct iovec part = {p->octets, sizeof(p->octets)};
	union control control;
	struct msghdr message = {.msg_iov = &part,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	ssize_t n;

	p->len = 0;
	p->nfds = 0;
	p->failed = false;
	while ((n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT)) ==
	    -1) {
		if (errno == EINTR)
			continue;
		if (errno == ECONNRESET)
			return IPC_CLOSED;
		if (errno != EAGAIN)
			return IPC_ERROR;
		if (!wait_for(fd, POLLIN, deadline_ms))
			return IPC_TIMEOUT;
	}
	collect_descriptors(p, &message);
	if (n == 0) {
		packet_close(p);
		return IPC_CLOSED;
	}
	p->len = (size_t)n;
	if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		packet_close(p);
		errno = EBADMSG;
		return IPC_ERROR;
	}
	return IPC_OK;
}

enum ipc_result
ipc_call(int fd, struct packet *p, int64_t deadline_ms)
{
	enum ipc_result result = ipc_send(fd, p, deadline_ms);

	p->nfds = 0;
	return result == IPC_OK ? ipc_receive(fd, p, deadline_ms) : result;
}

static int
address_of(const char *path, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address->sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address->sun_path, path, strlen(path) + 1);
	return 0;
}

bool
ipc_is_quiet(int fd)
{
	char octet;

	return recv(fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) == -1 &&
	    errno == EAGAIN;
}

static int
connect_to(const char *path, int type)
{
	struct sockaddr_un address;
	int fd;

	if (address_of(path, &address) == -1)
		return -1;
	fd = socket(AF_UNIX, type, 0);
	if (fd == -1)
		return -1;
	while (
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) == -1) {
		int saved = errno;

		if (saved == EINTR)
			continue;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

int
ipc_connect(const char *path)
{
	return connect_to(path, SOCK_SEQPACKET | SOCK_CLOEXEC);
}

int
ipc_connect_now(const char *path)
{
	return connect_to(path, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK);
}

int
ipc_listen(const char *path, mode_t mode)
{
	struct sockaddr_un address;
	struct stat status;
	mode_t mask;
	int fd, rc;

	if (address_of(path, &address) == -1)
		return -1;
	if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode))
		unlink(path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	mask = umask(0777 & ~mode);
	rc = bind(fd, (struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (rc == -1 || listen(fd, SOMAXCONN) == -1) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

int
ipc_accept(int listener)
{
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

int
ipc_pair(int ends[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
}

int
ipc_peer(int fd, uid_t *uid, pid_t *pid)
{
	struct ucred credentials;
	socklen_t n = sizeof(credentials);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &n) == -1)
		return -1;
	*uid = credentials.uid;
	*pid = credentials.pid;
	return 0;
}
