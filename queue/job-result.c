/* SPDX-License-Identifier: ISC */
#include "queue/job.h"

#include <string.h>

#include "common/address.h"
#include "common/clock.h"
#include "common/protocol.h"
#include "queue/dispatch.h"
#include "queue/rate.h"

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
		job_withdraw_all(d);
	dispatch_serve();
}

/* What was prepared for the domain alone is the provider's to decide on. */
static void
learn(struct job *job, const char *mx)
{
	struct destination *d = job->destination;

	dispatch_learn(job->domain, mx);
	if (d->domains == 0)
		job_withdraw_all(d);
}

bool
job_result(struct job *job, const struct packet *p)
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
	    i >= job->n || job->recipients[i].answered ||
	    is_local_relay(result.relay))
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
	if (mx != NULL)
		learn(job, mx);
	hear(job, about, &result);
	job_answer(job, (size_t)i, &result);
	return true;
}
