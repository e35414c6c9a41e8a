/* SPDX-License-Identifier: ISC */
#include "userdb/service.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/control.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/loop.h"
#include "userdb/admin.h"
#include "userdb/answers.h"
#include "userdb/cache.h"
#include "userdb/jwks.h"
#include "userdb/login.h"
#include "userdb/peer.h"
#include "userdb/pool.h"
#include "userdb/rewrite.h"
#include "userdb/salt.h"

enum {
	LOCK_AGAIN_MS = 50,
	TEND_MS = 60000,
	SWEEP_AGAIN_MS = 20,
	DRAIN_MS = 5000
};

static struct {
	struct service *service;
	struct store *store;
	struct directory directory;
	struct admin admin;
	struct watch channel;
	struct timer tend, sweep, drain;
	bool draining;
} server;

/* A tool may have it open for a moment, or a server that is still ending. */
static struct store *
open_store(const char *folder, int channel)
{
	struct pollfd watcher = {.fd = channel, .events = POLLIN};
	enum store_result result;
	struct store *store;
	bool said = false;

	while ((store = store_open(folder, &result)) == NULL) {
		if (result != STORE_LOCKED) {
			log_event(LEVEL_ERROR, "cannot open",
			    log_text("what", folder),
			    log_text("reason", store_reason(result)));
			exit(result == STORE_VERSION ? EX_CONFIG : EX_IOERR);
		}
		if (!said)
			log_event(LEVEL_INFO, "waiting for database",
			    log_text("what", folder));
		said = true;
		/* Told to drain, or the watcher is gone. */
		if (poll(&watcher, 1, LOCK_AGAIN_MS) > 0)
			exit(EX_OK);
	}
	return store;
}

/* -- housekeeping -- */

static void
stop_if_broken(void)
{
	if (store_is_broken(server.store))
		loop_stop(EX_IOERR);
}

static void
tend(struct timer *t)
{
	(void)store_tend(server.store);
	stop_if_broken();
	loop_timer(t, TEND_MS);
}

/* An import that was not ended is undone a little at a time. */
static void
sweep(struct timer *t)
{
	if (admin_sweep(&server.admin))
		loop_timer(t, SWEEP_AGAIN_MS);
	stop_if_broken();
}

static void
stop_when_idle(void)
{
	if (server.draining && login_count() == 0)
		loop_stop(EX_OK);
}

static void
drained(struct timer *t)
{
	(void)t;
	loop_stop(EX_OK);
}

/* -- those who ask -- */

static bool
on_request(struct peer *peer, struct packet *p)
{
	bool good = answer_request(peer, p);

	stop_if_broken();
	return good;
}

static void
on_gone(struct peer *peer)
{
	login_gone(peer);
	if (peer->role == ROLE_FETCH)
		fetching_gone(peer);
	if (peer->role != ROLE_ADMIN)
		return;
	admin_gone(&server.admin, peer);
	if (server.admin.sweeping && server.sweep.slot == 0)
		loop_timer(&server.sweep, SWEEP_AGAIN_MS);
}

/* -- the watcher -- */

static void
say(const char *verb)
{
	static struct packet p;

	packet_start(&p, verb);
	if (packet_is(&p, "pong"))
		packet_number(&p, "busy", login_count());
	(void)ipc_send(server.channel.fd, &p, 0);
}

static void
drain(void)
{
	server.draining = true;
	peers_stop();
	loop_timer(&server.drain, DRAIN_MS);
	stop_when_idle();
}

static void
reload(struct packet *p)
{
	int fd = packet_detach(p, 0);

	if (service_reload(server.service, fd)) {
		jwks_reload();
		peers_changed();
	}
	close(fd);
}

static bool
take_keys(struct packet *p)
{
	const char *path, *error;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("path", IPC_PACKET_MAX, &path),
	    ATTRIBUTE_TEXT_OPTIONAL("error", PROTOCOL_TEXT_MAX, &error)};

	if (!packet_read(p, "jwks", set, 2, p->nfds > 0 ? 1 : 0))
		return false;
	/* A path that the config has no more is a moment old. */
	if (server.service->config.oauth_jwks != NULL &&
	    strcmp(path, server.service->config.oauth_jwks) == 0)
		jwks_offer(path, p->nfds > 0 ? p->fds[0] : -1, error);
	return true;
}

static void
hear_watcher(struct watch *w, uint32_t events)
{
	static struct packet p;

	(void)events;
	switch (ipc_receive(w->fd, &p, 0)) {
	case IPC_TIMEOUT:
		return;
	case IPC_OK:
		break;
	default:
		loop_unwatch(w);
		loop_stop(EX_OK);
		return;
	}
	if (packet_read(&p, "ping", NULL, 0, 0)) {
		say("pong");
		stop_when_idle();
	} else if (packet_read(&p, "drain", NULL, 0, 0)) {
		drain();
	} else if (packet_read(&p, "reload", NULL, 0, 1)) {
		reload(&p);
	} else {
		(void)take_keys(&p);
	}
	packet_close(&p);
}

static void
begin_housekeeping(int channel)
{
	server.tend.fire = tend;
	server.sweep.fire = sweep;
	server.drain.fire = drained;
	loop_timer(&server.tend, TEND_MS);
	if (server.admin.sweeping)
		loop_timer(&server.sweep, 0);
	server.channel = (struct watch){
	    .fd = channel, .events = EPOLLIN, .ready = hear_watcher};
	if (loop_watch(&server.channel) == -1) {
		log_errno(LEVEL_ERROR, "cannot watch", "watcher");
		exit(EX_OSERR);
	}
}

int
server_run(struct service *service, int channel)
{
	int code;

	service_confine(service, false);
	server.service = service;
	server.store = open_store(service->config.database_dir, channel);
	if (directory_begin(
		&server.directory, server.store, &service->config) == FAILED)
		return EX_IOERR;
	admin_begin(&server.admin, &server.directory);
	if (cache_begin() == -1)
		log_errno(LEVEL_WARNING, "no login cache", "getrandom");
	if (salt_begin(&server.directory) != FOUND ||
	    rewrite_begin(&server.directory) != FOUND)
		return EX_IOERR;
	pool_begin(service->check_ends[0], service->checkers);
	jwks_begin(&service->config);
	answers_begin(&server.directory, &server.admin);
	peers_begin(on_request, on_gone);
	begin_housekeeping(channel);
	say("ready");
	code = loop_run();
	store_close(server.store);
	return code;
}
