/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* sync_file_range, syncfs */
#include "common/submit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fs.h"
#include "common/ipc.h"
#include "common/log.h"

/* For more, queue is asked whether there is room. */
enum { AHEAD_MAX = 256 << 10 };

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

/* -- the next message -- */

void
submit_forget(struct submit_ahead *a)
{
	if (a->held) {
		close(a->writer);
		close(a->reader);
	}
	*a = (struct submit_ahead){.asked = false};
}

/* A refusal may be true no longer when the message comes. */
static bool
read_ahead(struct submit_ahead *a, struct packet *p)
{
	const char *id;
	uint64_t seconds;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("id", PROTOCOL_ID_MAX, &id),
	    ATTRIBUTE_NUMBER("time", &seconds),
	};

	a->asked = false;
	if (packet_is(p, "refused"))
		return true;
	if (!packet_read(p, "opened", set, 2, 2) || *id == '\0')
		return false;
	memcpy(a->id, id, strlen(id) + 1);
	a->writer = packet_detach(p, 0);
	a->reader = packet_detach(p, 1);
	a->held = true;
	return true;
}

void
submit_collect(struct submit_ahead *a, int queue)
{
	struct packet p;

	if (!a->asked || ipc_receive(queue, &p, 0) != IPC_OK)
		return;
	if (!read_ahead(a, &p)) /* the next question finds it out */
		shutdown(queue, SHUT_RDWR);
	packet_close(&p);
}

/* What is said next must not be answered by what was said before. */
static enum verdict
settle_ahead(struct submission *s, int64_t deadline_ms)
{
	struct packet p;
	enum ipc_result result;
	enum verdict verdict = VERDICT_OK;

	if (s->ahead == NULL || !s->ahead->asked)
		return VERDICT_OK;
	result = ipc_receive(s->queue, &p, deadline_ms);
	if (result != IPC_OK)
		return result_verdict(s, result);
	if (!read_ahead(s->ahead, &p))
		verdict = lose(s, "malformed answer from queue");
	packet_close(&p);
	return verdict;
}

/*
 * The lock tells queue that it is in use.  A queue that ends takes the lock
 * of those that are not, and then hangs up.
 */
static bool
is_good(const struct submission *s)
{
	char c;

	return flock(s->ahead->writer, LOCK_EX | LOCK_NB) == 0 &&
	    recv(s->queue, &c, 1, MSG_PEEK | MSG_DONTWAIT) == -1 &&
	    errno == EAGAIN;
}

static void
take_ahead(struct submission *s)
{
	struct submit_ahead *a = s->ahead;

	memcpy(s->id, a->id, sizeof(s->id));
	s->time = (time_t)clock_now();
	s->writer = a->writer;
	s->reader = a->reader;
	a->held = false;
}

/* True: it was opened ahead, and s has it.  Else it is there no more. */
static bool
was_opened(struct submission *s, bool fits)
{
	if (s->ahead == NULL || !s->ahead->held)
		return false;
	if (fits && is_good(s)) {
		take_ahead(s);
		return true;
	}
	submit_forget(s->ahead);
	(void)send_verb(s, "abort");
	return false;
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

	verdict = settle_ahead(s, deadline_ms);
	if (verdict != VERDICT_OK)
		return verdict;
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
	verdict = settle_ahead(s, deadline_ms);
	if (verdict != VERDICT_OK)
		return verdict;
	if (was_opened(s, client_fd < 0 && size <= AHEAD_MAX))
		return VERDICT_OK;
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

enum verdict
submit_scratch(struct submission *s, int *fd, int64_t deadline_ms)
{
	struct packet p;
	enum ipc_result result;
	enum verdict verdict = VERDICT_OK;

	*fd = -1;
	packet_start(&p, "scratch");
	result = ipc_call(s->queue, &p, deadline_ms);
	if (result != IPC_OK)
		return result_verdict(s, result);
	if (packet_is(&p, "refused"))
		verdict = read_refusal(s, &p);
	else if (packet_read(&p, "scratch", NULL, 0, 1))
		*fd = packet_detach(&p, 0);
	else
		verdict = lose(s, "malformed answer from queue");
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
	if (e->junk != NULL)
		packet_text(p, "junk", e->junk);
	if (e->hold != NULL)
		packet_text(p, "hold", e->hold);
}

static enum ipc_result
add_facts(struct submission *s, const struct submit_envelope *e,
    struct packet *p, int64_t deadline_ms)
{
	enum ipc_result result = write_behind(s, p, "sign", deadline_ms);
	size_t at = 0;

	if (e->facts == NULL) {
		packet_text(p, "reason", e->unsigned_because);
		return result;
	}
	while (result == IPC_OK &&
	    (at = dkim_facts_write(p, e->facts, at)) > 0)
		result = write_behind(s, p, "more", deadline_ms);
	return result;
}

/* All in one packet where it fits. */
static enum ipc_result
send_envelope(struct submission *s, const struct submit_envelope *e,
    struct packet *p, int64_t deadline_ms)
{
	enum ipc_result result = IPC_OK;

	write_commit(p, s->id, e);
	if (e->facts != NULL || e->unsigned_because != NULL)
		result = add_facts(s, e, p, deadline_ms);
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
 * has something to do meanwhile.  Both are waited for before the first sync:
 * what ext4 notes when data has arrived is then in one commit, and the second
 * sync finds it done.  Where the call is not known fsync does it all.  We have
 * no folder to sync: where a file's sync is not its name's, whatever the file
 * system has is written.
 */
static enum verdict
sync_both(struct submission *s, int envelope)
{
	(void)sync_file_range(envelope, 0, 0, SYNC_FILE_RANGE_WRITE);
	(void)sync_file_range(s->reader, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE);
	(void)sync_file_range(envelope, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE);
	if (fs_sync(s->reader) == 0 && fs_sync(envelope) == 0 &&
	    (fs_syncs_names(envelope) || syncfs(envelope) == 0))
		return VERDICT_OK;
	log_event(LEVEL_ERROR, "cannot sync", log_text("id", s->id),
	    log_text("reason", strerror(errno)));
	return submit_storage_failed();
}

static bool
send_synced(struct submission *s)
{
	struct packet p;

	packet_start(&p, "synced");
	if (s->ahead != NULL) {
		packet_also(&p, "open");
		packet_number(&p, "ahead", 1);
	}
	if (s->lost || ipc_send(s->queue, &p, 0) != IPC_OK)
		return false;
	if (s->ahead != NULL)
		s->ahead->asked = true;
	return true;
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
	else if (!send_synced(s))
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
