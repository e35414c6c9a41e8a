/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* POLLRDHUP */
#include "deliver/job.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"

enum { QUEUE_PATIENCE_MS = 30000, PREFIX_CHUNK = 4096 };

/* -- outcomes -- */

void
outcome_set(struct outcome *o, enum outcome_status status, const char *dsn,
    const char *relay, const char *text)
{
	o->status = status;
	o->scope = SCOPE_MESSAGE;
	snprintf(o->dsn, sizeof(o->dsn), "%s", dsn);
	snprintf(
	    o->relay, sizeof(o->relay), "%s", relay != NULL ? relay : "none");
	snprintf(o->text, sizeof(o->text), "%s", text);
}

void
outcome_verdict(struct outcome *o, enum verdict verdict, const char *relay,
    const char *text)
{
	const struct verdict_row *row = verdict_row(verdict);

	outcome_set(o, verdict_is_temporary(verdict) ? DEFERRED : FAILED,
	    row->enhanced, relay, text != NULL ? text : row->text);
}

void
outcome_reply(struct outcome *o, const struct reply *r, const char *relay)
{
	static const enum outcome_status by_class[] = {
	    [2] = DELIVERED, [4] = DEFERRED, [5] = FAILED};
	int class = reply_class(r);

	outcome_set(o, DEFERRED, "4.5.0", relay, "");
	reply_show(r, o->text, sizeof(o->text));
	if (class == 2 || class == 4 || class == 5) {
		o->status = by_class[class];
		reply_status(r, o->dsn);
	}
}

/* -- from the queue -- */

static uint64_t
wire_octets(const char *text)
{
	uint64_t n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n' ? 2 : 1;
	return n;
}

/*
 * What leaves begins behind the local headers; they are LF in the file, and
 * wire counts them with CR.
 */
static bool
measure(struct job *j, uint64_t wire)
{
	char chunk[PREFIX_CHUNK];
	uint64_t at = 0, prefix = j->start;

	while (at < j->start) {
		size_t want = j->start - at < sizeof(chunk)
		    ? (size_t)(j->start - at)
		    : sizeof(chunk);
		ssize_t n = pread(j->content, chunk, want, (off_t)at);

		if (n <= 0)
			return false;
		for (ssize_t i = 0; i < n; i++)
			prefix += chunk[i] == '\n';
		at += (uint64_t)n;
	}
	j->wire = wire > prefix ? wire - prefix : 0;
	for (size_t i = 0; i < j->nsignatures; i++)
		j->wire += wire_octets(j->signatures[i]) + 2;
	return true;
}

static bool
copy(char *to, size_t size, const char *from)
{
	return snprintf(to, size, "%s", from) < (int)size;
}

static bool
take_signatures(struct job *j, const char *const fields[SIGNATURES_MAX])
{
	for (size_t i = 0; i < SIGNATURES_MAX && fields[i] != NULL; i++) {
		if (!signature_is_field(fields[i]))
			return false;
		copy(j->signatures[j->nsignatures++], SIGNATURE_MAX + 1,
		    fields[i]);
	}
	return true;
}

static bool
read_head(struct job *j, struct packet *p, uint64_t *count, uint64_t *wire)
{
	const char *id, *sender, *domain, *body, *ret, *envid;
	const char *dkim[SIGNATURES_MAX];
	uint64_t utf8;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("id", PROTOCOL_ID_MAX, &id),
	    ATTRIBUTE_TEXT("sender", PROTOCOL_ADDRESS_MAX, &sender),
	    ATTRIBUTE_TEXT("domain", PROTOCOL_ADDRESS_MAX, &domain),
	    ATTRIBUTE_NUMBER("start", &j->start),
	    ATTRIBUTE_NUMBER("size", &j->size),
	    ATTRIBUTE_NUMBER("wire", wire),
	    ATTRIBUTE_TEXT("body", PROTOCOL_NAME_MAX, &body),
	    ATTRIBUTE_NUMBER("utf8", &utf8),
	    ATTRIBUTE_NUMBER("count", count),
	    ATTRIBUTE_TEXT_OPTIONAL("ret", PROTOCOL_NAME_MAX, &ret),
	    ATTRIBUTE_TEXT_OPTIONAL("envid", DSN_ENVID_MAX, &envid),
	    ATTRIBUTE_TEXT_OPTIONAL("dkim", SIGNATURE_MAX, &dkim[0]),
	    ATTRIBUTE_TEXT_OPTIONAL("dkim", SIGNATURE_MAX, &dkim[1]),
	};

	if (!packet_read(p, "job", set, sizeof(set) / sizeof(set[0]), p->nfds))
		return false;
	j->eight_bit = strcmp(body, "8bitmime") == 0;
	j->utf8 = utf8 == 1;
	return copy(j->id, sizeof(j->id), id) &&
	    copy(j->sender, sizeof(j->sender), sender) &&
	    copy(j->domain, sizeof(j->domain), domain) &&
	    copy(j->envid, sizeof(j->envid), envid != NULL ? envid : "") &&
	    (envid == NULL || dsn_is_envid(envid)) &&
	    (ret == NULL || dsn_read_ret(ret, &j->ret)) &&
	    take_signatures(j, dkim) &&
	    (j->eight_bit || strcmp(body, "7bit") == 0) && utf8 <= 1 &&
	    *count > 0 && *count <= JOB_RECIPIENTS_MAX && j->start <= j->size &&
	    j->size <= INT64_MAX;
}

static bool
read_recipient(struct job *j, struct packet *p)
{
	struct recipient *r = &j->recipients[j->n];
	const char *address, *notify, *orcpt;
	const struct attribute set[] = {
	    ATTRIBUTE_NUMBER("index", &r->index),
	    ATTRIBUTE_TEXT("address", PROTOCOL_ADDRESS_MAX, &address),
	    ATTRIBUTE_TEXT_OPTIONAL("notify", PROTOCOL_NAME_MAX, &notify),
	    ATTRIBUTE_TEXT_OPTIONAL("orcpt", DSN_ORCPT_MAX, &orcpt),
	};

	if (!packet_read(p, "recipient", set, 4, p->nfds) ||
	    (notify != NULL && !dsn_read_notify(notify, &r->asked.notify)) ||
	    (orcpt != NULL && !dsn_is_orcpt(orcpt)))
		return false;
	r->address = strdup(address);
	if (r->address == NULL)
		return false;
	if (orcpt != NULL && (r->asked.orcpt = strdup(orcpt)) == NULL) {
		free(r->address);
		return false;
	}
	r->open = true;
	j->n++;
	j->nopen++;
	return true;
}

/* The next of what comes; it waits for more when that is used up. */
static bool
next_packet(struct job *j, struct packet *together, size_t *at,
    struct packet *one, int64_t deadline)
{
	while (!packet_split(together, at, one)) {
		packet_close(together);
		if (ipc_receive(j->queue, together, deadline) != IPC_OK)
			return false;
		*at = 0;
	}
	if (one->nfds == 1 && j->content == -1)
		j->content = packet_detach(one, 0);
	return true;
}

bool
job_receive(struct job *j, int queue, struct packet *together)
{
	static struct packet one;
	uint64_t count, wire;
	size_t at = 0;
	int64_t deadline = clock_monotonic_ms() + QUEUE_PATIENCE_MS;
	bool ok;

	*j = (struct job){
	    .queue = queue, .content = -1, .began = clock_monotonic_ms()};
	ok = next_packet(j, together, &at, &one, deadline) &&
	    read_head(j, &one, &count, &wire) &&
	    (j->recipients = calloc(count, sizeof(*j->recipients))) != NULL;
	packet_close(&one);
	while (ok && j->n < count) {
		ok = next_packet(j, together, &at, &one, deadline) &&
		    read_recipient(j, &one);
		packet_close(&one);
	}
	return ok && at == together->len && j->content >= 0 && measure(j, wire);
}

void
job_free(struct job *j)
{
	for (size_t i = 0; i < j->n; i++) {
		free(j->recipients[i].address);
		free((char *)j->recipients[i].asked.orcpt);
		free(j->recipients[i].failure);
	}
	free(j->recipients);
	j->recipients = NULL;
	j->n = 0;
	if (j->content >= 0)
		close(j->content);
	j->content = -1;
}

/* -- to the queue -- */

static void
flush(struct job *j)
{
	if (!j->lost && j->said.len > 0 &&
	    ipc_send(j->queue, &j->said,
		clock_monotonic_ms() + QUEUE_PATIENCE_MS) != IPC_OK)
		j->lost = true;
	j->said.len = 0;
}

/* One more, with what is said already. */
static void
also(struct job *j, const char *verb)
{
	if (j->said.len > 0 && packet_is_full(&j->said))
		flush(j);
	if (j->said.len == 0)
		packet_start(&j->said, verb);
	else
		packet_also(&j->said, verb);
}

bool
job_wanted(struct job *j)
{
	struct pollfd poller = {.fd = j->queue, .events = POLLRDHUP};

	flush(j);
	if (poll(&poller, 1, 0) > 0)
		j->lost = true;
	return !j->lost;
}

/* Until the transaction began, and from then on, in seconds. */
static void
add_delays(const struct job *j, struct packet *p)
{
	int64_t now = clock_monotonic_ms();
	int64_t middle = j->transferring > 0 ? j->transferring : now;
	int64_t setup = middle - j->began, transfer = now - middle;
	char text[64];

	snprintf(text, sizeof(text),
	    "%" PRId64 ".%03" PRId64 "/%" PRId64 ".%03" PRId64, setup / 1000,
	    setup % 1000, transfer / 1000, transfer % 1000);
	packet_text(p, "delay", text);
}

void
job_result(struct job *j, struct recipient *r, const struct outcome *o)
{
	static const char *const names[] = {[OUTCOME_NONE] = "deferred",
	    [DELIVERED] = "delivered",
	    [DEFERRED] = "deferred",
	    [FAILED] = "failed"};
	static const char *const scopes[] = {[SCOPE_HOST] = "host",
	    [SCOPE_SESSION] = "session",
	    [SCOPE_MESSAGE] = "message",
	    [SCOPE_RECIPIENT] = "recipient"};
	struct packet *p = &j->said;

	if (!r->open)
		return;
	r->open = false;
	j->nopen--;
	also(j, "result");
	packet_number(p, "index", r->index);
	packet_text(p, "status", names[o->status]);
	packet_text(p, "dsn", o->dsn);
	packet_text(p, "relay", o->relay);
	packet_text(p, "text", o->text);
	add_delays(j, p);
	if (o->status == DELIVERED && j->tls != NULL) {
		packet_text(p, "tls", j->tls);
		packet_text(p, "verified", j->verified);
	}
	if (o->status == DELIVERED && j->dsn_passed)
		packet_number(p, "dsn-passed", 1);
	if (o->status == DEFERRED)
		packet_text(p, "scope", scopes[o->scope]);
	if (j->mx[0] != '\0')
		packet_text(p, "mx", j->mx);
}

void
job_result_all(struct job *j, const struct outcome *o)
{
	for (size_t i = 0; i < j->n; i++)
		job_result(j, &j->recipients[i], o);
}

void
job_host_failed(struct job *j, const struct outcome *o)
{
	if (o->status == DEFERRED || j->failure.status != DEFERRED)
		j->failure = *o;
}

void
job_give_up(struct job *j)
{
	if (j->failure.status == OUTCOME_NONE) {
		outcome_verdict(&j->failure, VERDICT_NO_CONNECTION, NULL, NULL);
		j->failure.scope = SCOPE_HOST;
	}
	for (size_t i = 0; i < j->n; i++) {
		struct recipient *r = &j->recipients[i];

		job_result(j, r, r->failure != NULL ? r->failure : &j->failure);
	}
}

void
job_done(struct job *j, bool ready, const char *reason)
{
	also(j, "done");
	packet_text(&j->said, "id", j->id);
	if (reason != NULL)
		packet_text(&j->said, "reason", reason);
	if (ready)
		also(j, "ready");
	flush(j);
}
