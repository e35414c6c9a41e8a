/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* pipe2 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/control.h"
#include "common/inherit.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/sandbox.h"
#include "common/verdict.h"
#include "mailbox/mailbox.h"

enum {
	/* as many as queue has channels, and those that end meanwhile */
	DELIVERIES_MAX = 128,
	PEERS_MAX = 128,
	/*
	 * Processes for each session that pop3d may have: those that end
	 * while their successors begin are still there.
	 */
	SESSIONS_FACTOR = 3,
	RECORD_WITHIN = 10000,
	ACCEPT_PAUSE = 200
};

enum role { ROLE_USERDB, ROLE_QUEUE, ROLES };

struct listener {
	struct watch watch;
	struct timer pause; /* out of descriptors: listen again later */
	enum role role;
};

/* A connection whose record has not come; userdb's stays, for the next. */
struct peer {
	struct watch watch;
	struct timer hurry;
	enum role role;
	struct peer *next;
};

struct child {
	pid_t pid;
	bool session;
	struct child *next;
};

static struct {
	struct mailbox *mailbox;
	struct listener listeners[ROLES];
	struct peer *peers;
	struct child *children;
	unsigned npeers, sessions, deliveries;
	int stop_read, stop_write; /* a pipe: its end is the children's stop */
	bool draining;
} parent = {.stop_read = -1, .stop_write = -1};

/* -- children -- */

/* What only the parent should hold. */
static void
leave_parent_behind(void)
{
	signal(SIGCHLD, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	loop_after_fork(); /* lets signals in again */
	control_after_fork();
	for (size_t i = 0; i < ROLES; i++)
		if (parent.listeners[i].watch.fd >= 0)
			close(parent.listeners[i].watch.fd);
	for (struct peer *p = parent.peers; p != NULL; p = p->next)
		close(p->watch.fd);
	if (parent.stop_write != -1)
		close(parent.stop_write);
}

static pid_t
fork_child(const struct record *record, int fd)
{
	sigset_t all, mask;
	pid_t pid;

	/* The child must not run the parent's handlers. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &mask);
	pid = fork();
	if (pid == 0) {
		fd = dup(fd); /* the original may be a peer's, to be closed */
		leave_parent_behind();
		sandbox_exit(
		    child_run(parent.mailbox, record, fd, parent.stop_read));
	}
	sigprocmask(SIG_SETMASK, &mask, NULL);
	return pid;
}

static bool
has_room(bool session)
{
	const struct config *config = &parent.mailbox->config;

	return session
	    ? parent.sessions < config->pop3d_processes * SESSIONS_FACTOR
	    : parent.deliveries < DELIVERIES_MAX;
}

static bool
start_child(const struct record *record, int fd)
{
	bool session = record_is_session(record);
	struct child *child = has_room(session) ? malloc(sizeof(*child)) : NULL;

	if (child == NULL) {
		log_event(LEVEL_WARNING, "too many processes",
		    log_number("sessions", parent.sessions),
		    log_number("deliveries", parent.deliveries));
		return false;
	}
	child->pid = fork_child(record, fd);
	if (child->pid == -1) {
		log_errno(LEVEL_ERROR, "cannot start", "child");
		free(child);
		return false;
	}
	child->session = session;
	child->next = parent.children;
	parent.children = child;
	if (session)
		parent.sessions++;
	else
		parent.deliveries++;
	return true;
}

static void
finish_drain(void)
{
	if (parent.draining && parent.children == NULL)
		loop_stop(EX_OK);
}

static void
judge_end(pid_t pid, int status)
{
	if (!WIFSIGNALED(status))
		return;
	log_event(LEVEL_ERROR, "worker crashed", log_text("service", "mailbox"),
	    log_number("pid", pid), log_number("signal", WTERMSIG(status)));
	/* Killed from outside tells nobody an address; a fault may. */
	if (WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGTERM &&
	    !parent.draining)
		control_crashed();
}

static void
reap(int signo)
{
	int status;
	pid_t pid;

	(void)signo;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct child **at = &parent.children, *gone;

		while (*at != NULL && (*at)->pid != pid)
			at = &(*at)->next;
		gone = *at;
		if (gone == NULL)
			continue;
		judge_end(pid, status);
		*at = gone->next;
		if (gone->session)
			parent.sessions--;
		else
			parent.deliveries--;
		free(gone);
	}
	finish_drain();
}

/* -- peers -- */

static void
forget_peer(struct peer *p)
{
	struct peer **at = &parent.peers;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	parent.npeers--;
	loop_unwatch(&p->watch);
	loop_timer_stop(&p->hurry);
	close(p->watch.fd);
	free(p);
}

static void
drop_peer(struct peer *p, const char *reason)
{
	log_event(LEVEL_WARNING, "peer dropped",
	    log_text(
		"role", p->role == ROLE_USERDB ? "role-userdb" : "role-queue"),
	    log_text("reason", reason));
	forget_peer(p);
}

static void
begin_session(const struct record *record, int fd)
{
	if (!start_child(record, fd))
		session_refuse(fd, verdict_row(VERDICT_BUSY)->name, NULL);
	close(fd);
}

/* Is that a record that this role may send?  With its descriptor or none. */
static bool
is_request(
    const struct peer *p, const struct packet *packet, struct record *record)
{
	if (!record_read(packet->octets, packet->len, record))
		return false;
	return record_is_session(record)
	    ? p->role == ROLE_USERDB && packet->nfds == 1
	    : p->role == ROLE_QUEUE && packet->nfds == 0;
}

/* False: the peer is gone, or has sent nothing more. */
static bool
take_record(struct peer *p)
{
	static struct packet packet;
	static struct record record;

	switch (ipc_receive(p->watch.fd, &packet, 0)) {
	case IPC_OK:
		break;
	case IPC_TIMEOUT:
		return false;
	case IPC_CLOSED:
		forget_peer(p);
		return false;
	default:
		drop_peer(p, "unreadable packet");
		return false;
	}
	if (!is_request(p, &packet, &record)) {
		packet_close(&packet);
		drop_peer(p, "bad record");
		return false;
	}
	if (record_is_session(&record)) {
		begin_session(&record, packet_detach(&packet, 0));
		return true;
	}
	(void)start_child(&record, p->watch.fd);
	forget_peer(p);
	return false;
}

static void
peer_ready(struct watch *w, uint32_t events)
{
	struct peer *p = container_of(w, struct peer, watch);

	(void)events;
	while (take_record(p))
		continue;
}

static void
peer_late(struct timer *t)
{
	drop_peer(container_of(t, struct peer, hurry), "no record in time");
}

static bool
may_connect(int fd, enum role role)
{
	const struct mailbox *m = parent.mailbox;
	uid_t uid;
	pid_t pid;

	if (ipc_peer(fd, &uid, &pid) == -1)
		return false;
	if (!m->root)
		return uid == getuid();
	return uid == (role == ROLE_USERDB ? m->userdb.uid : m->queue.uid);
}

static void
add_peer(int fd, enum role role)
{
	struct peer *p;

	if (!may_connect(fd, role) || parent.npeers >= PEERS_MAX) {
		log_event(LEVEL_WARNING, "peer refused",
		    log_text("reason", "may not connect"));
		close(fd);
		return;
	}
	p = calloc(1, sizeof(*p));
	if (p == NULL) {
		close(fd);
		return;
	}
	*p = (struct peer){
	    .watch = {.fd = fd, .events = EPOLLIN, .ready = peer_ready},
	    .hurry.fire = peer_late,
	    .role = role,
	    .next = parent.peers};
	parent.peers = p;
	parent.npeers++;
	if (loop_watch(&p->watch) == -1 ||
	    (role == ROLE_QUEUE && loop_timer(&p->hurry, RECORD_WITHIN) == -1))
		drop_peer(p, strerror(errno));
}

static void
listen_again(struct timer *t)
{
	struct listener *l = container_of(t, struct listener, pause);

	if (!parent.draining && loop_watch(&l->watch) == -1)
		loop_timer(t, ACCEPT_PAUSE);
}

static void
listener_ready(struct watch *w, uint32_t events)
{
	struct listener *l = container_of(w, struct listener, watch);
	int fd;

	(void)events;
	while ((fd = ipc_accept(w->fd)) != -1)
		add_peer(fd, l->role);
	if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR)
		return;
	/* EMFILE: it stays readable, and we would spin. */
	log_errno(LEVEL_WARNING, "cannot accept", "peer");
	loop_unwatch(w);
	loop_timer(&l->pause, ACCEPT_PAUSE);
}

/* -- the supervisor's side -- */

static void
drain(void)
{
	struct peer *next;

	if (parent.draining)
		return;
	parent.draining = true;
	for (size_t i = 0; i < ROLES; i++)
		loop_unwatch(&parent.listeners[i].watch);
	/* What has come is still served: its senders took it for taken. */
	for (struct peer *p = parent.peers; p != NULL; p = next) {
		next = p->next;
		peer_ready(&p->watch, 0);
	}
	while (parent.peers != NULL)
		forget_peer(parent.peers);
	close(parent.stop_write);
	parent.stop_write = -1;
	finish_drain();
}

/* For the children to come; those that there are keep what they began with. */
static void
reload(int fd)
{
	struct config *config = &parent.mailbox->config;
	char error[CONFIG_ERROR_MAX];
	struct config fresh;

	if (config_load_fd(&fresh, fd, "config", error) == -1) {
		log_event(LEVEL_ERROR, "bad config", log_text("reason", error));
	} else {
		config_free(config);
		*config = fresh;
		log_event(LEVEL_INFO, "reloaded", log_text("what", "config"));
	}
	close(fd);
}

static void
status(struct control_status *out)
{
	out->processes = 1 + parent.sessions + parent.deliveries;
	out->busy = parent.sessions;
}

static bool
listen_for(enum role role, const char *name)
{
	struct listener *l = &parent.listeners[role];

	l->role = role;
	l->watch = (struct watch){.fd = inherit_find(name),
	    .events = EPOLLIN,
	    .ready = listener_ready};
	l->pause.fire = listen_again;
	return l->watch.fd >= 0 && loop_watch(&l->watch) == 0;
}

int
parent_run(struct mailbox *mailbox)
{
	static const struct control_handlers handlers = {
	    .drain = drain, .reload = reload, .status = status};
	int ends[2];

	parent.mailbox = mailbox;
	if (!listen_for(ROLE_USERDB, "role-userdb") ||
	    !listen_for(ROLE_QUEUE, "role-queue")) {
		log_event(LEVEL_ERROR, "no listening sockets",
		    log_text("reason", "postrider(8) starts this program"));
		return EX_USAGE;
	}
	if (pipe2(ends, O_CLOEXEC) == -1) {
		log_errno(LEVEL_ERROR, "cannot make", "pipe");
		return EX_OSERR;
	}
	parent.stop_read = ends[0];
	parent.stop_write = ends[1];
	loop_signal(SIGCHLD, reap);
	control_begin(&handlers);
	control_ready();
	return loop_run();
}
