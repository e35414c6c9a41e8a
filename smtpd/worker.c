/* SPDX-License-Identifier: ISC */
#include "smtpd/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/inherit.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/proxy.h"
#include "common/sandbox.h"
#include "smtpd/session.h"

enum {
	SESSIONS_MAX = 10000, /* then a fresh process takes over */
	ARRIVAL_MS = 5000,
	FILES_MAX = 256,
	MEMORY_MAX = 512 << 20
};

static void
add_listener(struct service *service, int fd, enum listener_kind kind)
{
	service->listeners[service->nlisteners] = fd;
	service->kinds[service->nlisteners++] = kind;
}

/* Who comes over this has come to an "smtp" listener of smtp-gate's. */
static void
find_gate(struct service *service)
{
	int fd = inherit_find("role-gate");

	if (fd == -1)
		return;
	service->handed |= UINT64_C(1) << service->nlisteners;
	add_listener(service, fd, LISTENER_SMTP);
}

int
service_find_listeners(struct service *service)
{
	static const enum listener_kind kinds[] = {
	    LISTENER_SMTP, LISTENER_SUBMISSION, LISTENER_SUBMISSIONS};
	int fds[INHERIT_MAX];

	service->listeners = calloc(INHERIT_MAX, sizeof(int));
	service->kinds = calloc(INHERIT_MAX, sizeof(enum listener_kind));
	if (service->listeners == NULL || service->kinds == NULL)
		return -1;
	find_gate(service);
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		size_t n = inherit_find_all(listener_name(kinds[k]), fds,
		    INHERIT_MAX - service->nlisteners);

		for (size_t i = 0; i < n; i++) {
			if (listener_begins_with_tls(kinds[k]))
				service->silent |= UINT64_C(1)
				    << service->nlisteners;
			add_listener(service, fds[i], kinds[k]);
		}
	}
	if (service->nlisteners > 0)
		return 0;
	errno = ENOENT;
	return -1;
}

/* No file, no folder, no process; Unix sockets and the name servers. */
static void
confine(void)
{
	static const struct sandbox sandbox = {
	    .tcp_connect = true, .files = FILES_MAX, .memory = MEMORY_MAX};

	sandbox_enter(&sandbox);
}

static bool
is_gates(int connection)
{
	uid_t uid;
	pid_t pid;

	if (ipc_peer(connection, &uid, &pid) == 0 &&
	    (uid == 0 || uid == geteuid()))
		return true;
	log_event(LEVEL_WARNING, "peer refused", log_text("role", "role-gate"));
	return false;
}

int
worker_receive(int connection, struct sockaddr_storage *client, void *context)
{
	struct service *service = context;
	struct packet p;
	int64_t deadline = clock_monotonic_ms() + ARRIVAL_MS;
	int fd = -1;

	if (!is_gates(connection) ||
	    ipc_receive(connection, &p, deadline) != IPC_OK)
		return -1;
	if (!arrival_read(&p, &service->arrival)) {
		log_event(LEVEL_WARNING, "peer dropped",
		    log_text("role", "role-gate"),
		    log_text("reason", "malformed packet"));
		packet_close(&p);
		return -1;
	}
	fd = packet_detach(&p, 0);
	*client = service->arrival.client;
	packet_start(&p, "taken");
	(void)ipc_send(connection, &p, 0);
	return fd;
}

static struct session_world
world_of(struct service *service)
{
	return (struct session_world){.config = &service->config,
	    .owners = &service->owners,
	    .dns = service->dns,
	    .tls = &service->tls};
}

/* Of whom a proxy speaks for; NULL: the kernel knows it. */
static const struct arrival *
arrival_of(const struct proxy_client *client, struct arrival *arrival)
{
	if (!client->proxied)
		return NULL;
	*arrival = (struct arrival){.client = client->address, .proxied = true};
	return arrival;
}

int
worker_serve(struct worker *worker, void *context)
{
	struct service *service = context;
	struct session_world world = world_of(service);
	bool another = true;

	world.is_pressed = worker_is_pressed;
	world.worker = worker;
	confine();
	(void)tls_service_ready(&service->tls); /* before anybody waits */
	for (unsigned n = 0; another && n < SESSIONS_MAX; n++) {
		size_t which;
		int fd = worker_accept(
		    worker, service->listeners, service->nlisteners, &which);

		if (fd == -1)
			break;
		another = session_serve(&world, service->kinds[which],
		    service->handed & UINT64_C(1) << which
			? &service->arrival
			: arrival_of(worker_client(worker), &service->arrival),
		    fd, worker_stop_fd(worker));
	}
	owners_close(&service->owners);
	return EX_OK;
}

int
worker_serve_one(struct service *service, enum listener_kind kind, int fd)
{
	const struct session_world world = world_of(service);
	struct proxy_client client;

	confine();
	proxy_find_peer(fd, &client);
	if (proxy_find_client(fd, &service->config.proxy_from, &client))
		(void)session_serve(&world, kind,
		    arrival_of(&client, &service->arrival), fd, -1);
	else
		close(fd);
	owners_close(&service->owners);
	return EX_OK;
}
