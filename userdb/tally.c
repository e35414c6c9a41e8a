/* SPDX-License-Identifier: ISC */
#include "userdb/tally.h"

#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/loop.h"

enum {
	PATIENCE_MS = 2000,
	WAIT_MS = 30000, /* after it said that it needs time */
	AGAIN_MS = 1000
};

static void hear(struct watch *, uint32_t events);
static void give_up(struct timer *);

static struct {
	struct watch watch; /* its fd -1: not connected */
	struct timer timer;
	struct tally *first, **last;
	uint64_t serial;
	int64_t again; /* not connected: when to try that */
	bool warned;
} ledger = {.watch = {.fd = -1, .ready = hear, .events = EPOLLIN},
    .timer = {.fire = give_up},
    .last = &ledger.first};

void
tally_begin(void)
{
	ledger.serial = 1;
}

/* Once, until it is back. */
static void
warn(const char *reason)
{
	if (!ledger.warned)
		log_event(LEVEL_WARNING, "logins not counted",
		    log_text("reason", reason));
	ledger.warned = true;
}

static bool
is_connected(void)
{
	int64_t now = clock_monotonic_ms();

	if (ledger.watch.fd >= 0)
		return true;
	if (now < ledger.again)
		return false;
	ledger.again = now + AGAIN_MS;
	ledger.watch.fd = ipc_connect("ledger");
	if (ledger.watch.fd >= 0 && loop_watch(&ledger.watch) == 0)
		return true;
	if (ledger.watch.fd >= 0)
		close(ledger.watch.fd);
	ledger.watch.fd = -1;
	warn("ledger does not run");
	return false;
}

static struct tally *
take_first(void)
{
	struct tally *t = ledger.first;

	ledger.first = t->next;
	if (ledger.first == NULL)
		ledger.last = &ledger.first;
	return t;
}

/* Whoever still asks is let go on. */
static void
disconnect(const char *reason)
{
	warn(reason);
	loop_unwatch(&ledger.watch);
	close(ledger.watch.fd);
	ledger.watch.fd = -1;
	loop_timer_stop(&ledger.timer);
	while (ledger.first != NULL) {
		struct tally *t = take_first();

		t->done(t, true);
	}
}

static void
unlink_tally(struct tally *t)
{
	struct tally **at = &ledger.first;

	while (*at != NULL && *at != t)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	*at = t->next;
	if (t->next == NULL)
		ledger.last = at;
}

/* Those that were told to wait stand among the others. */
static struct tally *
most_urgent(void)
{
	struct tally *found = ledger.first;

	for (struct tally *t = found; t != NULL; t = t->next)
		if (t->deadline < found->deadline)
			found = t;
	return found;
}

static void
give_up(struct timer *timer)
{
	int64_t now = clock_monotonic_ms();
	struct tally *t;

	while ((t = most_urgent()) != NULL && t->deadline <= now) {
		unlink_tally(t);
		warn("ledger does not answer");
		t->done(t, true);
	}
	if (t != NULL)
		loop_timer(timer, t->deadline - now);
}

static void
answered(uint64_t serial, const char *verdict)
{
	struct tally *t = ledger.first;
	bool refused = strcmp(verdict, "refused") == 0;

	while (t != NULL && t->serial != serial)
		t = t->next;
	if (t == NULL)
		return;
	ledger.warned = false;
	if (strcmp(verdict, "wait") == 0) {
		t->deadline = clock_monotonic_ms() + WAIT_MS;
		return;
	}
	unlink_tally(t);
	if (refused)
		t->serial = 0;
	t->done(t, !refused);
}

static void
hear(struct watch *w, uint32_t events)
{
	static struct packet p;
	const char *verdict;
	uint64_t serial, wait;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("serial", &serial),
	    ATTRIBUTE_TEXT("verdict", PROTOCOL_NAME_MAX, &verdict),
	    ATTRIBUTE_NUMBER_OPTIONAL("wait", &wait)};
	bool good;

	(void)events;
	switch (ipc_receive(w->fd, &p, 0)) {
	case IPC_TIMEOUT:
		return;
	case IPC_OK:
		break;
	default:
		disconnect("ledger has ended");
		return;
	}
	good = packet_read(&p, "attempt", set, 3, 0);
	packet_close(&p);
	if (good)
		answered(serial, verdict);
	else
		disconnect("ledger talks nonsense");
}

/*
 * What a ledger that hangs does not take is dropped.  The connection stays:
 * one after the other would fill the queue of those that it has not accepted,
 * and behind a full one connect(2) waits.
 */
static bool
say(const struct packet *p)
{
	switch (ipc_send(ledger.watch.fd, p, 0)) {
	case IPC_OK:
		return true;
	case IPC_TIMEOUT:
		warn("ledger takes no questions");
		return false;
	default:
		disconnect("ledger has ended");
		return false;
	}
}

void
tally_ask(struct tally *t)
{
	static struct packet p;

	t->serial = 0;
	if (!is_connected()) {
		t->done(t, true);
		return;
	}
	t->serial = ledger.serial++;
	packet_start(&p, "attempt");
	packet_number(&p, "serial", t->serial);
	packet_text(&p, "client", t->client);
	packet_text(&p, "user", t->user);
	if (!say(&p)) {
		t->serial = 0;
		t->done(t, true);
		return;
	}
	t->next = NULL;
	t->deadline = clock_monotonic_ms() + PATIENCE_MS;
	if (ledger.timer.slot == 0 || ledger.timer.due > t->deadline)
		loop_timer(&ledger.timer, PATIENCE_MS);
	*ledger.last = t;
	ledger.last = &t->next;
}

/* That ledger has ended shows in hear(): nobody here expects a done(). */
static void
tell(struct tally *t, const char *result)
{
	static struct packet p;

	if (ledger.watch.fd >= 0) {
		packet_start(&p, "outcome");
		if (t->serial != 0)
			packet_number(&p, "serial", t->serial);
		packet_text(&p, "client", t->client);
		packet_text(&p, "user", t->user);
		packet_text(&p, "result", result);
		if (ipc_send(ledger.watch.fd, &p, 0) == IPC_TIMEOUT)
			warn("ledger takes no questions");
	}
	t->serial = 0;
}

void
tally_tell(struct tally *t, enum tally_result result)
{
	static const char *const results[] = {[TALLY_GOOD] = "good",
	    [TALLY_WRONG] = "wrong",
	    [TALLY_UNKNOWN] = "unknown"};

	tell(t, results[result]);
}

void
tally_withdraw(struct tally *t)
{
	unlink_tally(t);
	if (t->serial != 0)
		tell(t, "none");
}
