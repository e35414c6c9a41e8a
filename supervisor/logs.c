/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* struct ucred */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/ipc.h"
#include "common/log.h"
#include "supervisor/suite.h"

enum {
	/* Packets of one service in a row, before the others have their turn.
	 */
	BATCH = 64,
	/*
	 * Services that are busy write hundreds of lines a second: when there
	 * was that much within the window, the one that was heard is not
	 * listened to for so long, and then to all.
	 */
	WINDOW_MS = 100,
	MANY = 20,
	REST_MS = 10
};

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
receive_lines(int fd, char *lines, size_t size, int *pid)
{
	union credentials control;
	struct iovec part = {lines, size};
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
forward_line(struct unit *u, int pid, const char *line, size_t n)
{
	enum log_level level = line[0] >= '0' && line[0] <= '7'
	    ? (enum log_level)(line[0] - '0')
	    : LEVEL_INFO;

	log_forward(level, u->service->name, pid, line + 1, n - 1);
	remember(u, level, line + 1, n - 1);
}

/* What one writer sent at one time. */
static void
forward_lines(struct unit *u, int pid, const char *lines, size_t n)
{
	const char *end;
	size_t length;

	for (; n > 0; lines += length, n -= length) {
		end = memchr(lines, '\n', n);
		length = end != NULL ? (size_t)(end - lines) : n;
		if (length > 0)
			forward_line(u, pid, lines, length);
		length += end != NULL;
	}
}

static void
forward_some(struct unit *u)
{
	static char lines[LOG_TOGETHER_MAX];
	ssize_t n;
	int pid;

	for (int i = 0; i < BATCH; i++) {
		n = receive_lines(u->log.fd, lines, sizeof(lines), &pid);
		if (n <= 0)
			return;
		forward_lines(u, pid, lines, (size_t)n);
	}
}

/* Who has logged may log again. */
static void
listen_again(struct timer *t)
{
	(void)t;
	for (EACH_UNIT(u))
		if (u->log_rests && loop_watch(&u->log) == 0)
			u->log_rests = false;
}

static struct timer rest = {.fire = listen_again};

static bool
is_much(void)
{
	static int64_t began;
	static unsigned heard;
	int64_t now = clock_monotonic_ms();

	if (now - began >= WINDOW_MS) {
		began = now;
		heard = 0;
	}
	return ++heard > MANY;
}

static void
forward(struct watch *w, uint32_t events)
{
	struct unit *u = container_of(w, struct unit, log);

	(void)events;
	forward_some(u);
	if (!is_much() && loop_watch(w) == 0)
		return;
	u->log_rests = true;
	if (rest.slot == 0)
		loop_timer(&rest, REST_MS);
}

void
logs_finish(void)
{
	for (EACH_UNIT(u))
		forward_some(u);
}

int
logs_open(struct unit *u)
{
	const int on = 1;
	int ends[2];

	if (ipc_pair(ends) == -1)
		return -1;
	u->log_writer = ends[1];
	u->log = (struct watch){
	    .fd = ends[0], .events = EPOLLIN | EPOLLONESHOT, .ready = forward};
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
