/* SPDX-License-Identifier: ISC */
#include "smtpd/conduct.h"

#include <poll.h>

#include "smtpd/facts.h"
#include "smtpd/session.h"
#include "smtpd/tallies.h"

enum { ERRORS_FREE = 2 };

static bool
closes(struct session *s, struct policy_facts *facts)
{
	enum verdict verdict = policy_decide(POLICY_CONDUCT, facts);
	const struct verdict_row *row = verdict_row(verdict);

	if (verdict_is_success(verdict))
		return false;
	tallies_offence(s, row->name);
	session_close(s, row->smtp, row->enhanced, row->text);
	return true;
}

bool
conduct_talks_first(struct session *s)
{
	struct policy_facts facts = facts_of_conduct(s);
	struct span octets;

	stream_limit(&s->stream, 1000);
	facts.conduct.talked_first = stream_has_input(&s->stream) &&
	    stream_peek(&s->stream, &octets) == STREAM_OK;
	return closes(s, &facts);
}

bool
conduct_runs_ahead(struct session *s, bool alone, bool guarded)
{
	struct policy_facts facts;

	if (s->extended && !alone && !guarded)
		return false;
	facts = facts_of_conduct(s);
	facts.conduct.ahead = stream_has_input(&s->stream);
	facts.conduct.alone = alone;
	facts.conduct.guarded = guarded;
	return closes(s, &facts);
}

void
conduct_after_error(struct session *s)
{
	struct policy_facts facts = facts_of_conduct(s);
	struct pollfd stop = {.fd = s->stream.stop_fd, .events = POLLIN};

	if (!closes(s, &facts) && s->errors > ERRORS_FREE &&
	    policy_demands(&s->facts, TOLERATE_ERRORS))
		(void)poll(&stop, 1, (int)s->config->error_delay * 1000);
}
