/* SPDX-License-Identifier: ISC */
#include "userdb/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/inherit.h"
#include "common/log.h"
#include "common/privileges.h"
#include "common/share.h"

enum {
	WAITING_MAX = 1 << 20,
	PATIENCE_MS = 30000,
	PAUSE_MS = 1000,
	LISTENERS_MAX = 16
};

struct answer {
	struct answer *next;
	size_t len;
	char octets[];
};

static struct {
	const char *listener;
	const char *account; /* NULL: root's alone */
	uid_t uid;
	bool known;
} roles[ROLES] = {
    [ROLE_SMTPD] = {"role-smtpd", ACCOUNT_SMTPD, 0, false},
    [ROLE_POP3D] = {"role-pop3d", ACCOUNT_POP3D, 0, false},
    [ROLE_QUEUE] = {"role-queue", ACCOUNT_QUEUE, 0, false},
    [ROLE_ADMIN] = {"role-admin", NULL, 0, false},
    [ROLE_FETCH] = {"role-fetch", ACCOUNT_FETCH, 0, false},
};

static struct listener {
	struct watch watch;
	struct timer pause;
	enum role role;
} listeners[LISTENERS_MAX];
static size_t nlisteners;

static bool started_by_root;
static struct peer *peers;
static size_t connected[ROLES];
static struct peer *heard; /* whose request is being answered; NULL: gone */
static peer_request *on_request;
static peer_gone *on_gone;

void
peers_find_accounts(void)
{
	struct account account;

	started_by_root = privileges_are_root();
	for (size_t i = 0; i < ROLES; i++) {
		if (roles[i].account == NULL ||
		    account_find(roles[i].account, &account) == -1)
			continue;
		roles[i].uid = account.uid;
		roles[i].known = true;
	}
}

/* The socket's folder has kept others out already; this is the second look. */
static bool
may_speak(int fd, enum role role)
{
	uid_t uid;
	pid_t pid;

	if (ipc_peer(fd, &uid, &pid) == -1)
		return false;
	if (uid == 0 ||
	    (started_by_root ? roles[role].known && uid == roles[role].uid
			     : uid == geteuid()))
		return true;
	log_event(LEVEL_WARNING, "peer refused",
	    log_text("role", roles[role].listener),
	    log_number("uid", (int64_t)uid));
	return false;
}

/* -- one of them -- */

static void
drop(struct peer *peer, const char *reason)
{
	struct answer *answer;

	if (reason != NULL)
		log_event(LEVEL_WARNING, "peer dropped",
		    log_text("role", roles[peer->role].listener),
		    log_text("reason", reason));
	if (heard == peer)
		heard = NULL;
	on_gone(peer);
	loop_unwatch(&peer->watch);
	loop_timer_stop(&peer->slow);
	close(peer->watch.fd);
	while ((answer = peer->first) != NULL) {
		peer->first = answer->next;
		free(answer);
	}
	connected[peer->role]--;
	*peer->link = peer->next;
	if (peer->next != NULL)
		peer->next->link = peer->link;
	free(peer);
}

static bool
set_events(struct peer *peer)
{
	uint32_t events = 0;

	if (peer->first != NULL)
		events = EPOLLOUT;
	else if (!peer->busy)
		events = EPOLLIN;
	if (peer->watch.active && peer->watch.events == events)
		return true;
	peer->watch.events = events;
	if (loop_watch(&peer->watch) == 0)
		return true;
	drop(peer, strerror(errno));
	return false;
}

static void
too_slow(struct timer *t)
{
	drop(container_of(t, struct peer, slow), "does not read its answers");
}

static bool
keep_answer(struct peer *peer, const struct packet *p)
{
	struct answer *answer;

	if (peer->waiting + p->len > WAITING_MAX ||
	    (answer = malloc(sizeof(*answer) + p->len)) == NULL) {
		drop(peer, "does not read its answers");
		return false;
	}
	answer->next = NULL;
	answer->len = p->len;
	memcpy(answer->octets, p->octets, p->len);
	*peer->last = answer;
	peer->last = &answer->next;
	if (peer->waiting == 0)
		loop_timer(&peer->slow, PATIENCE_MS);
	peer->waiting += p->len;
	return set_events(peer);
}

bool
peer_answer(struct peer *peer, const struct packet *p)
{
	if (peer->first != NULL)
		return keep_answer(peer, p);
	switch (ipc_send(peer->watch.fd, p, 0)) {
	case IPC_OK:
		return true;
	case IPC_TIMEOUT:
		return keep_answer(peer, p);
	case IPC_CLOSED:
		drop(peer, NULL);
		return false;
	case IPC_ERROR:
		break;
	}
	drop(peer, strerror(errno));
	return false;
}

static void
send_more(struct peer *peer)
{
	static struct packet p;
	struct answer *answer;

	while ((answer = peer->first) != NULL) {
		p.len = answer->len;
		p.nfds = 0;
		p.failed = false;
		memcpy(p.octets, answer->octets, answer->len);
		switch (ipc_send(peer->watch.fd, &p, 0)) {
		case IPC_OK:
			break;
		case IPC_TIMEOUT:
			return;
		default:
			drop(peer, NULL);
			return;
		}
		peer->waiting -= answer->len;
		peer->first = answer->next;
		free(answer);
		loop_timer(&peer->slow, PATIENCE_MS);
	}
	peer->last = &peer->first;
	loop_timer_stop(&peer->slow);
	(void)set_events(peer);
}

void
peer_idle(struct peer *peer)
{
	peer->busy = false;
	(void)set_events(peer);
}

static void
hear(struct peer *peer)
{
	static struct packet p;
	bool good;

	switch (ipc_receive(peer->watch.fd, &p, 0)) {
	case IPC_TIMEOUT:
		return;
	case IPC_OK:
		break;
	case IPC_CLOSED:
		drop(peer, NULL);
		return;
	case IPC_ERROR:
		drop(peer, strerror(errno));
		return;
	}
	heard = peer;
	good = on_request(peer, &p);
	packet_close(&p);
	explicit_bzero(p.octets, p.len);
	if (heard == NULL)
		return;
	heard = NULL;
	if (good)
		(void)set_events(peer);
	else
		drop(peer, "malformed packet");
}

static void
ready(struct watch *w, uint32_t events)
{
	struct peer *peer = container_of(w, struct peer, watch);

	if (events & EPOLLIN)
		hear(peer);
	else if (events & EPOLLOUT)
		send_more(peer);
	else if (events & (EPOLLHUP | EPOLLERR))
		drop(peer, NULL);
}

/* -- all of them -- */

static void
listen_again(struct timer *t)
{
	struct listener *l = container_of(t, struct listener, pause);

	if (loop_watch(&l->watch) == -1)
		loop_timer(t, PAUSE_MS);
}

static void
add_peer(int fd, enum role role)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	if (peer == NULL) {
		close(fd);
		return;
	}
	peer->watch = (struct watch){.fd = fd, .ready = ready};
	peer->slow.fire = too_slow;
	peer->role = role;
	peer->last = &peer->first;
	peer->next = peers;
	peer->link = &peers;
	if (peers != NULL)
		peers->link = &peer->next;
	peers = peer;
	connected[role]++;
	(void)set_events(peer);
}

static void
incoming(struct watch *w, uint32_t events)
{
	struct listener *l = container_of(w, struct listener, watch);
	int fd = ipc_accept(w->fd);

	(void)events;
	if (fd >= 0) {
		if (may_speak(fd, l->role) &&
		    !share_is_taken(
			roles[l->role].listener, connected[l->role]))
			add_peer(fd, l->role);
		else
			close(fd);
		return;
	}
	if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
	    errno == ENOBUFS) {
		log_errno(
		    LEVEL_ERROR, "cannot accept", roles[l->role].listener);
		loop_unwatch(w);
		loop_timer(&l->pause, PAUSE_MS);
	}
}

static void
add_listener(int fd, enum role role)
{
	struct listener *l = &listeners[nlisteners++];

	l->role = role;
	l->pause.fire = listen_again;
	l->watch =
	    (struct watch){.fd = fd, .events = EPOLLIN, .ready = incoming};
	if (loop_watch(&l->watch) == -1) {
		log_errno(LEVEL_ERROR, "cannot watch", roles[role].listener);
		exit(EX_OSERR);
	}
}

void
peers_begin(peer_request *request, peer_gone *gone)
{
	int fds[LISTENERS_MAX / ROLES];

	on_request = request;
	on_gone = gone;
	for (size_t i = 0; i < ROLES; i++) {
		size_t n = inherit_find_all(
		    roles[i].listener, fds, LISTENERS_MAX / ROLES);

		for (size_t j = 0; j < n && j < LISTENERS_MAX / ROLES; j++)
			add_listener(fds[j], (enum role)i);
	}
}

void
peers_changed(void)
{
	static struct packet changed;
	struct peer *next;

	packet_start(&changed, "changed");
	for (struct peer *peer = peers; peer != NULL; peer = next) {
		next = peer->next; /* it may be dropped */
		if (!peer->keeps)
			continue;
		peer->keeps = false;
		(void)peer_answer(peer, &changed);
	}
}

void
peers_stop(void)
{
	for (size_t i = 0; i < nlisteners; i++) {
		loop_unwatch(&listeners[i].watch);
		loop_timer_stop(&listeners[i].pause);
	}
}
