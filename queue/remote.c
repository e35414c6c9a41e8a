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
#include "queue/queue.h"
#include "queue/rate.h"

enum {
	/* Silent for longer than its own limits allow: it hangs. */
	SILENCE_MS = 2 * 60 * 60 * 1000,
	/* jobs of one destination, one after the other, by one worker while
	 * others wait for it: what a session has cost is worth some */
	STREAK = 20
};

struct job {
	struct job *next;
	struct attempt *a; /* gone when all are answered */
	char id[FS_ID_SIZE];
	struct domain *domain;
	struct destination *destination; /* that counts it */
	int64_t started;
	unsigned era;   /* of routes */
	bool good, bad; /* heard of its host, and told */
	size_t n;
	struct {
		size_t index;
		bool answered;
	} recipients[];
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

static struct destination *round_first, *round_last; /* with jobs prepared */
static struct worker_end *idle;                      /* the last used first */
static size_t busy;                                  /* workers */

static void assign(void);

/* -- jobs in their destinations -- */

static void
take_turn(struct destination *d)
{
	if (d->has_turn || d->first_job == NULL)
		return;
	d->has_turn = true;
	d->turn = NULL;
	if (round_last != NULL)
		round_last->turn = d;
	else
		round_first = d;
	round_last = d;
}

static void
leave_turn(struct destination *d, struct destination *before)
{
	d->has_turn = false;
	if (before != NULL)
		before->turn = d->turn;
	else
		round_first = d->turn;
	if (round_last == d)
		round_last = before;
}

static void
enqueue(struct job *job)
{
	struct destination *d = job->destination;

	if (d->last_job != NULL)
		d->last_job->next = job;
	else
		d->first_job = job;
	d->last_job = job;
	take_turn(d);
}

static struct job *
dequeue(struct destination *d)
{
	struct job *job = d->first_job;

	if (job == NULL)
		return NULL;
	d->first_job = job->next;
	if (d->first_job == NULL)
		d->last_job = NULL;
	return job;
}

static void
job_free(struct job *job)
{
	domain_release(job->domain);
	free(job);
}

/* It has left that stage: there is room again. */
static void
job_left(struct destination *d, enum stage from)
{
	destination_move(d, from, STAGE_NONE);
	destination_stir(d, clock_monotonic_ms());
	/* It, or whoever waits for a place. */
	dispatch_serve();
	destination_settle(d);
}

static void
answer(struct job *job, size_t i, const struct result *result)
{
	job->recipients[i].answered = true;
	attempt_result(job->a, job->recipients[i].index, result);
}

/*
 * The job is over.  Recipients that nothing was said about may have the
 * message or not: the same again, soon.
 */
static void
job_end(struct job *job, const char *why)
{
	const struct verdict_row *row = verdict_row(VERDICT_INTERNAL);
	struct result result = {.state = RECIPIENT_PENDING,
	    .trouble = true,
	    .dsn = row->enhanced,
	    .text = why};
	struct destination *d = job->destination;

	/* The attempt may end with the last answer. */
	for (size_t i = 0; i < job->n; i++)
		if (!job->recipients[i].answered)
			answer(job, i, &result);
	job_free(job);
	job_left(d, STAGE_RUNNING);
}

static void
withdraw_job(struct destination *d, struct job *job)
{
	destination_move(d, STAGE_PREPARED, STAGE_NONE);
	for (size_t i = 0; i < job->n; i++)
		attempt_withdrawn(job->a, job->recipients[i].index);
	job_free(job);
}

/* What is prepared for a destination that rests is not to be tried. */
static void
withdraw(struct destination *d)
{
	struct job *job;

	/* Kept while it goes on: the last one's end must not free it. */
	destination_move(d, STAGE_NONE, STAGE_TICKET);
	while ((job = dequeue(d)) != NULL)
		withdraw_job(d, job);
	job_left(d, STAGE_TICKET);
}

/* RFC 3461 section 5.2.1 */
static void
add_asked(struct packet *p, const struct envelope *e, size_t index)
{
	char text[DSN_ORCPT_MAX + 1];
	unsigned notify = envelope_notify(e, index);

	dsn_write_notify(notify, text);
	if (notify != 0)
		packet_text(p, "notify", text);
	if (envelope_orcpt(e, index, text))
		packet_text(p, "orcpt", text);
}

static void
add_head(struct packet *p, const struct job *job)
{
	const struct attempt *a = job->a;

	packet_start(p, "job");
	packet_text(p, "id", a->id);
	packet_text(p, "sender", a->e.sender);
	packet_text(p, "domain", job->domain->name);
	packet_number(p, "start", a->e.start);
	packet_number(p, "size", a->e.content);
	packet_number(p, "wire", a->e.wire);
	packet_text(p, "body", a->e.eight_bit ? "8bitmime" : "7bit");
	packet_number(p, "utf8", a->e.utf8);
	packet_number(p, "count", job->n);
	if (a->e.ret != DSN_RET_NONE)
		packet_text(p, "ret", dsn_ret_name(a->e.ret));
	if (a->e.envid != NULL)
		packet_text(p, "envid", a->e.envid);
}

static void
add_recipient(struct packet *p, const struct job *job, size_t i, bool alone)
{
	const struct envelope *e = &job->a->e;
	size_t index = job->recipients[i].index;

	if (alone)
		packet_start(p, "recipient");
	else
		packet_also(p, "recipient");
	packet_number(p, "index", i);
	packet_text(p, "address", e->recipients[index].address);
	add_asked(p, e, index);
}

/* All together, as far as a packet takes them; the content with the first. */
static bool
send_job(struct worker_end *w, const struct job *job)
{
	static struct packet p;
	const struct attempt *a = job->a;
	bool sent = false;
	int fd = spool_content(&queue.spool, a->m->folder, a->id);

	if (fd == -1)
		return false;
	add_head(&p, job);
	for (size_t i = 0; i < job->n; i++) {
		add_recipient(&p, job, i, sent);
		sent = i + 1 == job->n || packet_is_full(&p);
		if (!sent)
			continue;
		if (fd >= 0)
			packet_attach(&p, fd);
		peer_send(&w->peer, &p);
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	return true;
}

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
	struct job *job = dequeue(d);

	destination_move(d, STAGE_PREPARED, STAGE_RUNNING);
	job->started = clock_monotonic_ms();
	if (!send_job(w, job)) {
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

/*
 * The next of the round that may run, out of it; NULL: none, and *opens says
 * when one may by time alone.
 */
static struct destination *
next_turn(int64_t now, int64_t *opens)
{
	struct destination *d = round_first, *before = NULL, *next;

	*opens = INT64_MAX;
	for (; d != NULL; d = next) {
		next = d->turn;
		if (d->first_job == NULL) {
			leave_turn(d, before);
			destination_settle(d);
			continue;
		}
		if (may_run(d, now)) {
			leave_turn(d, before);
			return d;
		}
		if (d->pace.opens > now && d->pace.opens < *opens)
			*opens = d->pace.opens;
		before = d;
	}
	return NULL;
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

	while (idle != NULL && (d = next_turn(now, &opens)) != NULL) {
		/* Not gone with its job, should that end at once. */
		destination_move(d, STAGE_NONE, STAGE_TICKET);
		if (is_wanted(d->first_job))
			run_job(d, choose_worker(d));
		else
			withdraw_job(d, dequeue(d));
		take_turn(d);
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

static const struct status {
	const char *name;
	enum recipient_state state;
} statuses[] = {
    {"delivered", RECIPIENT_DELIVERED},
    {"deferred", RECIPIENT_PENDING},
    {"failed", RECIPIENT_FAILED},
};
enum { STATUSES = sizeof(statuses) / sizeof(statuses[0]) };

/* RFC 3463 section 2: its class agrees with the status, or we write ours. */
static const char *
check_dsn(const char *dsn, enum recipient_state state)
{
	static const char *const fallback[] = {
	    [RECIPIENT_PENDING] = "4.0.0",
	    [RECIPIENT_DELIVERED] = "2.0.0",
	    [RECIPIENT_FAILED] = "5.0.0",
	};

	if (strspn(dsn, "0123456789.") != strlen(dsn) ||
	    dsn[0] != fallback[state][0] || dsn[1] != '.')
		return fallback[state];
	return dsn;
}

/* Names of Maildirs (queue/local.c): only mailbox may say so of them. */
static bool
is_local_relay(const char *relay)
{
	return strncmp(relay, "mailbox:", 8) == 0 ||
	    strncmp(relay, "system:", 7) == 0;
}

/* How much a deferral says about others, the most first. */
static const char *const scopes[] = {"host", "session", "message", "recipient"};
enum { SCOPE_HOST, SCOPE_SESSION, SCOPE_RECIPIENT = 3, SCOPES };

static size_t
scope_named(const char *name)
{
	size_t i = 0;

	while (name != NULL && i < SCOPES && strcmp(scopes[i], name) != 0)
		i++;
	return name != NULL ? i : SCOPE_RECIPIENT;
}

/* Once good, once bad a job: it is one delivery. */
static void
hear(struct job *job, size_t scope, const struct result *result)
{
	/* Where its domain led before says nothing of where it leads now. */
	struct destination *d =
	    job->era == dispatch_era() ? domain_destination(job->domain) : NULL;
	struct heard heard = {.good = true,
	    .started = job->started,
	    .dsn = result->dsn,
	    .text = result->text};

	if (result->state == RECIPIENT_PENDING &&
	    rate_reply(result->dsn, result->text)) {
		heard.good = false;
		heard.trouble = PACE_RATE;
	} else if (result->state == RECIPIENT_PENDING && result->host) {
		heard.good = false;
		heard.trouble =
		    scope == SCOPE_HOST ? PACE_NO_SESSION : PACE_HOST;
	}
	if (d == NULL || (heard.good ? job->good : job->bad))
		return;
	job->good = job->good || heard.good;
	job->bad = job->bad || !heard.good;
	destination_heard(d, &heard, clock_monotonic_ms());
	if (pace_rests(&d->pace))
		withdraw(d);
	dispatch_serve();
}

/* What was prepared for the domain alone is the provider's to decide on. */
static void
learn(struct job *job, const char *mx)
{
	struct destination *d = job->destination;

	dispatch_learn(job->domain, mx);
	if (d->domains == 0)
		withdraw(d);
}

static bool
on_result(struct worker_end *w, struct packet *p)
{
	const char *status, *delays, *scope, *mx;
	struct result result = {0};
	uint64_t i, passed;
	size_t s = 0, about;
	const struct attribute set[] = {
	    ATTRIBUTE_NUMBER("index", &i),
	    ATTRIBUTE_TEXT("status", PROTOCOL_NAME_MAX, &status),
	    ATTRIBUTE_TEXT("dsn", ENVELOPE_DSN_MAX, &result.dsn),
	    ATTRIBUTE_TEXT("relay", PROTOCOL_TEXT_MAX, &result.relay),
	    ATTRIBUTE_TEXT("text", PROTOCOL_TEXT_MAX, &result.text),
	    ATTRIBUTE_TEXT_OPTIONAL("delay", PROTOCOL_NAME_MAX, &delays),
	    ATTRIBUTE_TEXT_OPTIONAL("tls", PROTOCOL_TLS_MAX, &result.tls),
	    ATTRIBUTE_TEXT_OPTIONAL(
		"verified", PROTOCOL_NAME_MAX, &result.verified),
	    ATTRIBUTE_NUMBER_OPTIONAL("dsn-passed", &passed),
	    ATTRIBUTE_TEXT_OPTIONAL("scope", PROTOCOL_NAME_MAX, &scope),
	    ATTRIBUTE_TEXT_OPTIONAL("mx", ADDRESS_DOMAIN_MAX, &mx),
	};

	if (!packet_read(p, "result", set, sizeof(set) / sizeof(set[0]), 0) ||
	    w->job == NULL || i >= w->job->n ||
	    w->job->recipients[i].answered || is_local_relay(result.relay))
		return false;
	while (s < STATUSES && strcmp(statuses[s].name, status) != 0)
		s++;
	about = scope_named(scope);
	if (s == STATUSES || about == SCOPES)
		return false;
	result.state = statuses[s].state;
	result.host =
	    result.state == RECIPIENT_PENDING && about <= SCOPE_SESSION;
	result.dsn = check_dsn(result.dsn, result.state);
	result.delays = delays;
	result.relayed = result.state == RECIPIENT_DELIVERED && passed != 1;
	loop_timer(&w->silence, SILENCE_MS);
	if (mx != NULL)
		learn(w->job, mx);
	hear(w->job, about, &result);
	answer(w->job, (size_t)i, &result);
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
	if (packet_is(p, "result"))
		return on_result(w, p);
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

static struct job *
job_new(
    struct attempt *a, struct domain *domain, const size_t *indices, size_t n)
{
	struct job *job =
	    calloc(1, sizeof(*job) + n * sizeof(job->recipients[0]));

	if (job == NULL)
		return NULL;
	domain_use(domain);
	job->a = a;
	memcpy(job->id, a->id, sizeof(job->id));
	job->domain = domain;
	job->destination = domain->destination;
	job->era = dispatch_era();
	job->n = n;
	for (size_t i = 0; i < n; i++)
		job->recipients[i].index = indices[i];
	return job;
}

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
		enqueue(job);
	}
	loop_timer(&soon, 0);
	return REMOTE_TAKEN;
}
