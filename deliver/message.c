/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "deliver/session.h"

enum {
	/* what every server must take (RFC 5321 section 4.5.3.1.8) */
	TRANSACTION_RECIPIENTS = 100
};

/* What this server cannot take for good, before anything is sent. */
static bool
suits(struct session *s, struct job *job)
{
	const struct caps *caps = &s->caps;
	struct outcome o;
	char text[128];

	if (job->utf8 && !caps->utf8) {
		outcome_verdict(&o, VERDICT_NEEDS_UTF8, s->target.relay, NULL);
		job_result_all(job, &o);
		return false;
	}
	if (caps->size_limit > 0 && job->wire > caps->size_limit) {
		snprintf(text, sizeof(text),
		    "message of %" PRIu64 " octets is over the server's "
		    "limit of %" PRIu64,
		    job->wire, caps->size_limit);
		outcome_verdict(&o, VERDICT_TOO_BIG, s->target.relay, text);
		job_result_all(job, &o);
		return false;
	}
	return true;
}

static size_t
choose(const struct session *s, struct job *job, struct recipient **who)
{
	uint64_t limit = s->caps.recipients_limit;
	size_t most = TRANSACTION_RECIPIENTS, n = 0;

	if (limit > 0 && limit < most)
		most = (size_t)limit;
	for (size_t i = 0; i < job->n && n < most; i++)
		if (job->recipients[i].open && !job->recipients[i].refused)
			who[n++] = &job->recipients[i];
	return n;
}

static bool
reset(struct session *s)
{
	if (!s->dirty)
		return true;
	stream_puts(&s->stream, "RSET\r\n");
	if (!session_reply(s, STATE_RSET))
		return false;
	if (reply_class(&s->reply) != 2) {
		session_fail(s, "4.5.0", "RSET refused");
		return false;
	}
	s->dirty = false;
	return true;
}

bool
session_is_used_up(const struct session *s)
{
	return s->caps.transactions_limit > 0 &&
	    s->transactions >= s->caps.transactions_limit;
}

void
session_deliver(struct session *s, struct job *job)
{
	struct recipient *who[TRANSACTION_RECIPIENTS];
	size_t n;

	s->id = job->id;
	if (!suits(s, job))
		return;
	while (session_is_open(s) && job_wanted(job) &&
	    (n = choose(s, job, who)) > 0) {
		if (session_is_used_up(s)) {
			session_quit(s);
			return;
		}
		if (!session_in_step(s) || !reset(s)) {
			job_host_failed(job, &s->failure);
			return;
		}
		transaction_run(s, job, who, n);
	}
	if (session_is_open(s))
		s->state = STATE_READY;
}
