/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* SOCK_NONBLOCK */
#include "common/dns_async.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/dns_query.h"
#include "common/loop.h"
#include "common/netaddr.h"

enum {
	BUCKETS = 256,
	USES_MAX = 500,       /* of one socket, then another port is taken */
	PACKETS_MAX = 64,     /* read before others have their turn */
	FIRST_WAIT_MS = 1000, /* twice that in each round */
	ROUNDS = 4
};

struct dns_question {
	struct dns_async *asker;
	struct channel *channel;   /* its last attempt's; NULL: that is void */
	struct dns_question *next; /* in the same bucket */
	struct timer timer;
	int64_t deadline;
	size_t first; /* the server that was asked first */
	unsigned attempts, hops;
	enum dns_status status; /* of the last bad answer */
	uint16_t id, type;
	dns_answered *answered;
	void *context;
	char name[DNS_NAME_MAX + 1];
};

/* A socket that is connected to one server. */
struct channel {
	struct watch watch; /* fd -1: there is none */
	struct dns_async *asker;
	size_t server;
	unsigned uses, waiting;
	struct dns_question *buckets[BUCKETS]; /* by id */
};

struct dns_async {
	struct dns *dns; /* servers, queries, room for an answer */
	bool owned;
	size_t most, out, preferred;
	struct channel *channels; /* DNS_ASYNC_SOCKETS of each server */
};

/* -- sockets -- */

static struct dns_question **
bucket_of(struct channel *channel, uint16_t id)
{
	return &channel->buckets[id % BUCKETS];
}

static void
detach(struct dns_question *q)
{
	struct dns_question **p;

	if (q->channel == NULL)
		return;
	p = bucket_of(q->channel, q->id);
	while (*p != q)
		p = &(*p)->next;
	*p = q->next;
	q->channel->waiting--;
	q->channel = NULL;
}

static void
attach(struct dns_question *q, struct channel *channel, uint16_t id)
{
	struct dns_question **p = bucket_of(channel, id);

	q->id = id;
	q->channel = channel;
	q->next = *p;
	*p = q;
	channel->waiting++;
}

static void
close_channel(struct channel *channel)
{
	if (channel->watch.fd == -1)
		return;
	loop_unwatch(&channel->watch);
	close(channel->watch.fd);
	channel->watch.fd = -1;
	channel->uses = 0;
}

/*
 * The server is not there, says the host: what was asked of it is asked anew,
 * but from the loop, for whoever is told may cancel any other.
 */
static void
give_up(struct channel *channel)
{
	for (size_t i = 0; i < BUCKETS; i++)
		while (channel->buckets[i] != NULL) {
			struct dns_question *q = channel->buckets[i];

			detach(q);
			(void)loop_timer(&q->timer, 0);
		}
	close_channel(channel);
}

static void channel_ready(struct watch *, uint32_t events);

static bool
open_channel(struct channel *channel)
{
	const struct sockaddr_storage *server =
	    &channel->asker->dns->servers[channel->server];
	int fd = socket(
	    server->ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return false;
	channel->watch =
	    (struct watch){.fd = fd, .events = EPOLLIN, .ready = channel_ready};
	if (connect(fd, (const struct sockaddr *)server,
		netaddr_size(server)) == 0 &&
	    loop_watch(&channel->watch) == 0)
		return true;
	close(fd);
	channel->watch.fd = -1;
	return false;
}

/*
 * A port that was used for long is given back as soon as nothing is expected
 * there; while something is, another is taken.
 */
static struct channel *
choose_channel(struct dns_async *a, size_t server)
{
	struct channel *of = &a->channels[server * DNS_ASYNC_SOCKETS], *c;
	unsigned char start;

	if (getrandom(&start, 1, 0) != 1)
		return NULL;
	for (unsigned i = 0; i < DNS_ASYNC_SOCKETS; i++) {
		c = &of[(start + i) % DNS_ASYNC_SOCKETS];
		if (c->uses >= USES_MAX && c->waiting == 0)
			close_channel(c);
		if (c->uses < USES_MAX)
			break;
	}
	if (c->watch.fd == -1 && !open_channel(c))
		return NULL;
	c->uses++;
	return c;
}

/* -- a question's life -- */

static void
forget(struct dns_question *q)
{
	detach(q);
	loop_timer_stop(&q->timer);
	q->asker->out--;
	free(q);
}

static void
end(struct dns_question *q, enum dns_status status)
{
	const struct dns_answer *answer = &q->asker->dns->answer;
	dns_answered *answered = q->answered;
	void *context = q->context;

	forget(q);
	answered(context, status, status == DNS_FOUND ? answer : NULL);
}

static size_t
server_of(const struct dns_question *q)
{
	return (q->first + q->attempts) % q->asker->dns->nservers;
}

/*
 * What is lost on the way is repeated.  An error may be an earlier question's;
 * one that stays says that there is no way to that server.
 */
static bool
send_query(struct channel *channel, const unsigned char *query, size_t n)
{
	for (int i = 0; i < 2; i++)
		if (send(channel->watch.fd, query, n, MSG_NOSIGNAL) >= 0 ||
		    errno == EAGAIN || errno == ENOBUFS)
			return true;
	return false;
}

/* Send it once more, or for the first time.  False: the name is none. */
static bool
attempt(struct dns_question *q)
{
	struct dns *dns = q->asker->dns;
	unsigned char query[DNS_QUERY_MAX];
	size_t n = dns_make_query(dns, q->name, q->type, query);
	struct channel *channel = choose_channel(q->asker, server_of(q));
	int64_t wait = FIRST_WAIT_MS << (q->attempts / dns->nservers);
	int64_t left = q->deadline - clock_monotonic_ms();

	detach(q);
	q->attempts++;
	if (n == 0)
		return false;
	if (channel != NULL) {
		attach(q, channel, (uint16_t)(query[0] << 8 | query[1]));
		if (!send_query(channel, query, n))
			wait = 0;
	}
	return loop_timer(&q->timer, wait < left ? wait : left) == 0;
}

/* Nobody answered in time, or the server is not there. */
static void
too_late(struct timer *timer)
{
	struct dns_question *q =
	    container_of(timer, struct dns_question, timer);
	struct dns_async *a = q->asker;

	a->preferred = server_of(q);
	if (clock_monotonic_ms() >= q->deadline ||
	    q->attempts >= ROUNDS * a->dns->nservers || !attempt(q))
		end(q, q->status);
}

/* Another server may know; to ask the same again helps against silence only. */
static void
bad_answer(struct dns_question *q, enum dns_status status)
{
	q->status = status;
	if (q->attempts >= q->asker->dns->nservers || !attempt(q))
		end(q, status);
}

/* The chain goes on in another zone. */
static void
follow_alias(struct dns_question *q)
{
	const struct dns_answer *answer = &q->asker->dns->answer;

	q->hops += answer->hops;
	memcpy(q->name, answer->name, sizeof(q->name));
	q->attempts = 0;
	q->first = q->asker->preferred;
	if (q->hops > DNS_CHAIN_MAX || !attempt(q))
		end(q, DNS_BROKEN);
}

static void
take_answer(struct dns_question *q, size_t n)
{
	struct dns *dns = q->asker->dns;
	enum dns_status status = dns_read_answer(
	    &dns->answer, dns->packet, n, q->id, q->name, q->type);

	if (status == DNS_TEMPORARY || status == DNS_BROKEN) {
		bad_answer(q, status);
		return;
	}
	q->asker->preferred = q->channel->server;
	if (status == DNS_NO_DATA && dns->answer.hops > 0)
		follow_alias(q);
	else
		end(q, status);
}

/* Whose answer that is; NULL: nobody's, any more or at all. */
static struct dns_question *
find(struct channel *channel, const unsigned char *packet, size_t n)
{
	uint16_t id = (uint16_t)(packet[0] << 8 | packet[1]);
	struct dns_question *q = *bucket_of(channel, id);

	while (q != NULL &&
	    (q->id != id || !dns_repeats_question(packet, n, q->name, q->type)))
		q = q->next;
	return q;
}

static void
channel_ready(struct watch *watch, uint32_t events)
{
	struct channel *channel = container_of(watch, struct channel, watch);
	struct dns *dns = channel->asker->dns;

	(void)events;
	for (unsigned i = 0; i < PACKETS_MAX && watch->fd != -1; i++) {
		ssize_t n = recv(watch->fd, dns->packet, DNS_PACKET_MAX, 0);
		struct dns_question *q;

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			if (errno != EAGAIN)
				give_up(channel);
			return;
		}
		if (n < 2)
			continue;
		q = find(channel, dns->packet, (size_t)n);
		if (q != NULL)
			take_answer(q, (size_t)n);
	}
}

/* -- */

struct dns_async *
dns_async_open(const struct config *config, size_t most)
{
	struct dns *dns = dns_open(config);
	struct dns_async *a = dns != NULL ? dns_async_over(dns, most) : NULL;

	if (a == NULL)
		dns_close(dns);
	else
		a->owned = true;
	return a;
}

struct dns_async *
dns_async_over(struct dns *dns, size_t most)
{
	const size_t n = dns->nservers * DNS_ASYNC_SOCKETS;
	struct dns_async *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->most = most;
	a->dns = dns;
	a->channels = calloc(n + 1, sizeof(*a->channels));
	if (a->channels == NULL) {
		free(a);
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		a->channels[i] = (struct channel){.asker = a,
		    .server = i / DNS_ASYNC_SOCKETS,
		    .watch = {.fd = -1}};
	return a;
}

void
dns_async_close(struct dns_async *a)
{
	if (a == NULL)
		return;
	for (size_t i = 0; i < a->dns->nservers * DNS_ASYNC_SOCKETS; i++)
		close_channel(&a->channels[i]);
	free(a->channels);
	if (a->owned)
		dns_close(a->dns);
	free(a);
}

struct dns_question *
dns_async_ask(struct dns_async *a, const char *name, uint16_t type,
    int64_t deadline, dns_answered *answered, void *context)
{
	struct dns_question *q;

	if (a->out >= a->most || a->dns->nservers == 0 || name[0] == '\0' ||
	    strlen(name) > DNS_NAME_MAX)
		return NULL;
	q = calloc(1, sizeof(*q));
	if (q == NULL)
		return NULL;
	q->asker = a;
	q->timer.fire = too_late;
	q->deadline = deadline;
	q->first = a->preferred;
	q->status = DNS_TEMPORARY;
	q->type = type;
	q->answered = answered;
	q->context = context;
	dns_name_normalise(name, q->name);
	a->out++;
	if (attempt(q))
		return q;
	forget(q);
	return NULL;
}

void
dns_async_cancel(struct dns_question *q)
{
	if (q != NULL)
		forget(q);
}
