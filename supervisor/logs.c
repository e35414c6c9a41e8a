/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* struct ucred */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/log.h"
#include "supervisor/suite.h"

/* Lines of one service in a row, before the others have their turn. */
enum { BATCH = 64 };

union credentials {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(struct ucred))];
};

/* The writer's pid as the kernel tells it: a worker cannot pose as another. */
static int
sender_of(struct msghdr *message)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(message);
	struct ucred sender;

	if (c == NULL || c->cmsg_level != SOL_SOCKET ||
	    c->cmsg_type != SCM_CREDENTIALS ||
	    c->cmsg_len != CMSG_LEN(sizeof(sender)))
		return 0;
	memcpy(&sender, CMSG_DATA(c), sizeof(sender));
	return (int)sender.pid;
}

static ssize_t
receive_line(int fd, char *line, size_t size, int *pid)
{
	union credentials control;
	struct iovec part = {line, size};
	struct msghdr message = {.msg_iov = &part,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*pid = n > 0 ? sender_of(&message) : 0;
	return n;
}

/* While the suite starts, the terminal hears what went wrong. */
static void
remember(struct unit *u, enum log_level level, const char *line, size_t n)
{
	if (level != LEVEL_ERROR || suite.phase != SUITE_STARTING)
		return;
	if (n >= sizeof(u->problem))
		n = sizeof(u->problem) - 1;
	memcpy(u->problem, line, n);
	u->problem[n] = '\0';
}

static void
forward(struct watch *w, uint32_t events)
{
	struct unit *u = container_of(w, struct unit, log);
	char line[LOG_LINE_MAX + 1];
	enum log_level level;
	ssize_t n;
	int pid;

	(void)events;
	for (int i = 0; i < BATCH; i++) {
		n = receive_line(w->fd, line, sizeof(line), &pid);
		if (n <= 0)
			return;
		level = line[0] >= '0' && line[0] <= '7'
		    ? (enum log_level)(line[0] - '0')
		    : LEVEL_INFO;
		log_forward(
		    level, u->service->name, pid, line + 1, (size_t)n - 1);
		remember(u, level, line + 1, (size_t)n - 1);
	}
}

int
logs_open(struct unit *u)
{
	const int on = 1;
	int ends[2];

	if (ipc_pair(ends) == -1)
		return -1;
	u->log_writer = ends[1];
	u->log =
	    (struct watch){.fd = ends[0], .events = EPOLLIN, .ready = forward};
	if (setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == -1)
		return -1;
	return loop_watch(&u->log);
}

int
logs_choose_sink(const struct config *config, bool foreground, char *error)
{
	static int file = -1;
	int fd;

	if (config->log_file != NULL) {
		fd = open(config->log_file,
		    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY |
			O_NONBLOCK,
		    0640);
		if (fd == -1) {
			snprintf(error, CONFIG_ERROR_MAX,
			    "cannot open the log file %s: %s", config->log_file,
			    strerror(errno));
			return -1;
		}
		log_to_file(fd, "postrider");
	} else {
		fd = -1;
		if (foreground)
			log_to_stderr("postrider");
		else
			log_to_syslog("postrider");
	}
	if (file != -1)
		close(file);
	file = fd;
	return 0;
}
