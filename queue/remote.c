/* SPDX-License-Identifier: ISC */
#include "queue/remote.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/address.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/protocol.h"
#include "common/verdict.h"
#include "common/peer.h"
#include "queue/dispatch.h"
#include "queue/job.h"
#include "queue/queue.h"

enum {
	/* Silent for longer than its own limits allow: it hangs. */
	SILENCE_MS = 2 * 60 * 60 * 1000,
	/* jobs of one destination, one after the other, by one worker while
	 * others wait for it: what a session has cost is worth some */
	STREAK = 20
};

struct worker_end {
	struct peer peer;
	struct worker_end *next; /* while it is ready */
	bool ready;
	struct job *job;
	/* whom it served last: a session there may still be open */
	char destination[ADDRESS_DOMAIN_MAX + 1];
	unsigned streak;
	struct timer silence;
};

static struct worker_end *idle; /* the last used first */
static size_t busy;             /* workers */

static void assign(void);

/* -- workers -- */

static void
set_idle(struct worker_end *w)
{
	w->ready = true;
	w->next = idle;
	idle = w;
}

static void
unset_idle(struct worker_end *w)
{
	struct worker_end **where = &idle;

	if (!w->ready)
		return;
	while (*where != w)
		where = &(*where)->next;
	*where = w->next;
	w->ready = false;
}

/* One that has just served it, else the one that is warmest. */
static struct worker_end *
choose_worker(const struct destination *d)
{
	struct worker_end *w = idle;

	while (w != NULL && strcmp(w->destination, d->name) != 0)
		w = w->next;
	if (w == NULL)
		w = idle;
	unset_idle(w);
	return w;
}

static void
note_service(struct worker_end *w, const struct destination *d)
{
	if (strcmp(w->destination, d->name) != 0)
		w->streak = 0;
	w->streak++;
	w->destination[0] = '\0';
	strncat(w->destination, d->name, ADDRESS_DOMAIN_MAX);
}

static void
run_job(struct destination *d, struct worker_end *w)
{
	struct job *job = job_dequeue(d);

	destination_move(d, STAGE_PREPARED, STAGE_RUNNING);
	job->started = clock_monotonic_ms();
	if (!job_send(job, &w->peer)) {
		int reason = errno;

		set_idle(w);
		job_end(job, strerror(reason));
		return;
	}
	pace_start(&d->pace, job->started);
	destination_stir(d, job->started);
	w->job = job;
	busy++;
	note_service(w, d);
	loop_timer(&w->silence, SILENCE_MS);
}

static bool
may_run(const struct destination *d, int64_t now)
{
	return destination_may_run(
	    d, (size_t)queue.config.deliver_processes, busy, now);
}

static void
assign_soon(struct timer *t)
{
	(void)t;
	assign();
}

static struct timer soon = {.fire = assign_soon};

/* The postmaster may have held or deleted it while it waited. */
static bool
is_wanted(const struct job *job)
{
	return !job->a->m->held && !job->a->m->doomed;
}

static void
assign(void)
{
	int64_t now = clock_monotonic_ms(), opens;
	struct destination *d;

	while (
	    idle != NULL && (d = job_next_turn(may_run, now, &opens)) != NULL) {
		/* Not gone with its job, should that end at once. */
		destination_move(d, STAGE_NONE, STAGE_TICKET);
		if (is_wanted(d->first_job))
			run_job(d, choose_worker(d));
		else
			job_withdraw(d, job_dequeue(d));
		job_take_turn(d);
		job_left(d, STAGE_TICKET);
	}
	if (idle != NULL && opens != INT64_MAX)
		loop_timer(&soon, opens - now);
}

static void
worker_lost(struct worker_end *w, const char *why)
{
	struct job *job = w->job;

	if (job != NULL)
		log_event(LEVEL_WARNING, "peer lost",
		    log_text("what", "deliver"), log_text("id", job->id),
		    log_text("relay", job->domain->name),
		    log_text("reason", why));
	unset_idle(w);
	loop_timer_stop(&w->silence);
	peer_end(&w->peer);
	free(w);
	if (job != NULL) {
		busy--;
		job_end(job, why);
	}
	assign();
}

static void
on_closed(struct peer *peer)
{
	worker_lost(container_of(peer, struct worker_end, peer),
	    "deliver closed the connection");
}

static void
on_silence(struct timer *t)
{
	worker_lost(container_of(t, struct worker_end, silence),
	    "deliver does not answer");
}

static bool
on_ready(struct worker_end *w, struct packet *p)
{
	struct destination *d;

	if (!packet_read(p, "ready", NULL, 0, 0) || w->ready || w->job != NULL)
		return false;
	d = w->streak < STREAK ? destination_find(w->destination) : NULL;
	if (d != NULL && d->first_job != NULL && is_wanted(d->first_job) &&
	    may_run(d, clock_monotonic_ms()))
		run_job(d, w);
	else
		set_idle(w);
	assign();
	return true;
}

static bool
on_done(struct worker_end *w, struct packet *p)
{
	const char *id, *reason;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("id", PROTOCOL_ID_MAX, &id),
	    ATTRIBUTE_TEXT_OPTIONAL("reason", PROTOCOL_TEXT_MAX, &reason)};
	struct job *job = w->job;

	if (!packet_read(p, "done", set, 2, 0) || job == NULL)
		return false;
	w->job = NULL;
	busy--;
	loop_timer_stop(&w->silence);
	job_end(job,
	    reason != NULL ? reason : "deliver did not say what became of it");
	return true;
}

static bool
on_packet(struct peer *peer, struct packet *p)
{
	struct worker_end *w = container_of(peer, struct worker_end, peer);

	if (packet_is(p, "ready"))
		return on_ready(w, p);
	if (packet_is(p, "result")) {
		loop_timer(&w->silence, SILENCE_MS);
		return w->job != NULL && job_result(w->job, p);
	}
	return on_done(w, p);
}

void
remote_worker(int fd)
{
	struct worker_end *w = calloc(1, sizeof(*w));

	if (w == NULL) {
		close(fd);
		return;
	}
	w->peer = (struct peer){.role = "role-deliver",
	    .packet = on_packet,
	    .closed = on_closed,
	    .most = 4 * REMOTE_RECIPIENTS};
	w->silence.fire = on_silence;
	if (peer_begin(&w->peer, fd) == -1) {
		log_errno(LEVEL_ERROR, "cannot watch", "role-deliver");
		free(w);
	}
}

/* -- new jobs -- */

static void
no_memory(struct attempt *a, const size_t *indices, size_t n)
{
	struct result result = {.state = RECIPIENT_PENDING,
	    .trouble = true,
	    .dsn = verdict_row(VERDICT_BUSY)->enhanced,
	    .text = "no memory"};

	for (size_t i = 0; i < n; i++)
		attempt_result(a, indices[i], &result);
}

/* With its ticket an attempt comes in unless the rest began meanwhile. */
static bool
may_come(const struct attempt *a, struct destination *d, bool alone)
{
	int64_t now = clock_monotonic_ms();

	if (a->ticket == d)
		return !pace_rests(&d->pace) || d->pace.opens <= now;
	return alone ? dispatch_is_open(d) : destination_has_room(d, now);
}

static void
count_job(struct attempt *a, struct destination *d)
{
	if (a->ticket == d) {
		a->ticket = NULL;
		destination_move(d, STAGE_TICKET, STAGE_PREPARED);
	} else {
		destination_move(d, STAGE_NONE, STAGE_PREPARED);
	}
}

enum remote_answer
remote_deliver(struct attempt *a, struct domain *domain, const size_t *indices,
    size_t n, bool alone)
{
	struct destination *d =
	    domain != NULL ? domain_destination(domain) : NULL;
	size_t part;

	if (d == NULL)
		return REMOTE_NO_MEMORY;
	if (!may_come(a, d, alone))
		return REMOTE_CLOSED;
	for (; n > 0; indices += part, n -= part) {
		struct job *job;

		part = n < REMOTE_RECIPIENTS ? n : REMOTE_RECIPIENTS;
		job = job_new(a, domain, indices, part);
		if (job == NULL) {
			no_memory(a, indices, part);
			continue;
		}
		count_job(a, d);
		job_enqueue(job);
	}
	loop_timer(&soon, 0);
	return REMOTE_TAKEN;
}
