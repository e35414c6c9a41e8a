/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* sync_file_range, syncfs */
#include "common/submit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/ipc.h"
#include "common/log.h"

/* A queue that breaks the protocol is left, as one that is gone. */
static enum verdict
lose(struct submission *s, const char *why)
{
	log_event(LEVEL_WARNING, "peer lost", log_text("what", "queue"),
	    log_text("id", s->id[0] != '\0' ? s->id : NULL),
	    log_text("reason", why));
	s->lost = true;
	return VERDICT_INTERNAL;
}

static enum verdict
result_verdict(struct submission *s, enum ipc_result result)
{
	switch (result) {
	case IPC_CLOSED:
		return lose(s, "queue closed the connection");
	case IPC_TIMEOUT:
		return lose(s, "queue does not answer");
	default:
		return lose(s, strerror(errno));
	}
}

static enum verdict
read_refusal(struct submission *s, const struct packet *p)
{
	const char *name, *address;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("verdict", PROTOCOL_NAME_MAX, &name),
	    ATTRIBUTE_TEXT_OPTIONAL("address", PROTOCOL_ADDRESS_MAX, &address),
	};
	enum verdict verdict;

	if (!packet_read(p, "refused", set, 2, 0))
		return lose(s, "malformed answer from queue");
	if (address != NULL)
		memcpy(s->refused, address, strlen(address) + 1);
	verdict = verdict_named(name);
	return verdict_is_success(verdict) ? VERDICT_INTERNAL : verdict;
}

static bool
send_verb(struct submission *s, const char *verb)
{
	struct packet p;

	packet_start(&p, verb);
	return !s->lost && ipc_send(s->queue, &p, 0) == IPC_OK;
}

static void
close_writer(struct submission *s)
{
	if (s->writer >= 0)
		close(s->writer);
	s->writer = -1;
}

static void
close_both(struct submission *s)
{
	close_writer(s);
	if (s->reader >= 0)
		close(s->reader);
	s->reader = -1;
}

static enum verdict
read_opened(struct submission *s, struct packet *p)
{
	const char *id;
	uint64_t seconds;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("id", PROTOCOL_ID_MAX, &id),
	    ATTRIBUTE_NUMBER("time", &seconds),
	};

	if (!packet_read(p, "opened", set, 2, 2) || *id == '\0')
		return lose(s, "malformed answer from queue");
	memcpy(s->id, id, strlen(id) + 1);
	s->time = (time_t)seconds;
	s->writer = packet_detach(p, 0);
	s->reader = packet_detach(p, 1);
	return VERDICT_OK;
}

enum verdict
submit_room(struct submission *s, uint64_t size, int64_t deadline_ms)
{
	struct packet p;
	const char *name;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("verdict", PROTOCOL_NAME_MAX, &name)};
	enum ipc_result result;
	enum verdict verdict;

	packet_start(&p, "room");
	packet_number(&p, "size", size);
	result = ipc_call(s->queue, &p, deadline_ms);
	if (result != IPC_OK)
		return result_verdict(s, result);
	if (packet_read(&p, "room", set, 1, 0))
		verdict = verdict_named(name);
	else
		verdict = lose(s, "malformed answer from queue");
	packet_close(&p);
	return verdict;
}

enum verdict
submit_open(
    struct submission *s, int client_fd, uint64_t size, int64_t deadline_ms)
{
	struct packet p;
	enum ipc_result result;
	enum verdict verdict;

	s->writer = s->reader = -1;
	s->id[0] = s->refused[0] = '\0';
	packet_start(&p, "open");
	if (client_fd >= 0) {
		packet_number(&p, "client-fd", 1);
		packet_attach(&p, client_fd);
	}
	if (size > 0)
		packet_number(&p, "size", size);
	result = ipc_call(s->queue, &p, deadline_ms);
	if (result != IPC_OK)
		return result_verdict(s, result);
	if (packet_is(&p, "refused"))
		verdict = read_refusal(s, &p);
	else
		verdict = read_opened(s, &p);
	packet_close(&p);
	return verdict;
}

static void
add_asked(struct packet *p, const struct dsn_recipient *asked)
{
	char notify[DSN_NOTIFY_SIZE];

	dsn_write_notify(asked->notify, notify);
	if (asked->notify != 0)
		packet_text(p, "notify", notify);
	if (asked->orcpt != NULL)
		packet_text(p, "orcpt", asked->orcpt);
}

/* Begin another, behind those before it while there is room. */
static enum ipc_result
write_behind(struct submission *s, struct packet *p, const char *verb,
    int64_t deadline_ms)
{
	enum ipc_result result;

	if (!packet_is_full(p)) {
		packet_also(p, verb);
		return IPC_OK;
	}
	result = ipc_send(s->queue, p, deadline_ms);
	packet_start(p, verb);
	return result;
}

static void
write_commit(struct packet *p, const char *id, const struct submit_envelope *e)
{
	packet_start(p, "commit");
	packet_text(p, "id", id);
	packet_text(p, "sender", e->sender);
	packet_number(p, "start", e->start);
	packet_number(p, "wire", e->wire);
	packet_text(p, "body", e->eight_bit ? "8bitmime" : "7bit");
	packet_number(p, "utf8", e->utf8);
	packet_text(p, "client", e->client);
	packet_text(p, "helo", e->helo);
	packet_text(p, "protocol", e->protocol);
	if (e->ret != DSN_RET_NONE)
		packet_text(p, "ret", dsn_ret_name(e->ret));
	if (e->envid != NULL)
		packet_text(p, "envid", e->envid);
}

/* All in one packet where it fits. */
static enum ipc_result
send_envelope(struct submission *s, const struct submit_envelope *e,
    struct packet *p, int64_t deadline_ms)
{
	enum ipc_result result = IPC_OK;

	write_commit(p, s->id, e);
	for (size_t i = 0; i < e->nrecipients && result == IPC_OK; i++) {
		result = write_behind(s, p, "recipient", deadline_ms);
		packet_text(p, "address", e->recipients[i]);
		if (e->asked != NULL)
			add_asked(p, &e->asked[i]);
	}
	if (result == IPC_OK)
		result = write_behind(s, p, "end", deadline_ms);
	if (result != IPC_OK)
		return result;
	packet_number(p, "count", e->nrecipients);
	return ipc_call(s->queue, p, deadline_ms);
}

enum verdict
submit_storage_failed(void)
{
	return errno == ENOSPC || errno == EDQUOT ? VERDICT_DISK_FULL
						  : VERDICT_INTERNAL;
}

/*
 * Write-out of both begins before either is waited for, so that one journal
 * commit carries both: the content's before queue is asked, so that the disk
 * has something to do meanwhile.  Where the call is not known fsync does it
 * all.  We have no folder to sync: where a file's sync is not its name's,
 * whatever the file system has is written.
 */
static enum verdict
sync_both(struct submission *s, int envelope)
{
	(void)sync_file_range(envelope, 0, 0, SYNC_FILE_RANGE_WRITE);
	if (fs_sync(s->reader) == 0 && fs_sync(envelope) == 0 &&
	    (fs_syncs_names(envelope) || syncfs(envelope) == 0))
		return VERDICT_OK;
	log_event(LEVEL_ERROR, "cannot sync", log_text("id", s->id),
	    log_text("reason", strerror(errno)));
	return submit_storage_failed();
}

static enum verdict
read_committed(struct submission *s, struct packet *p)
{
	enum verdict verdict;

	if (packet_is(p, "refused"))
		return read_refusal(s, p);
	if (!packet_read(p, "committed", NULL, 0, 1))
		return lose(s, "malformed answer from queue");
	verdict = sync_both(s, p->fds[0]);
	if (verdict != VERDICT_OK)
		(void)send_verb(s, "abort");
	else if (!send_verb(s, "synced"))
		verdict = lose(s, "queue closed the connection");
	return verdict;
}

enum verdict
submit_commit(
    struct submission *s, const struct submit_envelope *e, int64_t deadline_ms)
{
	struct packet p;
	enum ipc_result result;
	enum verdict verdict;

	close_writer(s);
	(void)sync_file_range(s->reader, 0, 0, SYNC_FILE_RANGE_WRITE);
	result = send_envelope(s, e, &p, deadline_ms);
	if (result == IPC_OK) {
		verdict = read_committed(s, &p);
		packet_close(&p);
	} else {
		verdict = result_verdict(s, result);
	}
	close_both(s);
	return verdict;
}

void
submit_abort(struct submission *s)
{
	if (s->writer == -1)
		return;
	close_both(s);
	if (!send_verb(s, "abort"))
		s->lost = true;
}
