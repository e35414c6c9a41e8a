/* SPDX-License-Identifier: ISC */
#include "userdb/handover.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/loop.h"

enum { PATIENCE_MS = 5000, AGAIN_MS = 10 };

static void try_again(struct timer *);

static struct owner {
	const char *name;
	int fd;
	struct handover *first;
	struct timer again;
} owners[] = {
    [TO_QUEUE] = {"queue", -1, NULL, {.fire = try_again}},
    [TO_MAILBOX] = {"mailbox", -1, NULL, {.fire = try_again}},
};

static void
make_login(struct packet *p, const struct handover *h)
{
	packet_start(p, "login");
	packet_text(p, "user", h->user);
	if (h->app[0] != '\0')
		packet_text(p, "app", h->app);
	packet_attach(p, h->end);
}

/* A record of fixed size, for a reader that can become anybody. */
static void
make_session(struct packet *p, const struct handover *h)
{
	bool system = h->system[0] != '\0';

	memset(p->octets, 0, MAILBOX_RECORD);
	snprintf(p->octets, MAILBOX_RECORD_KIND, "%s-%s",
	    system ? "system" : "virtual", h->junk ? "junk" : "session");
	snprintf(p->octets + MAILBOX_RECORD_KIND,
	    MAILBOX_RECORD - MAILBOX_RECORD_KIND, "%s",
	    system ? h->system : h->user);
	p->len = MAILBOX_RECORD;
	p->nfds = 0;
	p->failed = false;
	packet_attach(p, h->end);
}

static enum ipc_result
send_over(struct owner *owner, const struct handover *h)
{
	static struct packet p;

	if (owner->fd == -1 && (owner->fd = ipc_connect(owner->name)) == -1)
		return IPC_TIMEOUT; /* it is being started, perhaps */
	if (h->to == TO_QUEUE)
		make_login(&p, h);
	else
		make_session(&p, h);
	return ipc_send(owner->fd, &p, 0);
}

/* Over the connection that we have, or over a new one if that was dead. */
static enum ipc_result
send_or_reconnect(struct owner *owner, const struct handover *h)
{
	enum ipc_result result = send_over(owner, h);

	if (result != IPC_CLOSED && result != IPC_ERROR)
		return result;
	close(owner->fd);
	owner->fd = -1;
	result = send_over(owner, h);
	if (result == IPC_ERROR)
		log_errno(LEVEL_ERROR, "cannot hand over", owner->name);
	return result;
}

static void
finish_first(struct owner *owner, bool taken)
{
	struct handover *h = owner->first;

	owner->first = h->next;
	h->done(h, taken);
}

static void
flush(struct owner *owner)
{
	struct handover *h;

	while ((h = owner->first) != NULL) {
		switch (send_or_reconnect(owner, h)) {
		case IPC_OK:
			finish_first(owner, true);
			continue;
		case IPC_ERROR:
			finish_first(owner, false);
			continue;
		case IPC_TIMEOUT:
		case IPC_CLOSED:
			break;
		}
		if (clock_left(h->deadline) > 0) {
			loop_timer(&owner->again, AGAIN_MS);
			return;
		}
		log_event(LEVEL_ERROR, "cannot hand over",
		    log_text("what", owner->name),
		    log_text("reason", "does not take it"));
		finish_first(owner, false);
	}
}

static void
try_again(struct timer *t)
{
	flush(container_of(t, struct owner, again));
}

void
handover_pass(struct handover *h)
{
	struct owner *owner = &owners[h->to];
	struct handover **last = &owner->first;

	while (*last != NULL)
		last = &(*last)->next;
	*last = h;
	h->next = NULL;
	h->deadline = clock_monotonic_ms() + PATIENCE_MS;
	if (owner->first == h)
		flush(owner);
}

void
handover_withdraw(struct handover *h)
{
	struct handover **at = &owners[h->to].first;

	while (*at != NULL && *at != h)
		at = &(*at)->next;
	if (*at != NULL)
		*at = h->next;
}
