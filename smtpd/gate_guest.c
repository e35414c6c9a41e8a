/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/netaddr.h"
#include "smtpd/gate.h"
#include "smtpd/gate_counts.h"
#include "smtpd/gate_line.h"

enum { GREETING_MAX = 512, DRAIN_SIZE = 65536 };

static struct {
	struct guest *first, *last;
	size_t n;
} lists[GUEST_STATES];

/* -- their lists -- */

static void
leave_list(struct guest *g)
{
	if (g->previous != NULL)
		g->previous->next = g->next;
	else
		lists[g->state].first = g->next;
	if (g->next != NULL)
		g->next->previous = g->previous;
	else
		lists[g->state].last = g->previous;
	lists[g->state].n--;
}

static void
join_list(struct guest *g, enum guest_state state)
{
	g->state = state;
	g->next = NULL;
	g->previous = lists[state].last;
	if (g->previous != NULL)
		g->previous->next = g;
	else
		lists[state].first = g;
	lists[state].last = g;
	lists[state].n++;
}

void
guest_enter(struct guest *g, enum guest_state state)
{
	leave_list(g);
	join_list(g, state);
}

struct guest *
guest_first(enum guest_state state)
{
	return lists[state].first;
}

size_t
guest_waiting(void)
{
	size_t n = 0;

	for (int state = 0; state < GUEST_SESSION; state++)
		n += lists[state].n;
	return n;
}

/* -- their end -- */

void
guest_end(struct guest *g)
{
	loop_timer_stop(&g->timer);
	loop_unwatch(&g->watch);
	if (g->watch.fd != g->client && g->watch.fd != -1)
		close(g->watch.fd);
	if (g->client != -1)
		close(g->client);
	counts_leave(&g->address);
	leave_list(g);
	free(g);
	gate_left();
}

static void
log_refusal(const struct sockaddr_storage *address, const char *reason)
{
	char client[NETADDR_TEXT_MAX];

	netaddr_format(address, client);
	log_event(LEVEL_INFO, "refused", log_text("client", client),
	    log_text("reason", reason));
}

/*
 * With octets left unread the kernel would reset the connection, and the
 * reply might never be read.
 */
static void
say_last(int fd, const char *reply)
{
	(void)send(fd, reply, strlen(reply), MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)shutdown(fd, SHUT_WR);
	(void)recv(fd, NULL, DRAIN_SIZE, MSG_TRUNC | MSG_DONTWAIT);
}

void
guest_dismiss(struct guest *g, const char *reply, const char *reason)
{
	say_last(g->client, reply);
	log_refusal(&g->address, reason);
	guest_end(g);
}

bool
guest_make_room(void)
{
	struct guest *g = guest_first(GUEST_GREETED);

	if (g == NULL)
		g = guest_first(GUEST_ASKING);
	if (g == NULL)
		return false;
	guest_dismiss(g, "421 4.3.2 too busy, try again later\r\n",
	    "others waited after it");
	return true;
}

/* -- what they say -- */

static void
take_line(struct guest *g)
{
	char octets[GATE_LINE_MAX + 1];
	ssize_t n = recv(
	    g->client, octets, sizeof(octets), MSG_PEEK | MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		guest_end(g);
		return;
	}
	switch (gate_line_judge((struct span){octets, (size_t)n})) {
	case GATE_LINE_MORE:
		return;
	case GATE_LINE_WHOLE:
		handing_add(g);
		return;
	case GATE_LINE_LONG:
		guest_dismiss(
		    g, "500 5.5.2 line too long\r\n", "line too long");
		return;
	case GATE_LINE_FOREIGN:
		guest_dismiss(g, "554 5.5.1 this is SMTP\r\n", "this is SMTP");
		return;
	}
}

/* Who talks before the greeting is no mail server (A7).  False: it is gone. */
static bool
is_quiet(struct guest *g)
{
	char octet;
	ssize_t n = recv(g->client, &octet, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n > 0)
		guest_dismiss(g, "554 5.5.0 you talk before the greeting\r\n",
		    "you talk before the greeting");
	else
		guest_end(g);
	return false;
}

/* While it waits for a worker only its end is of interest. */
static void
hear(struct watch *w, uint32_t events)
{
	struct guest *g = container_of(w, struct guest, watch);

	if (events & (EPOLLERR | EPOLLHUP))
		guest_end(g);
	else if (g->state == GUEST_ASKING)
		(void)is_quiet(g);
	else if (g->state == GUEST_GREETED)
		take_line(g);
}

/* -- the greeting -- */

static void
greet(struct guest *g)
{
	char greeting[GREETING_MAX];
	int n = snprintf(greeting, sizeof(greeting),
	    "220 %s ESMTP Postrider\r\n", gate.config.hostname);

	if (!is_quiet(g))
		return;
	if (send(g->client, greeting, (size_t)n,
		MSG_NOSIGNAL | MSG_DONTWAIT) != n) {
		guest_end(g);
		return;
	}
	g->greeted = true;
	guest_enter(g, GUEST_GREETED);
	loop_timer(&g->timer, (int64_t)gate.config.smtp_timeout * 1000);
}

static void
run_out(struct timer *t)
{
	struct guest *g = container_of(t, struct guest, timer);

	switch (g->state) {
	case GUEST_ASKING:
		g->needs &= ~(unsigned)NEED_DELAY;
		greet(g);
		return;
	case GUEST_GREETED:
		guest_dismiss(g, "421 4.4.2 timeout, closing connection\r\n",
		    "timeout");
		return;
	default:
		guest_dismiss(g, "421 4.3.2 too busy, try again later\r\n",
		    "no worker was free in time");
		return;
	}
}

/* -- their coming -- */

static bool
is_favoured(const struct guest *g)
{
	return !g->proxied &&
	    config_net_contains(&gate.config.relay_from, &g->address);
}

static void
turn_away(int fd, const struct sockaddr_storage *address,
    enum counts_answer answer)
{
	bool network = answer == COUNTS_NETWORK;

	say_last(fd,
	    network
		? "421 4.7.0 too many connections from your network\r\n"
		: "421 4.7.0 too many connections from you\r\n");
	close(fd);
	log_refusal(address,
	    network ? "too many connections from its network"
		    : "too many connections from there");
}

void
guest_come(
    int fd, const struct sockaddr_storage *address, enum guest_word word)
{
	enum counts_answer answer = counts_enter(address,
	    gate.config.max_client_sessions, gate.config.max_network_sessions);
	struct guest *g =
	    answer == COUNTS_FINE ? calloc(1, sizeof(*g)) : NULL;

	if (g == NULL) {
		if (answer == COUNTS_FINE)
			counts_leave(address);
		turn_away(fd, address, answer);
		return;
	}
	g->client = fd;
	g->address = *address;
	g->came = clock_monotonic_ms();
	g->proxied = word == GUEST_BY_PROXY;
	g->timer.fire = run_out;
	/* A byte now and then wakes us once each, not all the time. */
	g->watch = (struct watch){
	    .fd = fd, .events = EPOLLIN | EPOLLET, .ready = hear};
	join_list(g, GUEST_ASKING);
	if (loop_watch(&g->watch) == -1) {
		guest_dismiss(g, "421 4.3.0 too busy, try again later\r\n",
		    strerror(errno));
		return;
	}
	g->known = is_favoured(g);
	if (!g->known && word != GUEST_IS_PROXY && gate.config.greet_delay > 0)
		g->needs |= NEED_DELAY;
	if (g->needs == 0)
		greet(g);
	else
		loop_timer(&g->timer, (int64_t)gate.config.greet_delay * 1000);
}

void
guest_stop(void)
{
	struct guest *g;

	while ((g = guest_first(GUEST_ASKING)) != NULL ||
	    (g = guest_first(GUEST_GREETED)) != NULL)
		guest_dismiss(g, "421 4.3.2 closing down\r\n", "closing down");
}
