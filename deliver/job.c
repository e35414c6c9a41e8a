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
	return true;
}

static bool
copy(char *to, size_t size, const char *from)
{
	return snprintf(to, size, "%s", from) < (int)size;
}

static bool
read_head(struct job *j, struct packet *p, uint64_t *count)
{
	const char *id, *sender, *domain, *body, *ret, *envid;
	uint64_t wire, utf8;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("id", PROTOCOL_ID_MAX, &id),
	    ATTRIBUTE_TEXT("sender", PROTOCOL_ADDRESS_MAX, &sender),
	    ATTRIBUTE_TEXT("domain", PROTOCOL_ADDRESS_MAX, &domain),
	    ATTRIBUTE_NUMBER("start", &j->start),
	    ATTRIBUTE_NUMBER("size", &j->size),
	    ATTRIBUTE_NUMBER("wire", &wire),
	    ATTRIBUTE_TEXT("body", PROTOCOL_NAME_MAX, &body),
	    ATTRIBUTE_NUMBER("utf8", &utf8),
	    ATTRIBUTE_NUMBER("count", count),
	    ATTRIBUTE_TEXT_OPTIONAL("ret", PROTOCOL_NAME_MAX, &ret),
	    ATTRIBUTE_TEXT_OPTIONAL("envid", DSN_ENVID_MAX, &envid),
	};

	if (!packet_read(p, "job", set, sizeof(set) / sizeof(set[0]), 1))
		return false;
	j->content = packet_detach(p, 0);
	j->eight_bit = strcmp(body, "8bitmime") == 0;
	j->utf8 = utf8 == 1;
	return copy(j->id, sizeof(j->id), id) &&
	    copy(j->sender, sizeof(j->sender), sender) &&
	    copy(j->domain, sizeof(j->domain), domain) &&
	    copy(j->envid, sizeof(j->envid), envid != NULL ? envid : "") &&
	    (envid == NULL || dsn_is_envid(envid)) &&
	    (ret == NULL || dsn_read_ret(ret, &j->ret)) &&
	    (j->eight_bit || strcmp(body, "7bit") == 0) && utf8 <= 1 &&
	    *count > 0 && *count <= JOB_RECIPIENTS_MAX && j->start <= j->size &&
	    j->size <= INT64_MAX && measure(j, wire);
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

	if (!packet_read(p, "recipient", set, 4, 0) ||
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

bool
job_receive(struct job *j, int queue, struct packet *p)
{
	uint64_t count;
	int64_t deadline = clock_monotonic_ms() + QUEUE_PATIENCE_MS;

	*j = (struct job){
	    .queue = queue, .content = -1, .began = clock_monotonic_ms()};
	if (!read_head(j, p, &count))
		return false;
	j->recipients = calloc(count, sizeof(*j->recipients));
	if (j->recipients == NULL)
		return false;
	while (j->n < count) {
		bool ok = ipc_receive(queue, p, deadline) == IPC_OK &&
		    read_recipient(j, p);

		packet_close(p);
		if (!ok)
			return false;
	}
	return true;
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

bool
job_wanted(struct job *j)
{
	struct pollfd poller = {.fd = j->queue, .events = POLLRDHUP};

	if (poll(&poller, 1, 0) > 0)
		j->lost = true;
	return !j->lost;
}

static void
say(struct job *j, struct packet *p)
{
	if (j->lost)
		return;
	if (ipc_send(j->queue, p, clock_monotonic_ms() + QUEUE_PATIENCE_MS) !=
	    IPC_OK)
		j->lost = true;
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
	static struct packet p;

	if (!r->open)
		return;
	r->open = false;
	j->nopen--;
	packet_start(&p, "result");
	packet_number(&p, "index", r->index);
	packet_text(&p, "status", names[o->status]);
	packet_text(&p, "dsn", o->dsn);
	packet_text(&p, "relay", o->relay);
	packet_text(&p, "text", o->text);
	add_delays(j, &p);
	if (o->status == DELIVERED && j->tls != NULL) {
		packet_text(&p, "tls", j->tls);
		packet_text(&p, "verified", j->verified);
	}
	if (o->status == DELIVERED && j->dsn_passed)
		packet_number(&p, "dsn-passed", 1);
	say(j, &p);
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
	if (j->failure.status == OUTCOME_NONE)
		outcome_verdict(&j->failure, VERDICT_NO_CONNECTION, NULL, NULL);
	for (size_t i = 0; i < j->n; i++) {
		struct recipient *r = &j->recipients[i];

		job_result(j, r, r->failure != NULL ? r->failure : &j->failure);
	}
}

void
job_done(struct job *j)
{
	static struct packet p;

	packet_start(&p, "done");
	packet_text(&p, "id", j->id);
	say(j, &p);
}
