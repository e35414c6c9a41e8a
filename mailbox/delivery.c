/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fs.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/maildir.h"
#include "common/protocol.h"
#include "mailbox/junk.h"
#include "mailbox/mailbox.h"
#include "mailbox/place.h"
#include "mailbox/targets.h"

/*
 * A child for one system user ends when there was nothing for him for this
 * long; one for the virtual users stays as long as its queue.  A folder that
 * could not be opened at the beginning cannot be opened from within the
 * sandbox either: soon another child tries.
 */
enum { IDLE_MS = 60000, HOPELESS_MS = 1000, ANSWER_MS = 30000 };

struct request {
	uint64_t serial, time, micros, size, wire, again;
	const char *id, *mailbox;
	const char *junk; /* NULL: it is none */
};

/* Besides the verdict; static texts, or NULL. */
struct outcome {
	const char *folder; /* where it lies, when not in the inbox */
	const char *why;    /* what went wrong, for the log */
};

static bool
read_request(const struct packet *p, struct request *r)
{
	const struct attribute set[] = {ATTRIBUTE_NUMBER("serial", &r->serial),
	    ATTRIBUTE_TEXT("id", PROTOCOL_ID_MAX, &r->id),
	    ATTRIBUTE_TEXT("mailbox", PROTOCOL_ADDRESS_MAX, &r->mailbox),
	    ATTRIBUTE_NUMBER("time", &r->time),
	    ATTRIBUTE_NUMBER_OPTIONAL("micros", &r->micros),
	    ATTRIBUTE_NUMBER("size", &r->size),
	    ATTRIBUTE_NUMBER("wire", &r->wire),
	    ATTRIBUTE_NUMBER("again", &r->again),
	    ATTRIBUTE_TEXT_OPTIONAL("junk", PROTOCOL_NAME_MAX, &r->junk)};

	return packet_read(
		   p, "deliver", set, sizeof(set) / sizeof(set[0]), 1) &&
	    (r->junk == NULL || strcmp(r->junk, "inbox") == 0 ||
		strcmp(r->junk, "folder") == 0);
}

/* A system user's: opened when this process began. */
static const struct target *
own_target(const struct delivery *d, const char *mailbox)
{
	static struct target own;

	if (strcmp(d->login, mailbox) != 0) {
		errno = EPERM;
		return NULL;
	}
	if (d->maildir == -1) {
		errno = EACCES;
		return NULL;
	}
	own.maildir = d->maildir;
	own.folder = fs_open_dir(d->maildir, "new");
	return own.folder != -1 ? &own : NULL;
}

static enum verdict
deliver_to_user(const struct delivery *d, const struct request *r,
    struct placement *placement, struct outcome *outcome)
{
	const struct target *target = d->login != NULL
	    ? own_target(d, r->mailbox)
	    : target_of(d->mail_dir, r->mailbox);
	enum verdict verdict;

	if (target == NULL) {
		outcome->why = strerror(errno);
		return place_verdict(errno);
	}
	placement->maildir = target->maildir;
	placement->folder = target->folder;
	placement->ordered = target->ordered;
	verdict = r->junk == NULL
	    ? place_message(placement, &outcome->why)
	    : junk_place(target, strcmp(r->junk, "folder") == 0, placement,
		  &outcome->folder, &outcome->why);
	if (d->login != NULL)
		close(target->folder);
	else if (verdict != VERDICT_OK)
		target_forget(target);
	return verdict;
}

static enum verdict
deliver(const struct delivery *d, const struct request *r, int content,
    struct outcome *outcome)
{
	char name[MAILDIR_NAME_MAX + 1];
	struct placement placement = {.content = content,
	    .name = name,
	    .octets = r->size,
	    .again = r->again != 0,
	    .copy = d->login != NULL};
	const struct timespec accepted = {
	    .tv_sec = (time_t)r->time, .tv_nsec = (long)r->micros * 1000};

	if (r->time > INT64_MAX || r->micros > 999999 ||
	    !maildir_name(
		name, &accepted, r->id, r->mailbox, r->size, r->wire)) {
		outcome->why = "no file can have such a name";
		return VERDICT_INTERNAL;
	}
	return deliver_to_user(d, r, &placement, outcome);
}

/* False when the peer is to be left. */
static bool
serve_one(const struct delivery *d, struct packet *p)
{
	struct request request;
	struct outcome outcome = {.why = NULL};
	enum verdict verdict;

	if (!read_request(p, &request)) {
		log_event(LEVEL_ERROR, "peer dropped",
		    log_text("role", "role-queue"),
		    log_text("reason", "malformed packet"));
		return false;
	}
	verdict = deliver(d, &request, p->fds[0], &outcome);
	if (verdict != VERDICT_OK)
		log_event(LEVEL_WARNING, "not delivered",
		    log_text("id", request.id),
		    log_address("to", request.mailbox),
		    log_text("dsn", verdict_row(verdict)->enhanced),
		    log_text("reason", outcome.why));
	packet_close(p);
	packet_start(p, "delivered");
	packet_number(p, "serial", request.serial);
	packet_text(p, "verdict", verdict_row(verdict)->name);
	if (outcome.why != NULL)
		packet_text(p, "text", outcome.why);
	if (verdict == VERDICT_OK && outcome.folder != NULL)
		packet_text(p, "folder", outcome.folder);
	return ipc_send(d->fd, p, clock_monotonic_ms() + ANSWER_MS) == IPC_OK;
}

/* Milliseconds to wait for more, as poll(2) takes it. */
static int
patience(const struct delivery *d, int64_t began)
{
	int64_t left;

	if (d->login == NULL)
		return -1;
	if (d->maildir != -1)
		return IDLE_MS;
	left = began + HOPELESS_MS - clock_monotonic_ms();
	return left > 0 ? (int)left : 0;
}

/* Something to read, rather than silence or the service's end. */
static bool
wait_for_request(const struct delivery *d, int ms)
{
	struct pollfd pollers[2] = {{.fd = d->fd, .events = POLLIN},
	    {.fd = d->stop_fd, .events = POLLIN}};
	int n;

	do
		n = poll(pollers, 2, ms);
	while (n == -1 && errno == EINTR);
	return n > 0 && pollers[1].revents == 0;
}

int
delivery_serve(const struct delivery *d)
{
	static struct packet packet;
	int64_t began = clock_monotonic_ms();
	bool going = true;

	while (going && wait_for_request(d, patience(d, began))) {
		if (ipc_receive(d->fd, &packet, 0) != IPC_OK)
			break;
		going = serve_one(d, &packet) && patience(d, began) != 0;
		packet_close(&packet);
	}
	return EX_OK;
}
