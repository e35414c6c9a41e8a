/* SPDX-License-Identifier: ISC */
#include "ledger/fetching.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/config.h"
#include "common/log.h"
#include "common/protocol.h"
#include "ledger/ledger.h"
#include "ledger/sts.h"

enum {
	JOBS_MAX = 256,
	POLICY_OCTETS_MAX = 65536, /* RFC 8461 section 3.3 */
	PATIENCE_MS = 60000        /* fetch gives up before */
};

struct job {
	struct job *next;
	uint64_t serial;
	bool given; /* to a worker */
	char id[STS_ID_MAX + 1];
	char domain[STS_DOMAIN_MAX + 1];
};

struct fetcher { /* a worker of fetch */
	struct peer peer;
	struct fetcher *next;
	struct timer patience;
	bool ready;
	uint64_t serial; /* of its job; 0: none */
};

static struct job *jobs, **last_job = &jobs;
static size_t njobs;
static uint64_t last_serial;
static struct fetcher *fetchers;

static void (*on_done)(const char *domain);

void
fetching_begin(void (*done)(const char *domain))
{
	on_done = done;
}

size_t
fetching_count(void)
{
	return njobs;
}

static void
take_out(struct job *job)
{
	struct job **at = &jobs;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	if (job->next == NULL)
		last_job = at;
	njobs--;
}

static struct job *
job_of(uint64_t serial)
{
	struct job *job = jobs;

	while (job != NULL && job->serial != serial)
		job = job->next;
	return job;
}

static void
end_job(struct job *job, const struct sts_policy *policy, const char *reason)
{
	take_out(job);
	if (policy != NULL) {
		sts_fetched(job->domain, job->id, policy, clock_now());
		log_event(LEVEL_INFO, "policy fetched",
		    log_text("domain", job->domain),
		    log_text("policy", sts_mode_name(policy->mode)));
	} else {
		sts_failed(job->domain, job->id, reason, clock_now());
		log_event(LEVEL_INFO, "policy not fetched",
		    log_text("domain", job->domain),
		    log_text("reason", reason));
	}
	on_done(job->domain);
	free(job);
	ledger_changed();
}

static void
give(struct fetcher *f, struct job *job)
{
	static struct packet p;
	char url[STS_DOMAIN_MAX + 64];

	snprintf(url, sizeof(url), "https://mta-sts.%s/.well-known/mta-sts.txt",
	    job->domain);
	packet_start(&p, "get");
	packet_number(&p, "serial", job->serial);
	packet_text(&p, "kind", "sts");
	packet_text(&p, "url", url);
	packet_number(&p, "max", POLICY_OCTETS_MAX);
	f->ready = false;
	f->serial = job->serial;
	job->given = true;
	loop_timer(&f->patience, PATIENCE_MS);
	peer_send(&f->peer, &p);
}

static void
give_jobs(void)
{
	struct fetcher *f = fetchers;

	for (struct job *job = jobs; job != NULL; job = job->next) {
		if (job->given)
			continue;
		while (f != NULL && !f->ready)
			f = f->next;
		if (f == NULL)
			return;
		give(f, job);
	}
}

static bool
is_host_name(const char *domain)
{
	return strlen(domain) <= STS_DOMAIN_MAX - 8 &&
	    strchr(domain, '.') != NULL && config_is_domain(domain, false);
}

bool
fetching_ask(const char *domain, const char *id)
{
	struct job *job = jobs;

	while (job != NULL && strcmp(job->domain, domain) != 0)
		job = job->next;
	if (job != NULL)
		return true;
	if (njobs >= JOBS_MAX || !is_host_name(domain) ||
	    (job = calloc(1, sizeof(*job))) == NULL)
		return false;
	job->serial = ++last_serial;
	snprintf(job->domain, sizeof(job->domain), "%s", domain);
	snprintf(job->id, sizeof(job->id), "%s", id);
	*last_job = job;
	last_job = &job->next;
	njobs++;
	give_jobs();
	return true;
}

void
fetching_leave(const char *domain)
{
	struct job *job = jobs;

	while (job != NULL && strcmp(job->domain, domain) != 0)
		job = job->next;
	if (job == NULL || job->given)
		return;
	take_out(job);
	free(job);
}

/* -- what fetch says -- */

/* The patterns, a space between them; false where they are none of ours. */
static bool
collect_patterns(struct cursor *c, struct buf *mx)
{
	const char *name, *value;

	while (packet_next(c, &name, &value)) {
		const char *host =
		    strncmp(value, "*.", 2) == 0 ? value + 2 : value;

		if (strcmp(name, "mx") != 0 || !config_is_domain(host, false))
			return false;
		buf_addf(mx, "%s%s", mx->len > 0 ? " " : "", value);
	}
	return cursor_done(c) && buf_text(mx) != NULL;
}

/* serial= result=ok mode= max-age= [mx= ...] */
static bool
policy_arrived(struct job *job, struct cursor *c)
{
	struct buf mx = BUF_INIT(STS_MX_OCTETS_MAX);
	struct sts_policy policy = {.mode = STS_MODES};
	const char *name, *value;
	uint64_t age;
	bool good = false;

	if (packet_next(c, &name, &value) && strcmp(name, "mode") == 0)
		policy.mode = sts_mode_named(value);
	if (policy.mode != STS_MODES && packet_next(c, &name, &value) &&
	    strcmp(name, "max-age") == 0) {
		struct cursor digits = cursor_over(value, strlen(value));

		age = cursor_decimal(&digits);
		policy.max_age =
		    age < STS_AGE_MAX ? (uint32_t)age : STS_AGE_MAX;
		good = cursor_done(&digits) && collect_patterns(c, &mx);
	}
	if (good) {
		policy.mx = buf_text(&mx);
		end_job(job, &policy, NULL);
	}
	buf_free(&mx);
	return good;
}

static bool
result_arrived(struct fetcher *f, const struct packet *p)
{
	struct cursor c = packet_cursor(p);
	const char *name, *value, *reason;
	struct job *job;
	struct cursor digits;
	uint64_t serial;
	const struct attribute failure[] = {ATTRIBUTE_NUMBER("serial", &serial),
	    ATTRIBUTE_TEXT("result", PROTOCOL_NAME_MAX, &value),
	    ATTRIBUTE_TEXT("reason", PROTOCOL_TEXT_MAX, &reason)};

	job = f->serial != 0 ? job_of(f->serial) : NULL;
	if (job == NULL || p->nfds != 0)
		return false;
	loop_timer_stop(&f->patience);
	if (packet_read(p, "policy", failure, 3, 0)) {
		if (serial != f->serial || strcmp(value, "failed") != 0)
			return false;
		f->serial = 0;
		end_job(job, NULL, reason);
		return true;
	}
	if (!packet_next(&c, &name, &value) || strcmp(name, "serial") != 0)
		return false;
	digits = cursor_over(value, strlen(value));
	if (cursor_decimal(&digits) != f->serial || !cursor_done(&digits) ||
	    !packet_next(&c, &name, &value) || strcmp(name, "result") != 0 ||
	    strcmp(value, "ok") != 0 || !policy_arrived(job, &c))
		return false;
	f->serial = 0;
	return true;
}

static bool
fetcher_packet(struct peer *peer, struct packet *p)
{
	struct fetcher *f = container_of(peer, struct fetcher, peer);

	if (packet_is(p, "policy"))
		return result_arrived(f, p);
	if (!packet_read(p, "ready", NULL, 0, 0) || f->serial != 0)
		return false;
	f->ready = true;
	give_jobs();
	return true;
}

static void
fetcher_closed(struct peer *peer)
{
	struct fetcher *f = container_of(peer, struct fetcher, peer), **at;
	struct job *job = f->serial != 0 ? job_of(f->serial) : NULL;

	for (at = &fetchers; *at != f;)
		at = &(*at)->next;
	*at = f->next;
	loop_timer_stop(&f->patience);
	peer_end(peer);
	free(f);
	/* Not given to another: what ended this one might end that, too. */
	if (job != NULL)
		end_job(job, NULL, "fetch did not answer");
}

static void
out_of_patience(struct timer *t)
{
	fetcher_closed(&container_of(t, struct fetcher, patience)->peer);
}

void
fetching_worker(const char *role, int fd)
{
	struct fetcher *f = calloc(1, sizeof(*f));

	if (f == NULL) {
		close(fd);
		return;
	}
	f->peer = (struct peer){
	    .role = role, .packet = fetcher_packet, .closed = fetcher_closed};
	f->patience.fire = out_of_patience;
	if (peer_begin(&f->peer, fd) == -1) {
		free(f);
		return;
	}
	f->next = fetchers;
	fetchers = f;
}
