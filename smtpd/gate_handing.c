/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/ipc.h"
#include "common/log.h"
#include "smtpd/arrival.h"
#include "smtpd/gate.h"

/*
 * Those that wait do so here, where the known ones go first; only a few are
 * under way.  Each has a connection of its own to smtpd's listener: a worker
 * that dies costs one session, and its end shows here.
 */
enum { UNDER_WAY = 4, RETRY_MS = 100 };

static size_t under_way;
static struct packet packet;

static void run(void);

static void
run_later(struct timer *t)
{
	(void)t;
	run();
}

static struct timer later = {.fire = run_later};

static void
taken(struct guest *g)
{
	under_way--;
	loop_timer_stop(&g->timer);
	close(g->client);
	g->client = -1;
	guest_enter(g, GUEST_SESSION);
	gate_left();
}

/* The worker that had accepted it is gone, or was never there. */
static void
lost(struct guest *g)
{
	loop_unwatch(&g->watch);
	close(g->watch.fd);
	g->watch.fd = -1;
	if (g->tried) {
		guest_dismiss(g, "421 4.3.0 try again later\r\n",
		    "two workers lost it");
	} else {
		under_way--;
		g->tried = true;
		handing_add(g);
	}
}

void
handing_gave_up(void)
{
	under_way--;
	if (later.slot == 0)
		loop_timer(&later, 0);
}

static void
hear(struct watch *w, uint32_t events)
{
	struct guest *g = container_of(w, struct guest, watch);
	enum ipc_result result = ipc_receive(w->fd, &packet, 0);

	(void)events;
	if (result == IPC_TIMEOUT)
		return;
	if (g->state == GUEST_SESSION) {
		if (result == IPC_OK)
			packet_close(&packet);
		guest_end(g);
	} else if (result == IPC_OK &&
	    packet_read(&packet, "taken", NULL, 0, 0)) {
		taken(g);
	} else {
		if (result == IPC_OK)
			packet_close(&packet);
		lost(g);
	}
	run();
}

static void
write_arrival(const struct guest *g)
{
	struct arrival arrival = {.client = g->address,
	    .proxied = g->proxied,
	    .greeted = g->greeted,
	    .known = g->known,
	    .score = g->score,
	    .waited = (uint64_t)(clock_monotonic_ms() - g->came)};

	if (g->listed != NULL)
		snprintf(arrival.lists, sizeof(arrival.lists), "%s", g->listed);
	arrival_write(&arrival, &packet);
	packet_attach(&packet, g->client);
}

/* False: smtpd cannot be reached now. */
static bool
hand_over(struct guest *g)
{
	int fd = ipc_connect_now("smtpd");

	if (fd == -1)
		return false;
	write_arrival(g);
	if (ipc_send(fd, &packet, 0) != IPC_OK) {
		close(fd);
		return false;
	}
	loop_unwatch(&g->watch);
	g->watch =
	    (struct watch){.fd = fd, .events = EPOLLIN, .ready = hear};
	under_way++;
	guest_enter(g, GUEST_HANDED);
	if (loop_watch(&g->watch) == -1)
		lost(g);
	return true;
}

static void
run(void)
{
	struct guest *g;

	while (under_way < UNDER_WAY &&
	    ((g = guest_first(GUEST_FAVOURED)) != NULL ||
		(g = guest_first(GUEST_PENDING)) != NULL)) {
		if (hand_over(g))
			continue;
		if (later.slot == 0)
			loop_timer(&later, RETRY_MS);
		return;
	}
}

void
handing_add(struct guest *g)
{
	guest_enter(g, g->known ? GUEST_FAVOURED : GUEST_PENDING);
	run();
}
