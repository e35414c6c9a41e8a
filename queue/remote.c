/* SPDX-License-Identifier: ISC */
#include "queue/remote.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/address.h"
#include "common/log.h"
#include "common/protocol.h"
#include "common/verdict.h"
#include "common/peer.h"
#include "queue/queue.h"

enum {
	BUCKETS = 1024,
	/* Silent for longer than its own limits allow: it hangs. */
	SILENCE_MS = 2 * 60 * 60 * 1000
};

struct destination {
	struct destination *chain; /* of its bucket */
	struct destination *turn;  /* behind it in the round */
	bool in_round;
	struct job *first, *last; /* waiting */
	unsigned running;
	char domain[];
};

struct job {
	struct job *next;
	struct attempt *a;
	struct destination *destination;
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
	char domain[ADDRESS_DOMAIN_MAX + 1];
	struct timer silence;
};

static struct destination *buckets[BUCKETS];
static struct destination *round_first, *round_last;
static struct worker_end *idle; /* the last used first */

static void assign(void);

/* -- destinations -- */

static struct destination **
bucket(const char *domain)
{
	return &buckets[envelope_hash(domain) % BUCKETS];
}

static struct destination *
destination_for(const char *domain)
{
	struct destination *d = *bucket(domain);
	size_t n = strlen(domain) + 1;

	while (d != NULL && strcmp(d->domain, domain) != 0)
		d = d->chain;
	if (d != NULL || (d = calloc(1, sizeof(*d) + n)) == NULL)
		return d;
	memcpy(d->domain, domain, n);
	d->chain = *bucket(domain);
	*bucket(domain) = d;
	return d;
}

/* Put into the round what may run, free what has nothing left. */
static void
settle(struct destination *d)
{
	struct destination **where = bucket(d->domain);

	if (d->in_round)
		return;
	if (d->first != NULL && d->running < REMOTE_JOBS) {
		d->in_round = true;
		d->turn = NULL;
		if (round_last != NULL)
			round_last->turn = d;
		else
			round_first = d;
		round_last = d;
	} else if (d->first == NULL && d->running == 0) {
		while (*where != d)
			where = &(*where)->chain;
		*where = d->chain;
		free(d);
	}
}

static struct job *
next_job(void)
{
	struct destination *d = round_first;
	struct job *job = d->first;

	round_first = d->turn;
	if (round_first == NULL)
		round_last = NULL;
	d->in_round = false;
	d->first = job->next;
	if (d->first == NULL)
		d->last = NULL;
	d->running++;
	settle(d);
	return job;
}

/* -- jobs -- */

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
	free(job);
	d->running--;
	settle(d);
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

static bool
send_job(struct worker_end *w, const struct job *job)
{
	static struct packet p;
	const struct attempt *a = job->a;
	int fd =
	    spool_content(&queue.spool, (enum spool_folder)a->m->folder, a->id);

	if (fd == -1)
		return false;
	packet_start(&p, "job");
	packet_text(&p, "id", a->id);
	packet_text(&p, "sender", a->e.sender);
	packet_text(&p, "domain", job->destination->domain);
	packet_number(&p, "start", a->e.start);
	packet_number(&p, "size", a->e.content);
	packet_number(&p, "wire", a->e.wire);
	packet_text(&p, "body", a->e.eight_bit ? "8bitmime" : "7bit");
	packet_number(&p, "utf8", a->e.utf8);
	packet_number(&p, "count", job->n);
	if (a->e.ret != DSN_RET_NONE)
		packet_text(&p, "ret", dsn_ret_name(a->e.ret));
	if (a->e.envid != NULL)
		packet_text(&p, "envid", a->e.envid);
	packet_attach(&p, fd);
	peer_send(&w->peer, &p);
	close(fd);
	for (size_t i = 0; i < job->n; i++) {
		size_t index = job->recipients[i].index;

		packet_start(&p, "recipient");
		packet_number(&p, "index", i);
		packet_text(&p, "address", a->e.recipients[index].address);
		add_asked(&p, &a->e, index);
		peer_send(&w->peer, &p);
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

/* One that has just served this domain, else the one that is warmest. */
static struct worker_end *
choose_worker(const char *domain)
{
	struct worker_end *w = idle;

	while (w != NULL && strcmp(w->domain, domain) != 0)
		w = w->next;
	if (w == NULL)
		w = idle;
	unset_idle(w);
	return w;
}

static void
assign(void)
{
	while (idle != NULL && round_first != NULL) {
		struct job *job = next_job();
		const char *domain = job->destination->domain;
		struct worker_end *w = choose_worker(domain);

		if (!send_job(w, job)) {
			int reason = errno;

			set_idle(w);
			job_end(job, strerror(reason));
			continue;
		}
		w->job = job;
		w->domain[0] = '\0';
		strncat(w->domain, domain, ADDRESS_DOMAIN_MAX);
		loop_timer(&w->silence, SILENCE_MS);
	}
}

static void
worker_lost(struct worker_end *w, const char *why)
{
	struct job *job = w->job;

	if (job != NULL)
		log_event(LEVEL_WARNING, "peer lost",
		    log_text("what", "deliver"), log_text("id", job->a->id),
		    log_text("relay", job->destination->domain),
		    log_text("reason", why));
	unset_idle(w);
	loop_timer_stop(&w->silence);
	peer_end(&w->peer);
	free(w);
	if (job != NULL)
		job_end(job, why);
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
	if (!packet_read(p, "ready", NULL, 0, 0) || w->ready || w->job != NULL)
		return false;
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

static bool
on_result(struct worker_end *w, struct packet *p)
{
	const char *status, *delays;
	struct result result = {0};
	uint64_t i, passed;
	size_t s = 0;
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
	};

	if (!packet_read(p, "result", set, sizeof(set) / sizeof(set[0]), 0) ||
	    w->job == NULL || i >= w->job->n ||
	    w->job->recipients[i].answered || is_local_relay(result.relay))
		return false;
	while (s < STATUSES && strcmp(statuses[s].name, status) != 0)
		s++;
	if (s == STATUSES)
		return false;
	result.state = statuses[s].state;
	result.dsn = check_dsn(result.dsn, result.state);
	result.delays = delays;
	result.relayed = result.state == RECIPIENT_DELIVERED && passed != 1;
	loop_timer(&w->silence, SILENCE_MS);
	answer(w->job, (size_t)i, &result);
	return true;
}

static bool
on_done(struct worker_end *w, struct packet *p)
{
	const char *id;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("id", PROTOCOL_ID_MAX, &id)};
	struct job *job = w->job;

	if (!packet_read(p, "done", set, 1, 0) || job == NULL)
		return false;
	w->job = NULL;
	loop_timer_stop(&w->silence);
	job_end(job, "deliver did not say what became of it");
	assign();
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

static void
enqueue(struct job *job)
{
	struct destination *d = job->destination;

	if (d->last != NULL)
		d->last->next = job;
	else
		d->first = job;
	d->last = job;
	settle(d);
}

static struct job *
job_new(
    struct attempt *a, struct destination *d, const size_t *indices, size_t n)
{
	struct job *job =
	    calloc(1, sizeof(*job) + n * sizeof(job->recipients[0]));

	if (job == NULL)
		return NULL;
	job->a = a;
	job->destination = d;
	job->n = n;
	for (size_t i = 0; i < n; i++)
		job->recipients[i].index = indices[i];
	return job;
}

static struct timer soon;

static void
assign_soon(struct timer *t)
{
	(void)t;
	assign();
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

void
remote_deliver(
    struct attempt *a, const char *domain, const size_t *indices, size_t n)
{
	size_t part;

	for (; n > 0; indices += part, n -= part) {
		struct destination *d = destination_for(domain);
		struct job *job = NULL;

		part = n < REMOTE_RECIPIENTS ? n : REMOTE_RECIPIENTS;
		if (d != NULL)
			job = job_new(a, d, indices, part);
		if (job != NULL)
			enqueue(job);
		else
			no_memory(a, indices, part);
	}
	soon.fire = assign_soon;
	if (soon.slot == 0)
		loop_timer(&soon, 0);
}
