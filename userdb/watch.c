/* SPDX-License-Identifier: ISC */
#include "userdb/service.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/control.h"
#include "common/inherit.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/sandbox.h"
#include "userdb/checker.h"

enum {
	PING_MS = 1000,
	ANSWER_MS = 5000,
	OPEN_MS = 600000, /* recovery of a large database */
	THROTTLE_FIRST = 100,
	THROTTLE_SERVED = 1000, /* most, for one who got as far as serving */
	THROTTLE_LAST = 60000,
	STEADY_MS = 10000, /* who lived so long may be started anew at once */
	CHECKERS_MAX = 8,
	NICENESS = 15
};

static struct {
	struct service *service;
	struct child {
		pid_t pid;
		int64_t started, throttle;
		struct timer again;
	} server, checkers[CHECKERS_MAX];
	struct watch channel; /* to the server */
	struct timer ping;
	int64_t answer_by; /* INT64_MAX: nothing asked */
	uint64_t busy;
	bool ready, announced, draining;
	/* The file of a token issuer's keys, as the supervisor gave it. */
	char *keys_path, *keys_error;
	int keys;
} watcher = {.keys = -1};

/* -- children -- */

/* What it shares with us and must not have. */
static void
close_inherited(void)
{
	const char *name;

	for (size_t i = 0; (name = inherit_name(i)) != NULL; i++)
		if (strcmp(name, "log") != 0)
			close(3 + (int)i);
}

static void
close_keys(void)
{
	if (watcher.keys >= 0)
		close(watcher.keys);
	watcher.keys = -1;
}

static int
be_checker(void)
{
	static const struct sandbox nothing = {.files = 16};

	prctl(PR_SET_NAME, "userdb-checker");
	close_inherited();
	close_keys();
	if (watcher.channel.active)
		close(watcher.channel.fd);
	close(watcher.service->check_ends[0]);
	/*
	 * Look-ups and other people's mail go first: who guesses passwords
	 * slows down nobody but who logs in.
	 */
	if (nice(NICENESS) == -1)
		log_errno(LEVEL_DEBUG, "cannot set priority", "checker");
	sandbox_enter(&nothing);
	return checker_serve(watcher.service->check_ends[1],
	    (unsigned)watcher.service->config.password_cost);
}

static int
be_server(int channel, int watchers_end)
{
	prctl(PR_SET_NAME, "userdb-server");
	close(watchers_end);
	close(watcher.service->check_ends[1]);
	close_keys();
	loop_init();
	return server_run(watcher.service, channel);
}

/* 0 in the child. */
static pid_t
fork_child(struct child *child)
{
	pid_t pid = fork();

	if (pid == -1) {
		log_errno(LEVEL_ERROR, "cannot start", "process");
		loop_timer(&child->again, THROTTLE_SERVED);
	} else if (pid == 0) {
		loop_after_fork();
		control_after_fork();
	} else {
		child->pid = pid;
		child->started = clock_monotonic_ms();
	}
	return pid;
}

static void
start_checker(struct child *child)
{
	if (fork_child(child) == 0)
		exit(be_checker());
}

static void hear_server(struct watch *, uint32_t events);

static void
start_server(void)
{
	int ends[2];
	pid_t pid;

	if (ipc_pair(ends) == -1) {
		log_errno(LEVEL_ERROR, "cannot start", "server");
		loop_timer(&watcher.server.again, THROTTLE_SERVED);
		return;
	}
	pid = fork_child(&watcher.server);
	if (pid == 0)
		exit(be_server(ends[1], ends[0]));
	close(ends[1]);
	if (pid == -1) {
		close(ends[0]);
		return;
	}
	watcher.ready = false;
	watcher.answer_by = clock_monotonic_ms() + OPEN_MS;
	watcher.channel = (struct watch){
	    .fd = ends[0], .events = EPOLLIN, .ready = hear_server};
	if (loop_watch(&watcher.channel) == -1)
		abort();
}

static void
start_again(struct timer *t)
{
	struct child *child = container_of(t, struct child, again);

	if (watcher.draining)
		return;
	if (child == &watcher.server)
		start_server();
	else
		start_checker(child);
}

/* -- the server -- */

static void
say(const char *verb, int fd)
{
	static struct packet p;

	if (!watcher.channel.active)
		return;
	packet_start(&p, verb);
	if (fd >= 0)
		packet_attach(&p, fd);
	(void)ipc_send(watcher.channel.fd, &p, 0);
}

static void
pass_keys(void)
{
	static struct packet p;

	if (!watcher.ready || !watcher.channel.active ||
	    watcher.keys_path == NULL)
		return;
	packet_start(&p, "jwks");
	packet_text(&p, "path", watcher.keys_path);
	if (watcher.keys_error != NULL)
		packet_text(&p, "error", watcher.keys_error);
	if (watcher.keys >= 0)
		packet_attach(&p, watcher.keys);
	(void)ipc_send(watcher.channel.fd, &p, 0);
}

static void
close_channel(void)
{
	if (!watcher.channel.active)
		return;
	loop_unwatch(&watcher.channel);
	close(watcher.channel.fd);
}

static void
hear_server(struct watch *w, uint32_t events)
{
	static struct packet p;
	const struct attribute set[] = {
	    ATTRIBUTE_NUMBER("busy", &watcher.busy)};

	(void)events;
	switch (ipc_receive(w->fd, &p, 0)) {
	case IPC_TIMEOUT:
		return;
	case IPC_OK:
		break;
	default:
		close_channel(); /* SIGCHLD tells the rest */
		return;
	}
	if (packet_read(&p, "ready", NULL, 0, 0)) {
		watcher.ready = true;
		if (!watcher.announced)
			control_ready();
		watcher.announced = true;
		pass_keys();
	} else if (!packet_read(&p, "pong", set, 1, 0)) {
		log_event(LEVEL_ERROR, "malformed packet",
		    log_text("what", "server"));
	}
	watcher.answer_by = INT64_MAX;
	packet_close(&p);
}

static void
ping(struct timer *t)
{
	loop_timer(t, PING_MS);
	if (watcher.server.pid == 0)
		return;
	if (watcher.answer_by < clock_monotonic_ms()) {
		log_event(LEVEL_ERROR, "killed", log_text("service", "userdb"),
		    log_number("pid", watcher.server.pid),
		    log_text("reason", "no answer for 5 s"));
		kill(watcher.server.pid, SIGKILL);
		watcher.answer_by = INT64_MAX;
		return;
	}
	if (!watcher.ready)
		return;
	say("ping", -1);
	if (watcher.answer_by == INT64_MAX)
		watcher.answer_by = clock_monotonic_ms() + ANSWER_MS;
}

/* -- the end of a child -- */

static void
log_end(const struct child *child, int status)
{
	const char *what = child == &watcher.server ? "server" : "checker";

	if (WIFSIGNALED(status))
		log_event(LEVEL_ERROR, "worker crashed",
		    log_text("service", "userdb"), log_text("what", what),
		    log_number("pid", child->pid),
		    log_number("signal", WTERMSIG(status)));
	else if (!watcher.draining)
		log_event(LEVEL_ERROR, "worker crashed",
		    log_text("service", "userdb"), log_text("what", what),
		    log_number("pid", child->pid),
		    log_number("exit", WEXITSTATUS(status)));
}

/*
 * At once, if it is not the same again and again.  One who dies of what he is
 * asked is needed by all others; one who cannot even open the database will
 * not soon.
 */
static int64_t
throttle(struct child *child)
{
	int64_t wait = child->throttle;
	int64_t most = child == &watcher.server && !watcher.ready
	    ? THROTTLE_LAST
	    : THROTTLE_SERVED;

	if (clock_monotonic_ms() - child->started > STEADY_MS)
		wait = 0;
	if (wait > most)
		wait = most;
	child->throttle = wait == 0 ? THROTTLE_FIRST : 2 * wait;
	return wait;
}

static void
ended(struct child *child, int status)
{
	log_end(child, status);
	child->pid = 0;
	if (child == &watcher.server) {
		close_channel();
		watcher.busy = 0;
		if (watcher.draining)
			loop_stop(EX_OK);
	}
	if (!watcher.draining)
		loop_timer(&child->again, throttle(child));
}

static void
on_sigchld(int signo)
{
	int status;
	pid_t pid;

	(void)signo;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == watcher.server.pid)
			ended(&watcher.server, status);
		for (size_t i = 0; i < watcher.service->checkers; i++)
			if (pid == watcher.checkers[i].pid)
				ended(&watcher.checkers[i], status);
	}
}

/* -- the supervisor -- */

static void
drain(void)
{
	watcher.draining = true;
	say("drain", -1);
	if (watcher.server.pid == 0)
		loop_stop(EX_OK);
}

static void
reload(int fd)
{
	if (service_reload(watcher.service, fd)) {
		say("reload", fd);
		pass_keys();
	}
	close(fd);
}

static char *
copy_text(const char *text)
{
	return text != NULL ? strdup(text) : NULL;
}

/* Kept for the servers to come. */
static void
take_file(const struct control_file *file)
{
	close_keys();
	free(watcher.keys_path);
	free(watcher.keys_error);
	watcher.keys = file->fd;
	watcher.keys_path = copy_text(file->path);
	watcher.keys_error = copy_text(file->error);
	pass_keys();
}

static void
status(struct control_status *status)
{
	status->processes = 2 + watcher.service->checkers;
	status->busy = watcher.busy;
}

static const struct control_handlers handlers = {
    .drain = drain, .reload = reload, .status = status, .file = take_file};

/* Their end is closed, so they end; they are ours to wait for. */
static void
end_checkers(void)
{
	close(watcher.service->check_ends[0]);
	close(watcher.service->check_ends[1]);
	for (size_t i = 0; i < watcher.service->checkers; i++)
		if (watcher.checkers[i].pid > 0)
			while (
			    waitpid(watcher.checkers[i].pid, NULL, 0) == -1 &&
			    errno == EINTR)
				continue;
}

/*
 * One processor stays free of them.  Niceness alone does not do: who is
 * woken to write a message waits for the end of their slice of time, again
 * and again (2.0 times as long on two processors).
 */
static unsigned
count_checkers(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 3 ? 1 : n > CHECKERS_MAX ? CHECKERS_MAX : (unsigned)n - 1;
}

int
watch_run(struct service *service)
{
	int code;

	watcher.service = service;
	service->checkers = count_checkers();
	if (ipc_pair(service->check_ends) == -1) {
		log_errno(LEVEL_ERROR, "cannot make", "socket pair");
		return EX_OSERR;
	}
	service_confine(service, true);
	loop_init();
	control_begin(&handlers);
	loop_signal(SIGCHLD, on_sigchld);
	watcher.server.again.fire = start_again;
	for (size_t i = 0; i < service->checkers; i++) {
		watcher.checkers[i].again.fire = start_again;
		start_checker(&watcher.checkers[i]);
	}
	start_server();
	watcher.ping.fire = ping;
	loop_timer(&watcher.ping, PING_MS);
	code = loop_run();
	end_checkers();
	return code;
}
