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
	PAUSE_MS = 50, /* without a job, and it is idle */
	WORKER_FILES = 64,
	WORKER_MEMORY = 256 << 20
};

struct server {
	struct worker *worker;
	struct deliver *deliver;
	struct session *session;
	int queue;
	bool busy;  /* and the parent knows */
	bool ready; /* and the queue knows */
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
 * The parent hears of a pause only when it is one: it looks after how many
 * are idle, not after each message.
 */
static void
be_busy(struct server *v, bool busy)
{
	if (busy && !v->busy)
		worker_busy(v->worker);
	if (!busy && v->busy)
		worker_idle(v->worker);
	v->busy = busy;
}

static int
wait_ms(const struct server *v, int64_t began)
{
	if (v->busy)
		return clock_left(began + PAUSE_MS);
	return session_is_open(v->session) ? clock_left(began + SESSION_IDLE_MS)
					   : -1;
}

/* Nothing came for so long. */
static void
wait_longer(struct server *v)
{
	if (v->busy)
		be_busy(v, false);
	else
		session_quit(v->session);
}

/*
 * Until the queue says something.  False: it is gone, or we are to stop.
 * Meanwhile an idle session ends by time, or by its server.
 */
static bool
wait_for_job(struct server *v)
{
	int64_t began = clock_monotonic_ms();
	struct session *s = v->session;
	struct pollfd pollers[3] = {
	    {.fd = v->queue, .events = POLLIN},
	    {.fd = worker_stop_fd(v->worker), .events = POLLIN},
	    {.fd = -1, .events = POLLIN | POLLRDHUP},
	};
	int n;

	for (;;) {
		pollers[2].fd = session_is_open(s) ? s->stream.in : -1;
		n = poll(pollers, 3, wait_ms(v, began));
		if (n == -1 && errno != EINTR)
			return false;
		if (n == -1)
			continue;
		if (pollers[1].revents != 0)
			return false;
		if (pollers[0].revents != 0)
			return true;
		if (n == 0)
			wait_longer(v);
		else if (has_ended(s, pollers[2].revents))
			session_drop(s);
	}
}

static bool
say_ready(struct server *v)
{
	static struct packet p;

	if (v->ready)
		return true;
	packet_start(&p, "ready");
	v->ready = ipc_send(v->queue, &p,
		       clock_monotonic_ms() + RETRY_LAST_MS) == IPC_OK;
	return v->ready;
}

/* One that is used up takes its leave before there is another job. */
static bool
goes_on(const struct server *v)
{
	return v->session->transactions < SESSION_MESSAGES_MAX &&
	    !worker_stopping(v->worker);
}

/* False: this connection is of no more use. */
static bool
do_job(struct server *v)
{
	static struct packet p;
	static struct job job;
	bool ok;

	if (ipc_receive(v->queue, &p, 0) != IPC_OK)
		return false;
	be_busy(v, true);
	v->ready = false;
	ok = job_receive(&job, v->queue, &p);
	packet_close(&p);
	if (ok) {
		attempt_run(v->deliver, v->session, &job);
		v->ready = goes_on(v);
		job_done(&job, v->ready,
		    v->session->stopped ? v->session->failure.text : NULL);
		ok = !job.lost;
	} else {
		log_event(LEVEL_ERROR, "malformed packet",
		    log_text("what", "queue"),
		    log_text("reason", "the queue's job cannot be read"));
	}
	v->session->id = NULL;
	job_free(&job);
	if (v->session->transactions >= SESSION_MESSAGES_MAX)
		session_quit(v->session);
	return ok;
}

static void
serve_queue(struct server *v)
{
	v->ready = false;
	while ((v->ready || !worker_stopping(v->worker)) && say_ready(v))
		if (!wait_for_job(v) || !do_job(v))
			break;
	be_busy(v, false);
}

int
worker_serve(struct worker *w, void *context)
{
	static const struct sandbox sandbox = {.tcp_connect = true,
	    .files = WORKER_FILES,
	    .memory = WORKER_MEMORY};
	static struct session session = {.state = STATE_CLOSED};
	struct deliver *d = context;
	struct server v = {.worker = w, .deliver = d, .session = &session};

	sandbox_enter(&sandbox);
	session.deliver = d;
	d->stop_fd = worker_stop_fd(w);
	while (!worker_stopping(w) && (v.queue = connect_queue(w)) != -1) {
		serve_queue(&v);
		close(v.queue);
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
