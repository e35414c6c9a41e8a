/* SPDX-License-Identifier: ISC */
#include "common/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"

enum {
	PACKETS_A_TURN = 16, /* so that no peer starves the others */
	PACKETS_KEPT = 512,
	FLIGHT_PAUSE_MS = 20,
	ACCEPT_A_TURN = 64,
	ACCEPT_PAUSE_MS = 200,
	ROLES_MAX = 16
};

/* Who is connected; most are known to nobody else but the kernel. */
static struct peer *connected;

/* Whose callback runs; NULL as soon as that one has ended. */
static struct peer *serving;

/* How many of a role are connected. */
static struct tally {
	const char *role;
	size_t n;
} tallies[ROLES_MAX];

struct outgoing {
	struct outgoing *next;
	size_t len, nfds;
	int fds[IPC_FDS_MAX];
	char octets[];
};

static void
outgoing_free(struct outgoing *o)
{
	for (size_t i = 0; i < o->nfds; i++)
		close(o->fds[i]);
	explicit_bzero(o->octets, o->len); /* it may hold a password */
	free(o);
}

/*
 * The reader then sees an end, and closed() is called in its turn; until then
 * what had come before may be answered in vain.
 */
static void
cut(struct peer *peer, const char *why)
{
	if (peer->dropped)
		return;
	peer->dropped = true;
	log_event(LEVEL_WARNING, "peer dropped", log_text("role", peer->role),
	    log_text("reason", why));
	shutdown(peer->watch.fd, SHUT_RDWR);
}

static bool
keep(struct peer *peer, const struct packet *p)
{
	struct outgoing *o;

	if (peer->queued >= peer->most ||
	    (o = malloc(sizeof(*o) + p->len)) == NULL)
		return false;
	*o = (struct outgoing){.len = p->len};
	memcpy(o->octets, p->octets, p->len);
	for (; o->nfds < p->nfds; o->nfds++) {
		int fd = fcntl(p->fds[o->nfds], F_DUPFD_CLOEXEC, 0);

		if (fd == -1) {
			outgoing_free(o);
			return false;
		}
		o->fds[o->nfds] = fd;
	}
	if (peer->last != NULL)
		peer->last->next = o;
	else
		peer->first = o;
	peer->last = o;
	peer->queued++;
	return true;
}

/* Ask for another try: by the loop, or by a timer where it would spin. */
static void
wait_for_room(struct peer *peer, int reason)
{
	uint32_t events = EPOLLIN;

	if (reason == ETOOMANYREFS)
		loop_timer(&peer->later, FLIGHT_PAUSE_MS);
	else
		events |= EPOLLOUT;
	if (peer->watch.events == events)
		return;
	peer->watch.events = events;
	if (loop_watch(&peer->watch) == -1)
		cut(peer, strerror(errno));
}

void
peer_send(struct peer *peer, const struct packet *p)
{
	enum ipc_result result = IPC_TIMEOUT;
	int reason = EAGAIN;

	if (peer->watch.fd < 0)
		return;
	if (peer->first == NULL) {
		errno = EAGAIN;
		result = ipc_send(peer->watch.fd, p, 0);
		reason = errno;
	}
	if (result == IPC_TIMEOUT) {
		if (!keep(peer, p))
			cut(peer, "does not read");
		else if (peer->first == peer->last)
			wait_for_room(peer, reason);
	} else if (result == IPC_ERROR) {
		cut(peer, strerror(reason));
	}
}

bool
peer_is_clear(const struct peer *peer)
{
	return peer->first == NULL;
}

static void
flush(struct peer *peer)
{
	static struct packet p;
	struct outgoing *o;
	enum ipc_result result;

	while ((o = peer->first) != NULL) {
		p.len = o->len;
		p.nfds = o->nfds;
		p.failed = false;
		memcpy(p.octets, o->octets, o->len);
		memcpy(p.fds, o->fds, sizeof(o->fds));
		errno = EAGAIN;
		result = ipc_send(peer->watch.fd, &p, 0);
		if (result == IPC_TIMEOUT) {
			wait_for_room(peer, errno);
			return;
		}
		if (result == IPC_ERROR)
			cut(peer, strerror(errno));
		peer->first = o->next;
		if (peer->first == NULL)
			peer->last = NULL;
		peer->queued--;
		outgoing_free(o);
	}
	if (peer->watch.events & EPOLLOUT) {
		peer->watch.events = EPOLLIN;
		loop_watch(&peer->watch);
	}
	if (peer->drained != NULL)
		peer->drained(peer);
}

static void
flush_later(struct timer *t)
{
	flush(container_of(t, struct peer, later));
}

static void
fail(struct peer *peer, const char *why)
{
	log_event(LEVEL_WARNING, "peer dropped", log_text("role", peer->role),
	    log_text("reason", why));
	peer->closed(peer);
}

static void
hear(struct peer *peer, struct packet *p)
{
	struct packet one; /* callbacks nest: not static */
	size_t at = 0;
	int n = 0;

	while (serving == peer && packet_split(p, &at, &one)) {
		bool good = n++ < IPC_TOGETHER_MAX && peer->packet(peer, &one);

		packet_close(&one);
		if (!good && serving == peer)
			fail(peer, "malformed packet");
	}
	packet_close(p);
}

/* False when there is nothing more to read, or no peer. */
static bool
receive_one(struct peer *peer)
{
	struct packet p; /* likewise */

	switch (ipc_receive(peer->watch.fd, &p, 0)) {
	case IPC_OK:
		break;
	case IPC_TIMEOUT:
		return false;
	case IPC_CLOSED:
		peer->closed(peer);
		return false;
	default:
		fail(peer, strerror(errno));
		return false;
	}
	hear(peer, &p);
	return serving == peer;
}

static void
ready(struct watch *w, uint32_t events)
{
	struct peer *peer = container_of(w, struct peer, watch);

	serving = peer;
	if (events & EPOLLOUT)
		flush(peer);
	if ((events & ~(uint32_t)EPOLLOUT) != 0)
		for (int i = 0; i < PACKETS_A_TURN && serving == peer; i++)
			if (!receive_one(peer))
				break;
	serving = NULL;
}

/* NULL: more roles than any program has. */
static struct tally *
tally_of(const char *role)
{
	for (size_t i = 0; i < ROLES_MAX; i++) {
		if (tallies[i].role == NULL)
			tallies[i].role = role;
		if (strcmp(tallies[i].role, role) == 0)
			return &tallies[i];
	}
	return NULL;
}

size_t
peer_count(const char *role)
{
	const struct tally *tally = tally_of(role);

	return tally != NULL ? tally->n : 0;
}

static void
count(const struct peer *peer, size_t change)
{
	struct tally *tally = peer->role != NULL ? tally_of(peer->role) : NULL;

	if (tally != NULL)
		tally->n += change;
}

static void
enlist(struct peer *peer)
{
	count(peer, 1);
	peer->previous = NULL;
	peer->next = connected;
	if (connected != NULL)
		connected->previous = peer;
	connected = peer;
}

static void
delist(struct peer *peer)
{
	count(peer, (size_t)-1);
	if (peer->next != NULL)
		peer->next->previous = peer->previous;
	if (peer->previous != NULL)
		peer->previous->next = peer->next;
	else
		connected = peer->next;
}

int
peer_begin(struct peer *peer, int fd)
{
	int saved;

	peer->watch =
	    (struct watch){.fd = fd, .events = EPOLLIN, .ready = ready};
	peer->later = (struct timer){.fire = flush_later};
	peer->first = peer->last = NULL;
	peer->queued = 0;
	peer->dropped = false;
	if (peer->most == 0)
		peer->most = PACKETS_KEPT;
	if (loop_watch(&peer->watch) == 0) {
		enlist(peer);
		return 0;
	}
	saved = errno;
	close(fd);
	peer->watch.fd = -1;
	errno = saved;
	return -1;
}

void
peer_end(struct peer *peer)
{
	struct outgoing *o;

	if (serving == peer)
		serving = NULL;
	if (peer->watch.fd < 0)
		return;
	delist(peer);
	loop_timer_stop(&peer->later);
	loop_unwatch(&peer->watch);
	close(peer->watch.fd);
	peer->watch.fd = -1;
	while ((o = peer->first) != NULL) {
		peer->first = o->next;
		outgoing_free(o);
	}
	peer->last = NULL;
}

/* -- listeners -- */

static void
listen_again(struct timer *t)
{
	struct listener *l = container_of(t, struct listener, pause);

	if (loop_watch(&l->watch) == -1)
		loop_timer(t, ACCEPT_PAUSE_MS);
}

static void
accept_some(struct watch *w, uint32_t events)
{
	struct listener *l = container_of(w, struct listener, watch);

	(void)events;
	for (int i = 0; i < ACCEPT_A_TURN; i++) {
		int fd = ipc_accept(w->fd);

		if (fd >= 0) {
			l->accepted(l, fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN) {
			/* EMFILE: it stays readable, and we would spin. */
			log_errno(LEVEL_WARNING, "cannot accept", "role");
			loop_unwatch(w);
			loop_timer(&l->pause, ACCEPT_PAUSE_MS);
		}
		return;
	}
}

void
listener_begin(
    struct listener *l, int fd, void (*accepted)(struct listener *, int fd))
{
	l->watch =
	    (struct watch){.fd = fd, .events = EPOLLIN, .ready = accept_some};
	l->pause = (struct timer){.fire = listen_again};
	l->accepted = accepted;
	if (fd >= 0 && loop_watch(&l->watch) == -1)
		loop_timer(&l->pause, ACCEPT_PAUSE_MS);
}

void
listener_end(struct listener *l)
{
	loop_timer_stop(&l->pause);
	if (l->watch.fd < 0)
		return;
	loop_unwatch(&l->watch);
	close(l->watch.fd);
	l->watch.fd = -1;
}
