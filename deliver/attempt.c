/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "common/address.h"
#include "common/clock.h"
#include "common/dns_read.h"
#include "common/netaddr.h"
#include "deliver/session.h"

enum {
	CONNECTIONS_MAX = 10, /* tried for one job */
	SESSIONS_MAX = 3,     /* that came about, for one job */
	/* a job's time: so many smtp-timeouts, a slow line's for its content,
	 * and in the end always less than the queue's patience */
	BOUND_TIMEOUTS = 12,
	BOUND_MS_OCTET = 1,
	BOUND_MS_MAX = 100 * 60 * 1000
};

/* Nothing goes out that is not an address (A8), whoever sent it here. */
static void
check_addresses(struct job *job)
{
	unsigned flags = job->utf8 ? ADDRESS_UTF8 : 0;
	struct address address;
	struct outcome o;

	if (job->sender[0] != '\0' &&
	    address_parse(job->sender, flags, &address) != NULL) {
		outcome_verdict(&o, VERDICT_BAD_SENDER, NULL, NULL);
		job_result_all(job, &o);
	}
	outcome_verdict(&o, VERDICT_BAD_RECIPIENT, NULL, NULL);
	for (size_t i = 0; i < job->n; i++)
		if (address_parse(
			job->recipients[i].address, flags, &address) != NULL)
			job_result(job, &job->recipients[i], &o);
}

static void
forget_refusals(struct job *job)
{
	for (size_t i = 0; i < job->n; i++)
		job->recipients[i].refused = false;
}

static bool
same_target(const struct target *a, const struct target *b)
{
	return netaddr_equal(&a->address, &b->address) &&
	    netaddr_port(&a->address) == netaddr_port(&b->address);
}

/*
 * By the session of the message before.  That it had ended meanwhile says
 * nothing about the host.
 */
static void
reuse(struct session *s, struct job *job)
{
	if (s->deliver->config.relay_host == NULL &&
	    !dns_name_equal(s->domain, job->domain)) {
		session_quit(s);
		return;
	}
	session_deliver(s, job);
	if (!session_is_open(s))
		job->failure.status = OUTCOME_NONE;
	forget_refusals(job);
}

/* Again at the same host only where it ends sessions early (MAILMAX). */
static bool
use_target(struct session *s, const struct target *target, struct job *job)
{
	size_t before;
	bool answered = false;

	do {
		before = job->nopen;
		if (!session_open(s, target, job->id)) {
			job_host_failed(job, &s->failure);
			break;
		}
		answered = true;
		session_deliver(s, job);
	} while (!session_is_open(s) && s->failure.status == OUTCOME_NONE &&
	    job->nopen > 0 && job->nopen < before);
	forget_refusals(job);
	return answered;
}

static void
try_hosts(struct session *s, struct job *job, struct route *route)
{
	unsigned connections = 0, sessions = 0;
	const struct target *target;

	while (job->nopen > 0 && job_wanted(job) &&
	    connections < CONNECTIONS_MAX && sessions < SESSIONS_MAX &&
	    clock_left(s->bound) > 0 && (target = route_next(route)) != NULL) {
		if (session_is_open(s) && same_target(target, &s->target))
			continue;
		session_quit(s);
		connections++;
		sessions += use_target(s, target, job);
	}
}

static int64_t
time_bound(const struct config *config, const struct job *job)
{
	int64_t ms = (int64_t)config->smtp_timeout * 1000 * BOUND_TIMEOUTS;

	if (ms >= BOUND_MS_MAX || job->wire >= BOUND_MS_MAX)
		return job->began + BOUND_MS_MAX;
	ms += (int64_t)job->wire * BOUND_MS_OCTET;
	return job->began + (ms < BOUND_MS_MAX ? ms : BOUND_MS_MAX);
}

void
attempt_run(struct deliver *d, struct session *s, struct job *job)
{
	static struct route route;

	s->bound = time_bound(&d->config, job);
	check_addresses(job);
	if (job->nopen > 0 && session_is_open(s))
		reuse(s, job);
	if (job->nopen > 0 && route_find(&route, d, job->domain, &job->failure))
		try_hosts(s, job, &route);
	job_give_up(job);
	memcpy(s->domain, job->domain, sizeof(s->domain));
}
