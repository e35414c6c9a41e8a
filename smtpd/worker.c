/* SPDX-License-Identifier: ISC */
#include "smtpd/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/inherit.h"
#include "common/sandbox.h"
#include "smtpd/session.h"

enum {
	SESSIONS_MAX = 10000, /* then a fresh process takes over */
	FILES_MAX = 256,
	MEMORY_MAX = 512 << 20
};

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
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		size_t n = inherit_find_all(listener_name(kinds[k]), fds,
		    INHERIT_MAX - service->nlisteners);

		for (size_t i = 0; i < n; i++) {
			if (listener_begins_with_tls(kinds[k]))
				service->silent |= UINT64_C(1)
				    << service->nlisteners;
			service->listeners[service->nlisteners] = fds[i];
			service->kinds[service->nlisteners++] = kinds[k];
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

static struct session_world
world_of(struct service *service)
{
	return (struct session_world){.config = &service->config,
	    .owners = &service->owners,
	    .dns = service->dns,
	    .tls = &service->tls};
}

int
worker_serve(struct worker *worker, void *context)
{
	struct service *service = context;
	const struct session_world world = world_of(service);
	bool another = true;

	confine();
	(void)tls_service_ready(&service->tls); /* before anybody waits */
	for (unsigned n = 0; another && n < SESSIONS_MAX; n++) {
		size_t which;
		int fd = worker_accept(
		    worker, service->listeners, service->nlisteners, &which);

		if (fd == -1)
			break;
		another = session_serve(
		    &world, service->kinds[which], fd, worker_stop_fd(worker));
	}
	owners_close(&service->owners);
	return EX_OK;
}

int
worker_serve_one(struct service *service, enum listener_kind kind, int fd)
{
	const struct session_world world = world_of(service);

	confine();
	(void)session_serve(&world, kind, fd, -1);
	owners_close(&service->owners);
	return EX_OK;
}
