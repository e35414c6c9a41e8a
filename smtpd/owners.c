/* SPDX-License-Identifier: ISC */
#include "smtpd/owners.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/hash.h"
#include "common/ipc.h"
#include "common/log.h"

enum { LOOKUP_MS = 10000, QUEUE_MS = 60000 };

static void
drop(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static bool
connect_to(const char *owner, int *fd)
{
	if (*fd == -1) {
		*fd = ipc_connect(owner);
		if (*fd == -1)
			log_errno(LEVEL_WARNING, "cannot connect", owner);
	}
	return *fd >= 0;
}

bool
owners_connect(struct owners *o)
{
	return connect_to("userdb", &o->userdb) &&
	    connect_to("queue", &o->queue);
}

static void
drop_queue(struct owners *o)
{
	submit_forget(&o->ahead);
	drop(&o->queue);
}

static void
drop_login(struct owners *o)
{
	submit_forget(&o->login_ahead);
	drop(&o->login);
}

/* -- what userdb has let us keep -- */

static void
clear(struct owners_kept *kept)
{
	free(kept->address);
	free(kept->mailbox);
	free(kept->limit);
	*kept = (struct owners_kept){0};
}

static void
forget_kept(struct owners *o)
{
	for (size_t i = 0; i < OWNERS_KEPT; i++)
		clear(&o->kept[i]);
}

static void
drop_userdb(struct owners *o)
{
	forget_kept(o);
	drop(&o->userdb);
}

static bool
keeps(const struct owners *o)
{
	for (size_t i = 0; i < OWNERS_KEPT; i++)
		if (o->kept[i].address != NULL)
			return true;
	return false;
}

void
owners_keep_nothing(struct owners *o)
{
	/* A "changed" that is under way would be taken for an answer. */
	if (keeps(o))
		drop_userdb(o);
}

static struct owners_kept *
kept_at(struct owners *o, const char *address)
{
	return &o->kept[hash_text(address) % OWNERS_KEPT];
}

static void
keep(struct owners *o, const char *address, const struct owners_place *place)
{
	struct owners_kept *kept = kept_at(o, address);

	clear(kept);
	*kept = (struct owners_kept){.address = strdup(address),
	    .mailbox = strdup(place->mailbox),
	    .limit = strdup(place->limit)};
	if (kept->address == NULL || kept->mailbox == NULL ||
	    kept->limit == NULL)
		clear(kept);
}

/* It is true for as long as userdb says nothing, and is there. */
static bool
find_kept(struct owners *o, const char *address, struct owners_place *place)
{
	const struct owners_kept *kept = kept_at(o, address);

	if (kept->address == NULL || strcmp(kept->address, address) != 0 ||
	    !ipc_is_quiet(o->userdb))
		return false;
	snprintf(place->mailbox, sizeof(place->mailbox), "%s", kept->mailbox);
	snprintf(place->limit, sizeof(place->limit), "%s", kept->limit);
	return true;
}

void
owners_close(struct owners *o)
{
	drop_userdb(o);
	drop_queue(o);
	drop_login(o);
}

static enum ipc_result
hear(struct owners *o, struct packet *answer, int64_t deadline)
{
	enum ipc_result result = ipc_receive(o->userdb, answer, deadline);

	if (result != IPC_OK || !packet_read(answer, "changed", NULL, 0, 0))
		return result;
	forget_kept(o);
	return ipc_receive(o->userdb, answer, deadline);
}

/*
 * One request to userdb.  A connection that turns out to be closed is what a
 * restart of userdb leaves behind: once, it is made anew.
 */
static bool
ask(struct owners *o, const struct packet *request, struct packet *answer)
{
	int64_t deadline = clock_monotonic_ms() + LOOKUP_MS;
	bool kept = o->userdb >= 0;
	enum ipc_result result;

	for (;;) {
		if (!connect_to("userdb", &o->userdb))
			return false;
		result = ipc_send(o->userdb, request, deadline);
		if (result == IPC_OK)
			result = hear(o, answer, deadline);
		if (result == IPC_OK)
			return true;
		/* A late answer would be taken for the next one's. */
		drop_userdb(o);
		if (result != IPC_CLOSED || !kept)
			break;
		kept = false;
	}
	log_event(LEVEL_WARNING, "peer lost", log_text("what", "userdb"),
	    log_text("reason",
		result == IPC_TIMEOUT ? "userdb does not answer"
				      : "userdb closed the connection"));
	return false;
}

static enum verdict
lose_userdb(struct owners *o)
{
	log_event(LEVEL_WARNING, "peer lost", log_text("what", "userdb"),
	    log_text("reason", "malformed answer from userdb"));
	drop_userdb(o);
	return VERDICT_INTERNAL;
}

static enum verdict
read_recipient(struct owners *o, const struct packet *answer,
    const char *address, struct owners_place *place)
{
	const char *name, *mailbox, *limit;
	uint64_t kept;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("verdict", PROTOCOL_NAME_MAX, &name),
	    ATTRIBUTE_TEXT_OPTIONAL("mailbox", PROTOCOL_ADDRESS_MAX, &mailbox),
	    ATTRIBUTE_TEXT_OPTIONAL("limit", OWNERS_LIMIT_MAX, &limit),
	    ATTRIBUTE_NUMBER_OPTIONAL("keep", &kept)};
	enum verdict verdict;

	if (!packet_read(answer, "recipient", set, 4, 0))
		return lose_userdb(o);
	verdict = verdict_named(name);
	if (mailbox != NULL)
		snprintf(
		    place->mailbox, sizeof(place->mailbox), "%s", mailbox);
	if (limit != NULL)
		snprintf(place->limit, sizeof(place->limit), "%s", limit);
	if (kept == 1 && verdict == VERDICT_RECIPIENT_OK)
		keep(o, address, place);
	return verdict;
}

enum verdict
owners_recipient(struct owners *o, const char *address, bool null,
    struct owners_place *place)
{
	struct packet request, answer;
	enum verdict verdict;

	*place = (struct owners_place){.mailbox = ""};
	if (find_kept(o, address, place))
		return VERDICT_RECIPIENT_OK;
	packet_start(&request, "recipient");
	packet_text(&request, "address", address);
	if (null)
		packet_number(&request, "null", 1);
	if (!ask(o, &request, &answer))
		return VERDICT_INTERNAL;
	verdict = read_recipient(o, &answer, address, place);
	packet_close(&answer);
	return verdict;
}

enum verdict
owners_may_send(struct owners *o, const char *login, const char *address)
{
	struct packet request, answer;
	const char *name;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("verdict", PROTOCOL_NAME_MAX, &name)};
	enum verdict verdict;

	packet_start(&request, "sender");
	packet_text(&request, "user", login);
	packet_text(&request, "address", address);
	if (!ask(o, &request, &answer))
		return VERDICT_INTERNAL;
	verdict = packet_read(&answer, "sender", set, 1, 0)
	    ? verdict_named(name)
	    : lose_userdb(o);
	packet_close(&answer);
	return verdict;
}

void
owners_take_login(struct owners *o, int end)
{
	drop_login(o);
	o->login = end;
}

/* Between two sessions nothing waits in a socket. */
void
owners_forget_login(struct owners *o)
{
	drop_login(o);
	submit_collect(&o->ahead, o->queue);
}

/* A question to queue that begins something: a message, or nothing yet. */
typedef enum verdict queue_question(
    struct submission *, int client_fd, uint64_t size, int64_t deadline);

static enum verdict
question_room(
    struct submission *s, int client_fd, uint64_t size, int64_t deadline)
{
	(void)client_fd;
	return submit_room(s, size, deadline);
}

/* As with userdb: a connection that is closed is once made anew. */
static enum verdict
ask_queue(struct owners *o, queue_question *question, int client_fd,
    uint64_t size, struct submission *message)
{
	int64_t deadline = owners_deadline();
	bool kept = o->queue >= 0;
	enum verdict verdict;

	*message = (struct submission){.writer = -1, .reader = -1};
	if (o->login >= 0) {
		message->queue = o->login;
		message->ahead = &o->login_ahead;
		return question(message, -1, size, deadline);
	}
	for (;;) {
		if (!connect_to("queue", &o->queue))
			return VERDICT_INTERNAL;
		message->queue = o->queue;
		message->ahead = &o->ahead;
		message->lost = false;
		verdict = question(message, client_fd, size, deadline);
		if (!message->lost)
			return verdict;
		drop_queue(o);
		if (!kept)
			return verdict;
		kept = false;
	}
}

enum verdict
owners_room(struct owners *o, uint64_t size)
{
	struct submission asked;
	enum verdict verdict = ask_queue(o, question_room, -1, size, &asked);

	owners_done(o, &asked);
	return verdict;
}

enum verdict
owners_open(
    struct owners *o, int client_fd, uint64_t size, struct submission *message)
{
	return ask_queue(o, submit_open, client_fd, size, message);
}

void
owners_done(struct owners *o, const struct submission *message)
{
	if (message->lost && message->queue == o->login)
		drop_login(o);
	else if (message->lost && message->queue == o->queue)
		drop_queue(o);
}

int64_t
owners_deadline(void)
{
	return clock_monotonic_ms() + QUEUE_MS;
}
