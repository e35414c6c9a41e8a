/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* accept4 */
#include "smtpd/gate_door.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/inherit.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/netaddr.h"
#include "smtpd/gate.h"
#include "smtpd/gate_proxy.h"

enum { A_TURN = 64, PAUSE_MS = 100, QUIET_MS = 10000 };

static struct {
	struct watch listeners[INHERIT_MAX];
	size_t n;
	struct timer pause;
	int spare; /* to be closed when there are no descriptors left */
} door;

static void
listen_again(struct timer *t)
{
	for (size_t i = 0; i < door.n; i++)
		if (loop_watch(&door.listeners[i]) == -1)
			loop_timer(t, PAUSE_MS);
}

/* What stays readable while nothing can be accepted would keep us busy. */
static void
rest(void)
{
	for (size_t i = 0; i < door.n; i++)
		loop_unwatch(&door.listeners[i]);
	loop_timer(&door.pause, PAUSE_MS);
}

static void
complain(int problem)
{
	static int64_t quiet_until;

	if (clock_monotonic_ms() < quiet_until)
		return;
	quiet_until = clock_monotonic_ms() + QUIET_MS;
	errno = problem;
	log_errno(LEVEL_WARNING, "cannot accept", "connection");
}

/* The newcomer is told, those who wait stay. */
static void
turn_one_away(int listener)
{
	static const char reply[] = "421 4.3.2 too busy, try again later\r\n";
	int fd;

	close(door.spare);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd != -1) {
		(void)send(fd, reply, sizeof(reply) - 1,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		close(fd);
	}
	door.spare = eventfd(0, EFD_CLOEXEC);
}

static void
fail(int listener)
{
	int problem = errno;

	if (problem == EAGAIN || problem == EINTR || problem == ECONNABORTED)
		return;
	complain(problem);
	if (problem == EMFILE || problem == ENFILE)
		turn_one_away(listener);
	rest();
}

static void
accept_some(struct watch *w, uint32_t events)
{
	struct sockaddr_storage address;
	socklen_t n;
	int fd;

	(void)events;
	for (int i = 0; i < A_TURN; i++) {
		n = sizeof(address);
		fd = accept4(w->fd, (struct sockaddr *)&address, &n,
		    SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd == -1) {
			fail(w->fd);
			return;
		}
		if (guest_waiting() + proxied_waiting() >= gate.most)
			(void)guest_make_room();
		netaddr_unmap(&address);
		if (config_net_contains(&gate.config.proxy_from, &address))
			proxied_come(fd, &address);
		else
			guest_come(fd, &address, GUEST_BY_KERNEL);
	}
}

void
door_open(void)
{
	int fds[INHERIT_MAX];

	door.pause.fire = listen_again;
	door.spare = eventfd(0, EFD_CLOEXEC);
	door.n = inherit_find_all(
	    listener_name(LISTENER_SMTP), fds, INHERIT_MAX);
	for (size_t i = 0; i < door.n; i++)
		door.listeners[i] = (struct watch){
		    .fd = fds[i], .events = EPOLLIN, .ready = accept_some};
	listen_again(&door.pause);
}

void
door_close(void)
{
	loop_timer_stop(&door.pause);
	for (size_t i = 0; i < door.n; i++) {
		loop_unwatch(&door.listeners[i]);
		close(door.listeners[i].fd);
	}
	door.n = 0;
}
