/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "common/address.h"
#include "common/clock.h"
#include "common/dns_read.h"
#include "common/log.h"
#include "common/netaddr.h"
#include "deliver/session.h"

enum {
	CONNECTIONS_MAX = 10, /* tried for one job, a host that is refused
			       * before counting as one */
	SESSIONS_MAX = 3,     /* that came about, for one job */
	/* a job's time: so many smtp-timeouts, a slow line's for its content,
	 * and in the end always less than the queue's patience */
	BOUND_TIMEOUTS = 12,
	BOUND_MS_OCTET = 1,
	BOUND_MS_MAX = 100 * 60 * 1000,
	POLICY_MS = 5 * 60 * 1000 /* a session's policy may be stricter now */
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

/* The session of the message before leads there, whatever the DNS says now. */
static bool
is_for(const struct session *s, const struct job *job)
{
	return s->deliver->config.relay_host != NULL ||
	    dns_name_equal(s->domain, job->domain);
}

/* Another domain's, which has this host, too, and demands the same of it. */
static bool
may_join(const struct session *s, const struct job *job,
    const struct target *target, const struct demand *demand)
{
	struct demand_mark mark;

	demand_mark(demand, &mark);
	return session_is_open(s) && !is_for(s, job) &&
	    target_is_same(target, &s->target) &&
	    dns_name_equal(target->host, s->target.host) &&
	    demand_mark_equal(&mark, &s->mark);
}

/*
 * By the session of the message before.  That it had ended meanwhile says
 * nothing about the host.
 */
static void
reuse(struct session *s, struct job *job)
{
	session_deliver(s, job);
	if (!session_is_open(s))
		job->failure.status = OUTCOME_NONE;
	forget_refusals(job);
}

static void
join(struct session *s, struct job *job)
{
	memcpy(s->domain, job->domain, sizeof(s->domain));
	reuse(s, job);
}

/* Again at the same host only where it ends sessions early (MAILMAX). */
static bool
use_target(struct session *s, const struct target *target,
    struct demand *demand, struct job *job)
{
	size_t before;
	bool answered = false;

	do {
		before = job->nopen;
		if (!session_open(s, target, demand, job->id)) {
			job_host_failed(job, &s->failure);
			break;
		}
		memcpy(s->domain, job->domain, sizeof(s->domain));
		answered = true;
		session_deliver(s, job);
	} while (!session_is_open(s) && s->failure.status == OUTCOME_NONE &&
	    job->nopen > 0 && job->nopen < before);
	forget_refusals(job);
	return answered;
}

/* The policy says no before there is a connection. */
static void
refuse(struct deliver *d, const struct target *target,
    const struct demand *demand, struct job *job)
{
	struct ledger_outcome told = {.host = demand->host,
	    .domain = demand->domain,
	    .policy = demand->policy.source,
	    .failed = true,
	    .reason = demand->policy.reason};
	struct outcome o;

	outcome_set(
	    &o, DEFERRED, "4.7.5", target->relay, demand->policy.reason);
	log_event(LEVEL_INFO, "host skipped", log_text("id", job->id),
	    log_text("relay", target->relay), log_text("dsn", o.dsn),
	    log_text("reason", o.text));
	job_host_failed(job, &o);
	if (demand->domain != NULL)
		ledger_remember(&d->ledger, &told);
}

/*
 * True when the host came to a conversation.  A policy is about a host, not
 * its addresses: where there are ten of them, one refusal is enough.
 */
static bool
try_target(struct session *s, struct job *job, struct route *route,
    const struct target *target, struct sts *sts)
{
	static struct demand demand;
	bool answered = false;

	demand_find(&demand, route, target, sts);
	if (may_join(s, job, target, &demand))
		join(s, job);
	else
		session_quit(s);
	if (job->nopen == 0 || session_is_open(s)) {
		answered = true;
	} else if (demand.policy.level == POLICY_REFUSE) {
		refuse(s->deliver, target, &demand, job);
		route_leave_out(route, target);
	} else {
		answered = use_target(s, target, &demand, job);
	}
	demand_free(&demand);
	return answered;
}

static void
try_hosts(struct session *s, struct job *job, struct route *route)
{
	static struct sts sts;
	unsigned connections = 0, sessions = 0;
	const struct target *target;

	sts.known = false;
	if (session_is_open(s))
		route_prefer(route, &s->target);
	while (job->nopen > 0 && !s->stopped && job_wanted(job) &&
	    connections < CONNECTIONS_MAX && sessions < SESSIONS_MAX &&
	    clock_left(s->bound) > 0 && (target = route_next(route)) != NULL) {
		if (session_is_open(s) && is_for(s, job) &&
		    target_is_same(target, &s->target))
			continue;
		connections++;
		sessions += try_target(s, job, route, target, &sts);
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
	s->stopped = false;
	check_addresses(job);
	if (session_is_used_up(s) ||
	    clock_monotonic_ms() - s->decided > POLICY_MS)
		session_quit(s);
	if (job->nopen > 0 && session_is_open(s) && is_for(s, job))
		reuse(s, job);
	if (job->nopen > 0 && !s->stopped &&
	    route_find(&route, d, job->domain, &job->failure)) {
		route_best(&route, job->mx);
		try_hosts(s, job, &route);
	}
	if (!s->stopped)
		job_give_up(job);
}
