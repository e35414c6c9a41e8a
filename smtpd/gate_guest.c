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
#include "common/verdict.h"
#include "smtpd/gate.h"
#include "smtpd/gate_counts.h"
#include "smtpd/gate_line.h"

enum { GREETING_MAX = 512, DRAIN_SIZE = 65536, HURRIED_MS = 30000 };

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
	ledger_forget(g);
	lists_cancel(g->inquiry);
	dialogue_end(g);
	if (g->watch.fd != g->client && g->watch.fd != -1)
		close(g->watch.fd);
	if (g->client != -1)
		close(g->client);
	if (g->counted)
		counts_leave(&g->address);
	if (g->state == GUEST_HANDED)
		handing_gave_up();
	leave_list(g);
	free(g->listed);
	free(g);
	gate_left();
}

static void
log_refusal(const struct sockaddr_storage *address, const char *reason)
{
	char client[NETADDR_TEXT_MAX];

	if (!gate_may_log())
		return;
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
guest_last_words(struct guest *g, const char *reply)
{
	say_last(g->client, reply);
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
	struct guest *g = guest_first(GUEST_REFUSED);

	if (g == NULL)
		g = guest_first(GUEST_GREETED);
	if (g == NULL)
		g = guest_first(GUEST_ASKING);
	if (g == NULL)
		return false;
	guest_dismiss(g, "421 4.3.2 too busy, try again later\r\n",
	    "others waited after it");
	return true;
}

/* -- what they say -- */

void
guest_accuse(struct guest *g, const char *reply, const char *what,
    const char *reason)
{
	ledger_tell(&g->address, what);
	guest_dismiss(g, reply, reason);
}

/* It has sent a command: the lists' answer is all that may be missing. */
static void
let_in(struct guest *g)
{
	if (g->needs & NEED_LISTS)
		return;
	if (g->dialogue != NULL)
		dialogue_begin(g);
	else
		handing_add(g);
}

/* ended: it sends no more, so that what is no line will not become one. */
static void
take_line(struct guest *g, bool ended)
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
		if (ended)
			guest_end(g);
		return;
	case GATE_LINE_WHOLE:
		let_in(g);
		return;
	case GATE_LINE_LONG:
		guest_accuse(g, "500 5.5.2 line too long\r\n", "garbage",
		    "line too long");
		return;
	case GATE_LINE_FOREIGN:
		guest_accuse(g, "554 5.5.1 this is SMTP\r\n", "foreign",
		    "this is SMTP");
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
		guest_accuse(g, "554 5.5.0 you talk before the greeting\r\n",
		    "early", "you talk before the greeting");
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
		take_line(g, (events & EPOLLRDHUP) != 0);
	else if (g->state == GUEST_REFUSED)
		dialogue_hear(g);
}

/* -- the greeting -- */

/* Where many wait, nobody does so for long. */
static int64_t
patience(void)
{
	int64_t ms = (int64_t)gate.config.smtp_timeout * 1000;

	return guest_waiting() > gate.most / 2 && ms > HURRIED_MS ? HURRIED_MS
								  : ms;
}

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
	loop_timer(&g->timer, patience());
}

/* Something that it needed is there. */
static void
advance(struct guest *g)
{
	if (g->state == GUEST_GREETED)
		take_line(g, false);
	else if (g->state == GUEST_ASKING &&
	    (g->needs & (NEED_DELAY | NEED_LEDGER)) == 0)
		greet(g);
}

static void
run_out(struct timer *t)
{
	struct guest *g = container_of(t, struct guest, timer);

	switch (g->state) {
	case GUEST_ASKING:
		g->needs &= ~(unsigned)NEED_DELAY;
		advance(g);
		return;
	case GUEST_GREETED:
		guest_dismiss(g, "421 4.4.2 timeout, closing connection\r\n",
		    "timeout");
		return;
	case GUEST_REFUSED:
		dialogue_run_out(g);
		return;
	default:
		guest_dismiss(g, "421 4.3.2 too busy, try again later\r\n",
		    "no worker was free in time");
		return;
	}
}

/* -- what others say about them -- */

void
guest_heard(struct guest *g, enum ledger_verdict verdict, bool known)
{
	const struct verdict_row *grudge = verdict_row(VERDICT_GRUDGE);

	g->needs &= ~(unsigned)NEED_LEDGER;
	if (known) {
		g->known = true;
		g->needs &= ~(unsigned)NEED_DELAY;
	}
	switch (verdict) {
	case LEDGER_FINE:
		break;
	case LEDGER_CLIENT_RATE:
		guest_dismiss(g,
		    "421 4.7.0 you connect too often, try again later\r\n",
		    "it connects too often");
		return;
	case LEDGER_NETWORK_RATE:
		guest_dismiss(g,
		    "421 4.7.0 your network connects too often, try again "
		    "later\r\n",
		    "its network connects too often");
		return;
	case LEDGER_GRUDGE:
		/* It will pass, so nobody's mail is to bounce. */
		dialogue_prepare(
		    g, grudge->smtp, grudge->enhanced, grudge->text);
		break;
	}
	advance(g);
}

static void
note_lists(struct guest *g, const struct lists_result *result)
{
	g->score = (int)result->score;
	if (result->names[0] != '\0')
		g->listed = strdup(result->names);
	if (lists_refuse(&gate.config, result->score))
		dialogue_prepare(g, 550, "5.7.1", result->text);
}

static void
hear_lists(void *context, const struct lists_result *result)
{
	struct guest *g = context;

	g->inquiry = NULL;
	g->needs &= ~(unsigned)NEED_LISTS;
	note_lists(g, result);
	advance(g);
}

static void
ask_lists(struct guest *g)
{
	struct lists_result now;

	g->inquiry =
	    lists_ask(gate.lists, &g->address, hear_lists, g, &now);
	if (g->inquiry != NULL)
		g->needs |= NEED_LISTS;
	else
		note_lists(g, &now);
}

/* -- their coming -- */

/* False: it has too many connections, and is gone. */
static bool
count(struct guest *g)
{
	enum counts_answer answer = counts_enter(&g->address,
	    gate.config.max_client_sessions, gate.config.max_network_sessions);

	if (answer == COUNTS_FINE)
		g->counted = true;
	else if (answer == COUNTS_CLIENT)
		guest_dismiss(g, "421 4.7.0 too many connections from you\r\n",
		    "too many connections from there");
	else if (answer == COUNTS_NETWORK)
		guest_dismiss(g,
		    "421 4.7.0 too many connections from your network\r\n",
		    "too many connections from its network");
	return answer == COUNTS_FINE;
}

/* All that can be asked is asked at once. */
static void
ask(struct guest *g)
{
	enum ledger_verdict verdict = ledger_recalls(&g->address);

	if (gate.config.greet_delay > 0)
		g->needs |= NEED_DELAY;
	loop_timer(&g->timer, (int64_t)gate.config.greet_delay * 1000);
	if (verdict == LEDGER_FINE && ledger_ask(g))
		g->needs |= NEED_LEDGER;
	ask_lists(g);
	if (verdict != LEDGER_FINE)
		guest_heard(g, verdict, false);
	else
		advance(g);
}

/* queue believes relay-from of nobody for whom a proxy speaks. */
static bool
is_stranger(const struct guest *g, enum guest_word word)
{
	return word != GUEST_IS_PROXY &&
	    (g->proxied ||
		!config_net_contains(&gate.config.relay_from, &g->address));
}

static void
welcome(struct guest *g, enum guest_word word)
{
	/* Who talks already is asked nobody about. */
	if (!count(g) || !is_quiet(g))
		return;
	if (loop_watch(&g->watch) == -1) {
		guest_dismiss(g, "421 4.3.0 too busy, try again later\r\n",
		    strerror(errno));
		return;
	}
	if (is_stranger(g, word)) {
		ask(g);
		return;
	}
	g->known = true;
	greet(g);
}

void
guest_come(
    int fd, const struct sockaddr_storage *address, enum guest_word word)
{
	struct guest *g = calloc(1, sizeof(*g));

	if (g == NULL) {
		say_last(fd, "421 4.3.0 too busy, try again later\r\n");
		close(fd);
		return;
	}
	g->client = fd;
	g->address = *address;
	g->came = clock_monotonic_ms();
	g->proxied = word == GUEST_BY_PROXY;
	g->timer.fire = run_out;
	/* A byte now and then wakes us once each, not all the time. */
	g->watch = (struct watch){
	    .fd = fd,
	    .events = EPOLLIN | EPOLLRDHUP | EPOLLET,
	    .ready = hear};
	join_list(g, GUEST_ASKING);
	welcome(g, word);
}

void
guest_stop(void)
{
	struct guest *g;

	while ((g = guest_first(GUEST_ASKING)) != NULL ||
	    (g = guest_first(GUEST_GREETED)) != NULL ||
	    (g = guest_first(GUEST_REFUSED)) != NULL)
		guest_dismiss(g, "421 4.3.2 closing down\r\n", "closing down");
}
