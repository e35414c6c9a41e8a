/* SPDX-License-Identifier: ISC */
#include "queue/job.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/verdict.h"
#include "queue/dispatch.h"

static struct destination *round_first, *round_last; /* with jobs prepared */

struct job *
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

void
job_take_turn(struct destination *d)
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

void
job_enqueue(struct job *job)
{
	struct destination *d = job->destination;

	if (d->last_job != NULL)
		d->last_job->next = job;
	else
		d->first_job = job;
	d->last_job = job;
	job_take_turn(d);
}

struct job *
job_dequeue(struct destination *d)
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
void
job_left(struct destination *d, enum stage from)
{
	destination_move(d, from, STAGE_NONE);
	destination_stir(d, clock_monotonic_ms());
	/* It, or whoever waits for a place. */
	dispatch_serve();
	destination_settle(d);
}

void
job_answer(struct job *job, size_t i, const struct result *result)
{
	job->recipients[i].answered = true;
	attempt_result(job->a, job->recipients[i].index, result);
}

/*
 * The job is over.  Recipients that nothing was said about may have the
 * message or not: the same again, soon.
 */
void
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
			job_answer(job, i, &result);
	job_free(job);
	job_left(d, STAGE_RUNNING);
}

void
job_withdraw(struct destination *d, struct job *job)
{
	destination_move(d, STAGE_PREPARED, STAGE_NONE);
	for (size_t i = 0; i < job->n; i++)
		attempt_withdrawn(job->a, job->recipients[i].index);
	job_free(job);
}

/* What is prepared for a destination that rests is not to be tried. */
void
job_withdraw_all(struct destination *d)
{
	struct job *job;

	/* Kept while it goes on: the last one's end must not free it. */
	destination_move(d, STAGE_NONE, STAGE_TICKET);
	while ((job = job_dequeue(d)) != NULL)
		job_withdraw(d, job);
	job_left(d, STAGE_TICKET);
}

/* -- turns -- */

/*
 * The next of the round that may run, out of it; NULL: none, and *opens says
 * when one may by time alone.
 */
struct destination *
job_next_turn(bool (*may_run)(const struct destination *, int64_t now),
    int64_t now, int64_t *opens)
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
