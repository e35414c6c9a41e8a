/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* POLLRDHUP */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/prefork.h"
#include "common/sandbox.h"
#include "deliver/session.h"

enum {
	RETRY_FIRST_MS = 50, /* the queue is not there */
	RETRY_LAST_MS = 2000,
	/* an idle session waits for the next message to the same place */
	SESSION_IDLE_MS = 2000,
	SESSION_MESSAGES_MAX = 100,
	WORKER_FILES = 64,
	WORKER_MEMORY = 256 << 20
};

/* False when the time is over, true when the parent wants us to stop. */
static bool
stopped_within(struct worker *w, int ms)
{
	struct pollfd poller = {.fd = worker_stop_fd(w), .events = POLLIN};

	return poll(&poller, 1, ms) > 0;
}

/* -1 when it is time to stop. */
static int
connect_queue(struct worker *w)
{
	int delay = RETRY_FIRST_MS, fd;
	bool told = false;

	while ((fd = ipc_connect("queue")) == -1) {
		if (!told && delay >= RETRY_LAST_MS) {
			log_errno(LEVEL_WARNING, "cannot connect", "queue");
			told = true;
		}
		if (stopped_within(w, delay))
			return -1;
		delay = delay * 2 < RETRY_LAST_MS ? delay * 2 : RETRY_LAST_MS;
	}
	return fd;
}

/* TLS itself may have something to say that concerns nobody. */
static bool
has_ended(struct session *s, short events)
{
	return (events & (POLLRDHUP | POLLHUP | POLLERR)) != 0 ||
	    stream_has_input(&s->stream);
}

/*
 * Until the queue says something.  False: it is gone, or we are to stop.
 * Meanwhile an idle session ends by time, or by its server.
 */
static bool
wait_for_job(struct worker *w, int queue, struct session *s)
{
	int64_t idle = clock_monotonic_ms() + SESSION_IDLE_MS;
	struct pollfd pollers[3] = {
	    {.fd = queue, .events = POLLIN},
	    {.fd = worker_stop_fd(w), .events = POLLIN},
	    {.fd = -1, .events = POLLIN | POLLRDHUP},
	};
	int n;

	for (;;) {
		pollers[2].fd = session_is_open(s) ? s->stream.in : -1;
		n = poll(
		    pollers, 3, session_is_open(s) ? clock_left(idle) : -1);
		if (n == -1 && errno != EINTR)
			return false;
		if (n == -1)
			continue;
		if (pollers[1].revents != 0)
			return false;
		if (pollers[0].revents != 0)
			return true;
		if (n == 0)
			session_quit(s);
		else if (has_ended(s, pollers[2].revents))
			session_drop(s);
	}
}

static bool
say_ready(int queue)
{
	static struct packet p;

	packet_start(&p, "ready");
	return ipc_send(queue, &p, clock_monotonic_ms() + RETRY_LAST_MS) ==
	    IPC_OK;
}

/* False: this connection is of no more use. */
static bool
do_job(struct worker *w, struct deliver *d, int queue, struct session *s)
{
	static struct packet p;
	struct job job = {.content = -1};
	bool ok;

	if (ipc_receive(queue, &p, 0) != IPC_OK)
		return false;
	worker_busy(w);
	ok = job_receive(&job, queue, &p);
	packet_close(&p);
	if (ok) {
		attempt_run(d, s, &job);
		job_done(&job);
		ok = !job.lost;
	} else {
		log_event(LEVEL_ERROR, "malformed packet",
		    log_text("what", "queue"),
		    log_text("reason", "the queue's job cannot be read"));
	}
	s->id = NULL;
	job_free(&job);
	if (s->transactions >= SESSION_MESSAGES_MAX)
		session_quit(s);
	worker_idle(w);
	return ok;
}

static void
serve_queue(struct worker *w, struct deliver *d, int queue, struct session *s)
{
	while (!worker_stopping(w) && say_ready(queue))
		if (!wait_for_job(w, queue, s) || !do_job(w, d, queue, s))
			return;
}

int
worker_serve(struct worker *w, void *context)
{
	static const struct sandbox sandbox = {.tcp_connect = true,
	    .files = WORKER_FILES,
	    .memory = WORKER_MEMORY};
	static struct session session = {.state = STATE_CLOSED};
	struct deliver *d = context;
	int queue;

	sandbox_enter(&sandbox);
	session.deliver = d;
	while (!worker_stopping(w) && (queue = connect_queue(w)) != -1) {
		serve_queue(w, d, queue, &session);
		close(queue);
		/* a queue that refuses us must not make us spin */
		if (stopped_within(w, RETRY_FIRST_MS))
			break;
	}
	session_quit(&session);
	ledger_close(&d->ledger);
	tls_client_free(d->tls);
	dns_close(d->dns);
	config_free(&d->config);
	return EX_OK;
}
