/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* accept4 */
#include "common/prefork.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/control.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/netaddr.h"
#include "common/proxy.h"
#include "common/sandbox.h"
#include "common/seats.h"

enum {
	LISTENERS = 64,
	THROTTLE_FIRST = 1000,
	THROTTLE_LAST = 60000,
	SHRINK_EVERY = 10000,
	REFUSALS_EVERY = 10000 /* one line in the log for so long */
};

struct worker {
	int fd;    /* to the parent; EOF there means stop */
	int set;   /* of what it waits for; -1: not made yet */
	bool busy; /* as last told */
	size_t seat;
	int handed;           /* over which its client came; -1: over none */
	const int *listeners; /* as worker_accept() was last told */
	size_t nlisteners;
	struct proxy_client client; /* of the connection that it serves */
};

/* The parent's view of one worker. */
struct member {
	struct watch watch;
	struct member *next;
	pid_t pid;
	bool busy, stopping;
	bool served; /* has had a session */
	size_t seat;
};

static struct {
	const struct prefork *rules;
	struct member *members;
	unsigned total, idle;
	bool draining;
	int64_t throttle;   /* 0: none */
	struct timer later; /* the throttle's end */
	struct timer shrink;
} pool;

static void fill(void);

/* -- in a worker -- */

static void
tell(struct worker *w, bool busy)
{
	if (w->busy == busy)
		return;
	w->busy = busy;
	if (!seats_tell(w->seat, busy, pool.rules->spare))
		return;
	while (send(w->fd, busy ? "B" : "I", 1, MSG_NOSIGNAL) == -1 &&
	    errno == EINTR)
		continue;
}

void
worker_busy(struct worker *w)
{
	tell(w, true);
}

void
worker_idle(struct worker *w)
{
	tell(w, false);
}

int
worker_stop_fd(const struct worker *w)
{
	return w->fd;
}

bool
worker_stopping(const struct worker *w)
{
	struct pollfd poller = {.fd = w->fd, .events = POLLIN};

	return poll(&poller, 1, 0) != 0;
}

static bool
is_in(uint64_t set, size_t listener)
{
	return (set & UINT64_C(1) << listener) != 0;
}

const struct proxy_client *
worker_client(const struct worker *w)
{
	return &w->client;
}

/* The connection, or -1 when its client has enough of them already. */
static int
admit(struct worker *w, int fd, size_t which)
{
	static int64_t silent_until;
	const struct prefork *rules = pool.rules;
	const struct sockaddr_storage *client = &w->client.address;
	size_t sessions = seats_take(w->seat, client);
	char text[NETADDR_TEXT_MAX];

	if (rules->client_maximum == 0 || sessions <= rules->client_maximum)
		return fd;
	seats_leave(w->seat);
	if (!is_in(rules->silent_listeners, which))
		(void)send(fd, rules->client_refusal,
		    strlen(rules->client_refusal), MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
	if (clock_monotonic_ms() >= silent_until) {
		silent_until = clock_monotonic_ms() + REFUSALS_EVERY;
		netaddr_format(client, text);
		log_event(LEVEL_INFO, "refused", log_text("client", text),
		    log_text("service", rules->service),
		    log_text("reason", "too many connections from there"));
	}
	return -1;
}

static void
end_handed(struct worker *w)
{
	if (w->handed != -1)
		close(w->handed);
	w->handed = -1;
}

/* Who has come over this connection; -1: nobody. */
static int
take_handed(struct worker *w, int connection)
{
	w->handed = connection;
	return pool.rules->receive(
	    connection, &w->client.address, pool.rules->context);
}

static int
find_client(struct worker *w, int fd)
{
	if (pool.rules->proxies == NULL ||
	    proxy_find_client(fd, pool.rules->proxies, &w->client))
		return fd;
	close(fd);
	return -1;
}

/* Who hands it over, and a proxy's header, may have to be waited for. */
static int
meet(struct worker *w, int fd, size_t which)
{
	tell(w, true);
	fd = is_in(pool.rules->handed_listeners, which) ? take_handed(w, fd)
							: find_client(w, fd);
	if (fd != -1)
		fd = admit(w, fd, which);
	if (fd == -1) {
		end_handed(w);
		tell(w, false);
	}
	return fd;
}

static int
accept_one(struct worker *w, int listener, size_t which)
{
	struct sockaddr_storage *client = &w->client.address;
	socklen_t n = sizeof(*client);
	int fd = accept4(listener, (struct sockaddr *)client, &n, SOCK_CLOEXEC);

	w->client.proxied = false;
	netaddr_unmap(client);
	if (fd == -1 &&
	    (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		errno == ENOMEM)) {
		log_errno(LEVEL_WARNING, "cannot accept", "connection");
		poll(NULL, 0, 100);
	}
	return fd == -1 ? -1 : meet(w, fd, which);
}

enum { STOP = LISTENERS }; /* among the marks of what is watched */

static int
watch_for(int set, int fd, uint32_t events, uint32_t mark)
{
	struct epoll_event event = {.events = events, .data.u32 = mark};

	return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}

/*
 * A connection wakes one worker, not all that wait: the set is each one's
 * own, for those of an inherited set would be woken together.
 */
static int
watch_listeners(const struct worker *w, const int *listeners, size_t n)
{
	int set = epoll_create1(EPOLL_CLOEXEC);
	int rc = set == -1 ? -1 : watch_for(set, w->fd, EPOLLIN, STOP);

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = watch_for(
		    set, listeners[i], EPOLLIN | EPOLLEXCLUSIVE, (uint32_t)i);
	if (rc == 0)
		return set;
	log_errno(LEVEL_ERROR, "cannot watch", pool.rules->service);
	if (set != -1)
		close(set);
	return -1;
}

/*
 * What woke us may have woken nobody else, so it is looked at before a stop;
 * -1 when there is neither.
 */
static int
accept_any(struct worker *w, const int *listeners,
    const struct epoll_event *events, int n, size_t *which)
{
	for (int i = 0; i < n; i++) {
		size_t mark = events[i].data.u32;
		int fd =
		    mark == STOP ? -1 : accept_one(w, listeners[mark], mark);

		if (fd != -1) {
			*which = mark;
			return fd;
		}
	}
	return -1;
}

int
worker_accept(struct worker *w, const int *listeners, size_t n, size_t *which)
{
	struct epoll_event events[LISTENERS + 1];
	int fd = -1, ready;

	seats_leave(w->seat);
	end_handed(w);
	w->listeners = listeners;
	w->nlisteners = n > LISTENERS ? LISTENERS : n;
	tell(w, false);
	if (w->set == -1)
		w->set = watch_listeners(w, listeners, w->nlisteners);
	if (w->set == -1)
		return -1;
	while (fd == -1 && !worker_stopping(w)) {
		ready = epoll_wait(w->set, events, LISTENERS + 1, -1);
		if (ready == -1 && errno != EINTR)
			return -1;
		fd = accept_any(w, listeners, events, ready, which);
	}
	return fd;
}

bool
worker_is_pressed(const struct worker *w)
{
	struct pollfd pollers[LISTENERS];

	if (!seats_are_busy(pool.rules->maximum))
		return false;
	for (size_t i = 0; i < w->nlisteners; i++)
		pollers[i] =
		    (struct pollfd){.fd = w->listeners[i], .events = POLLIN};
	return poll(pollers, w->nlisteners, 0) > 0;
}

/* -- in the parent -- */

static void
drop_member(struct member *m)
{
	struct member **at = &pool.members;

	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	loop_unwatch(&m->watch);
	close(m->watch.fd);
	seats_free(m->seat);
	pool.total--;
	if (!m->busy && !m->stopping)
		pool.idle--;
	free(m);
}

/* Its socket becomes readable there; its last words still come. */
static void
stop_member(struct member *m)
{
	if (m->stopping)
		return;
	m->stopping = true;
	if (!m->busy)
		pool.idle--;
	shutdown(m->watch.fd, SHUT_WR);
}

static void
note_state(struct member *m, bool busy)
{
	if (busy == m->busy)
		return;
	m->busy = busy;
	m->served = true;
	if (!m->stopping)
		pool.idle += busy ? -1U : 1U;
}

/* What its seat tells is newer than any word. */
static void
look_at(struct member *m)
{
	enum seat_state state = seats_state(m->seat);

	if (state == SEAT_NONE)
		return;
	note_state(m, state == SEAT_BUSY);
	m->served = m->served || state != SEAT_FRESH;
}

static void
look_at_all(void)
{
	for (struct member *m = pool.members; m != NULL; m = m->next)
		look_at(m);
}

/* False at the end of file. */
static bool
take_words(struct member *m)
{
	char word;
	ssize_t n;

	while ((n = recv(m->watch.fd, &word, 1, MSG_DONTWAIT)) == 1)
		note_state(m, word == 'B');
	look_at(m);
	if (pool.draining && !m->busy)
		stop_member(m);
	return n != 0;
}

static void
hear_member(struct watch *w, uint32_t events)
{
	(void)events;
	if (!take_words(container_of(w, struct member, watch)))
		loop_unwatch(w);
	fill();
}

static _Noreturn void
become_worker(int fd, size_t seat)
{
	struct worker self = {
	    .fd = fd, .set = -1, .busy = false, .seat = seat, .handed = -1};
	const struct prefork *rules = pool.rules;

	loop_after_fork();
	control_after_fork();
	for (struct member *m = pool.members; m != NULL; m = m->next)
		close(m->watch.fd);
	sandbox_exit(rules->serve(&self, rules->context));
}

static void
throttle_on(const char *why)
{
	if (pool.later.slot != 0)
		return;
	pool.throttle = pool.throttle == 0 ? THROTTLE_FIRST : pool.throttle * 2;
	if (pool.throttle > THROTTLE_LAST)
		pool.throttle = THROTTLE_LAST;
	log_event(LEVEL_WARNING, "throttled",
	    log_text("service", pool.rules->service),
	    log_delay("delay", pool.throttle), log_text("reason", why));
	loop_timer(&pool.later, pool.throttle);
}

static bool
start_member(void)
{
	struct member *m = calloc(1, sizeof(*m));
	int ends[2];
	sigset_t all, mask;

	if (m == NULL ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == -1) {
		free(m);
		return false;
	}
	m->seat = seats_reserve();
	/* The child must not run the parent's handlers. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &mask);
	m->pid = fork();
	if (m->pid == 0) {
		size_t seat = m->seat;

		free(m);
		close(ends[0]);
		become_worker(ends[1], seat);
	}
	sigprocmask(SIG_SETMASK, &mask, NULL);
	close(ends[1]);
	m->watch = (struct watch){
	    .fd = ends[0], .events = EPOLLIN, .ready = hear_member};
	if (m->pid == -1 || loop_watch(&m->watch) == -1) {
		close(ends[0]);
		seats_free(m->seat);
		free(m);
		return false;
	}
	m->next = pool.members;
	pool.members = m;
	pool.total++;
	pool.idle++;
	return true;
}

static void
fill(void)
{
	if (pool.draining || pool.later.slot != 0)
		return;
	look_at_all();
	while (
	    pool.idle < pool.rules->spare && pool.total < pool.rules->maximum) {
		if (!start_member()) {
			throttle_on(strerror(errno));
			return;
		}
	}
}

static void
throttle_ended(struct timer *t)
{
	(void)t;
	fill();
}

/* After a rush: one idle worker less at a time, down to twice the spare. */
static void
shrink(struct timer *t)
{
	loop_timer(t, SHRINK_EVERY);
	look_at_all();
	if (pool.idle <= 2 * pool.rules->spare)
		return;
	for (struct member *m = pool.members; m != NULL; m = m->next)
		if (!m->busy && !m->stopping) {
			stop_member(m);
			return;
		}
}

static void
judge_end(struct member *m, int status)
{
	if (WIFSIGNALED(status)) {
		log_event(LEVEL_ERROR, "worker crashed",
		    log_text("service", pool.rules->service),
		    log_number("pid", m->pid),
		    log_number("signal", WTERMSIG(status)));
		throttle_on("crash");
		if (!pool.draining)
			control_crashed();
	} else if (WEXITSTATUS(status) != 0 && !m->served) {
		throttle_on("a worker ended before its first session");
	} else if (m->served) {
		pool.throttle = 0;
	}
}

static void
reap(int signo)
{
	int status;
	pid_t pid;

	(void)signo;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct member *m = pool.members;

		while (m != NULL && m->pid != pid)
			m = m->next;
		if (m == NULL)
			continue;
		(void)take_words(m);
		judge_end(m, status);
		drop_member(m);
	}
	if (pool.draining && pool.total == 0)
		loop_stop(EX_OK);
	fill();
}

static void
end_members(bool busy_ones)
{
	pool.draining = true;
	seats_listen();
	look_at_all();
	for (struct member *m = pool.members; m != NULL; m = m->next)
		if (busy_ones || !m->busy)
			stop_member(m);
	if (pool.total == 0)
		loop_stop(EX_OK);
}

static void
drain(void)
{
	end_members(true);
}

static void
retire(void)
{
	end_members(false);
}

static void
status(struct control_status *out)
{
	look_at_all();
	out->processes = pool.total + 1;
	for (struct member *m = pool.members; m != NULL; m = m->next)
		out->busy += m->busy;
}

int
prefork_run(const struct prefork *rules)
{
	static const struct control_handlers handlers = {
	    .drain = drain, .retire = retire, .status = status};

	sandbox_prepare();
	if (seats_open(rules->maximum) == -1)
		log_errno(LEVEL_WARNING, "cannot make", "shared memory");
	pool.rules = rules;
	pool.later.fire = throttle_ended;
	pool.shrink.fire = shrink;
	loop_signal(SIGCHLD, reap);
	control_begin(&handlers);
	loop_timer(&pool.shrink, SHRINK_EVERY);
	fill();
	control_ready();
	return loop_run();
}
