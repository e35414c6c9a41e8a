/* SPDX-License-Identifier: ISC */
#include "supervisor/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/types.h>
#include <sysexits.h>
#include <unistd.h>

#include "build.h"
#include "common/clock.h"
#include "common/ipc.h"
#include "common/log.h"
#include "supervisor/suite.h"

/*
 * A status is complete when every process has answered; one that does not
 * is shown with what it said last.
 */
enum { CLIENTS_MAX = 32, STATUS_LIMIT_MS = 1000, REOPEN_MS = 1000 };

enum waiting { WAITS_NOT, WAITS_RELOAD, WAITS_STATUS, WAITS_STOP };

struct client {
	struct watch watch;
	struct client *next;
	enum waiting waiting;
};

static struct watch door;
static struct timer reopen; /* of the door */
static struct client *clients;
static unsigned client_count;
static struct timer status_limit;
static struct packet packet;

static void
drop(struct client *c)
{
	struct client **at = &clients;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	client_count--;
	loop_unwatch(&c->watch);
	close(c->watch.fd);
	free(c);
}

/* A client that does not read is none. */
static bool
say(struct client *c)
{
	return ipc_send(c->watch.fd, &packet, 0) == IPC_OK;
}

static void
answer_all(enum waiting which, void (*answer)(struct client *))
{
	struct client *next;

	for (struct client *c = clients; c != NULL; c = next) {
		next = c->next;
		if (c->waiting == which) {
			answer(c);
			drop(c);
		}
	}
}

/* -- reload, stop -- */

static void
say_failed(struct client *c, const char *problem)
{
	packet_start(&packet, "failed");
	packet_text(&packet, "text", problem);
	(void)say(c);
}

static const char *reload_problem;

static void
answer_reload(struct client *c)
{
	if (reload_problem != NULL) {
		say_failed(c, reload_problem);
		return;
	}
	packet_start(&packet, "done");
	(void)say(c);
}

void
command_reloaded(const char *problem)
{
	reload_problem = problem;
	answer_all(WAITS_RELOAD, answer_reload);
}

/* The connection stays: its end shows that the supervisor has ended. */
void
command_stopped(void)
{
	for (struct client *c = clients; c != NULL; c = c->next)
		if (c->waiting == WAITS_STOP) {
			packet_start(&packet, "done");
			(void)say(c);
		}
}

/* -- status -- */

static const char *const state_names[] = {
    [INSTANCE_STARTING] = "starting",
    [INSTANCE_SERVING] = "serving",
    [INSTANCE_DRAINING] = "draining",
    [INSTANCE_ORPHANS] = "orphaned",
};

static const char *const phase_names[] = {
    [SUITE_STARTING] = "starting",
    [SUITE_SERVING] = "serving",
    [SUITE_STOPPING] = "stopping",
};

static uint64_t
seconds_since(int64_t when)
{
	return (uint64_t)(clock_monotonic_ms() - when) / 1000;
}

static bool
say_instance(struct client *c, const struct instance *i)
{
	packet_start(&packet, "service");
	packet_text(&packet, "name", i->unit->service->name);
	packet_text(&packet, "state", state_names[i->state]);
	packet_number(&packet, "pid", (uint64_t)i->pid);
	packet_number(&packet, "age", seconds_since(i->started));
	packet_number(&packet, "processes", i->status.processes);
	packet_number(&packet, "busy", i->status.busy);
	if (i->status.has_messages)
		packet_number(&packet, "messages", i->status.messages);
	return say(c);
}

/* A service between two lives is shown, too. */
static bool
say_waiting(struct client *c, const struct unit *u)
{
	packet_start(&packet, "service");
	packet_text(&packet, "name", u->service->name);
	packet_text(&packet, "state", "waiting");
	packet_number(&packet, "pid", 0);
	packet_number(&packet, "age", 0);
	packet_number(&packet, "processes", 0);
	packet_number(&packet, "busy", 0);
	return say(c);
}

static void
answer_status(struct client *c)
{
	for (size_t n = 0; n < suite.nunits; n++) {
		const struct unit *u = &suite.units[n];

		if (u->instances == NULL && !say_waiting(c, u))
			return;
		for (const struct instance *i = u->instances; i != NULL;
		     i = i->next)
			if (!say_instance(c, i))
				return;
	}
	packet_start(&packet, "suite");
	packet_text(&packet, "version", PACKAGE_VERSION);
	packet_number(&packet, "pid", (uint64_t)getpid());
	packet_number(&packet, "age", seconds_since(suite.started));
	packet_text(&packet, "phase", phase_names[suite.phase]);
	packet_text(&packet, "config", suite.config_path);
	(void)say(c);
}

static void
status_overdue(struct timer *t)
{
	(void)t;
	answer_all(WAITS_STATUS, answer_status);
}

void
command_status_heard(void)
{
	for (size_t n = 0; n < suite.nunits; n++)
		for (const struct instance *i = suite.units[n].instances;
		     i != NULL; i = i->next)
			if (i->asked)
				return;
	loop_timer_stop(&status_limit);
	answer_all(WAITS_STATUS, answer_status);
}

/* -- requests -- */

static void
do_reload(struct client *c)
{
	char error[CONFIG_ERROR_MAX];

	if (suite_reload(error) == -1) {
		log_event(
		    LEVEL_ERROR, "not reloaded", log_text("reason", error));
		say_failed(c, error);
		drop(c);
		return;
	}
	c->waiting = WAITS_RELOAD;
}

static void
do_status(struct client *c)
{
	c->waiting = WAITS_STATUS;
	if (suite_ask_status() == 0)
		command_status_heard();
	else if (status_limit.slot == 0)
		loop_timer(&status_limit, STATUS_LIMIT_MS);
}

static void
do_stop(struct client *c)
{
	c->waiting = WAITS_STOP;
	if (suite.phase == SUITE_STOPPING)
		return;
	log_event(LEVEL_INFO, "stopping", log_text("reason", "asked to"));
	suite_stop(EX_OK);
}

static const struct {
	const char *verb;
	void (*act)(struct client *);
} requests[] = {
    {"reload", do_reload},
    {"status", do_status},
    {"stop", do_stop},
    {NULL, drop},
};

static void
hear(struct watch *w, uint32_t events)
{
	struct client *c = container_of(w, struct client, watch);
	enum ipc_result result = ipc_receive(w->fd, &packet, 0);
	size_t n = 0;

	(void)events;
	if (result == IPC_TIMEOUT)
		return;
	if (result != IPC_OK || c->waiting != WAITS_NOT) {
		packet_close(&packet);
		drop(c);
		return;
	}
	while (requests[n].verb != NULL &&
	    !packet_read(&packet, requests[n].verb, NULL, 0, 0))
		n++;
	packet_close(&packet);
	requests[n].act(c);
}

static bool
may_command(int fd)
{
	uid_t uid;
	pid_t pid;

	return ipc_peer(fd, &uid, &pid) == 0 && (uid == 0 || uid == geteuid());
}

static void
let_in(struct watch *w, uint32_t events)
{
	int fd = ipc_accept(w->fd);
	struct client *c;

	(void)events;
	if (fd == -1) {
		/* Out of descriptors: who waits there would spin us. */
		if (errno != EAGAIN && errno != ECONNABORTED) {
			loop_unwatch(w);
			loop_timer(&reopen, REOPEN_MS);
		}
		return;
	}
	c = client_count < CLIENTS_MAX && may_command(fd)
	    ? calloc(1, sizeof(*c))
	    : NULL;
	if (c == NULL) {
		close(fd);
		return;
	}
	c->watch = (struct watch){.fd = fd, .events = EPOLLIN, .ready = hear};
	c->next = clients;
	clients = c;
	client_count++;
	if (loop_watch(&c->watch) == -1)
		drop(c);
}

static void
open_door(struct timer *t)
{
	(void)t;
	if (loop_watch(&door) == -1)
		loop_timer(&reopen, REOPEN_MS);
}

void
command_begin(int listener)
{
	reopen.fire = open_door;
	status_limit.fire = status_overdue;
	door =
	    (struct watch){.fd = listener, .events = EPOLLIN, .ready = let_in};
	open_door(&reopen);
}
