/* SPDX-License-Identifier: ISC */
#include "supervisor/doors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/door.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/loop.h"
#include "supervisor/sockets.h"

/* Whose chroot they lie in. */
static const char folder[] = "smtpd";

enum {
	AT_ONCE = 16, /* then the others have their turn */
	REST_MS = 200 /* without descriptors there is nothing to do */
};

struct door {
	struct door *next;
	struct watch listener;
	struct timer rest;
	bool fresh;   /* opened for a config that is not in use yet */
	bool failing; /* the log knows */
	struct sockaddr_un filter;
};

static struct door *doors;

static struct door *
find(const char *path)
{
	struct door *d = doors;

	while (d != NULL && strcmp(d->filter.sun_path, path) != 0)
		d = d->next;
	return d;
}

/* -- a caller -- */

static void
tell(struct door *d, int error)
{
	if (error != 0 && !d->failing)
		log_event(LEVEL_WARNING, "filter not reached",
		    log_text("filter", d->filter.sun_path),
		    log_text("reason", strerror(error)));
	else if (error == 0 && d->failing)
		log_event(LEVEL_INFO, "filter reached",
		    log_text("filter", d->filter.sun_path));
	d->failing = error != 0;
}

static int
reach(const struct door *d)
{
	int saved,
	    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd == -1 ||
	    connect(fd, (const struct sockaddr *)&d->filter,
		sizeof(d->filter)) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static void
hand_over(struct door *d, int caller)
{
	static struct packet p;
	int fd = reach(d);
	int error = fd == -1 ? errno : 0;

	/* As many wait there already as it lets: he shall come again. */
	packet_start(&p, error == EAGAIN ? "busy" : "door");
	if (fd >= 0)
		packet_attach(&p, fd);
	if (error != EAGAIN)
		tell(d, error);
	if (fd >= 0 || error == EAGAIN)
		(void)ipc_send(caller, &p, 0); /* he may have gone */
	if (fd >= 0)
		close(fd);
}

static void
on_caller(struct watch *w, uint32_t events)
{
	struct door *d = container_of(w, struct door, listener);

	(void)events;
	for (int i = 0; i < AT_ONCE; i++) {
		int caller = ipc_accept(w->fd);

		if (caller == -1) {
			if (errno != EAGAIN && errno != EINTR) {
				loop_unwatch(w);
				loop_timer(&d->rest, REST_MS);
			}
			return;
		}
		hand_over(d, caller);
		close(caller);
	}
}

static void
rested(struct timer *t)
{
	struct door *d = container_of(t, struct door, rest);

	if (loop_watch(&d->listener) == -1)
		loop_timer(t, REST_MS);
}

/* -- open and closed -- */

static int
open_door(const char *run_dir, const char *path)
{
	struct door *d = calloc(1, sizeof(*d));
	char name[DOOR_NAME_SIZE];
	int fd, saved;

	if (d == NULL)
		return -1;
	door_name(path, name);
	d->filter.sun_family = AF_UNIX;
	strncpy(d->filter.sun_path, path, sizeof(d->filter.sun_path) - 1);
	fd = sockets_open_in(run_dir, folder, name);
	d->listener =
	    (struct watch){.fd = fd, .events = EPOLLIN, .ready = on_caller};
	d->rest.fire = rested;
	if (fd == -1 || loop_watch(&d->listener) == -1) {
		saved = errno;
		if (fd >= 0)
			close(fd);
		free(d);
		errno = saved;
		return -1;
	}
	d->fresh = true;
	d->next = doors;
	doors = d;
	return 0;
}

static void
close_door(const char *run_dir, struct door **at)
{
	struct door *d = *at;
	char name[DOOR_NAME_SIZE], path[4096];

	*at = d->next;
	loop_timer_stop(&d->rest);
	loop_unwatch(&d->listener);
	close(d->listener.fd);
	door_name(d->filter.sun_path, name);
	if (snprintf(path, sizeof(path), "%s/%s/%s", run_dir, folder, name) <
	    (int)sizeof(path))
		(void)unlink(path);
	free(d);
}

static bool
is_named(const struct config *config, const struct door *d)
{
	for (size_t i = 0; i < config->milters.n; i++) {
		const char *path = config->milters.items[i].path;

		if (path != NULL && strcmp(path, d->filter.sun_path) == 0)
			return true;
	}
	return false;
}

int
doors_open(const struct config *config, char *error)
{
	for (size_t i = 0; i < config->milters.n; i++) {
		const char *path = config->milters.items[i].path;

		if (path == NULL || find(path) != NULL ||
		    open_door(config->run_dir, path) == 0)
			continue;
		snprintf(error, CONFIG_ERROR_MAX,
		    "cannot open a door to %.200s: %s", path, strerror(errno));
		for (struct door **at = &doors; *at != NULL;)
			if ((*at)->fresh)
				close_door(config->run_dir, at);
			else
				at = &(*at)->next;
		return -1;
	}
	for (struct door *d = doors; d != NULL; d = d->next)
		d->fresh = false;
	return 0;
}

void
doors_settle(const struct config *config)
{
	for (struct door **at = &doors; *at != NULL;)
		if (is_named(config, *at))
			at = &(*at)->next;
		else
			close_door(config->run_dir, at);
}
