/* SPDX-License-Identifier: ISC */
#include "smtpd/gate_proxy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/log.h"
#include "common/netaddr.h"
#include "common/proxy.h"
#include "smtpd/gate.h"

/* Few headers are longer; those get PROXY_MAX. */
enum { USUAL_SIZE = 128 };

struct proxied {
	struct proxied *next, *previous;
	struct watch watch;
	struct timer timer;
	struct sockaddr_storage proxy;
	char *octets;
	size_t have, room;
};

static struct {
	struct proxied *first;
	size_t n;
} all;

static void
forget(struct proxied *p)
{
	loop_timer_stop(&p->timer);
	loop_unwatch(&p->watch);
	if (p->previous != NULL)
		p->previous->next = p->next;
	else
		all.first = p->next;
	if (p->next != NULL)
		p->next->previous = p->previous;
	all.n--;
	free(p->octets);
	free(p);
}

/* reason: for the log; NULL: it is not worth a line. */
static void
leave(struct proxied *p, const char *reason)
{
	char client[NETADDR_TEXT_MAX];
	int fd = p->watch.fd;

	netaddr_format(&p->proxy, client);
	if (reason != NULL)
		log_event(LEVEL_WARNING, "refused", log_text("client", client),
		    log_text("reason", reason));
	forget(p);
	close(fd);
	gate_left();
}

static void
run_out(struct timer *t)
{
	leave(container_of(t, struct proxied, timer),
	    "this proxy sends no PROXY header");
}

static void
arrive(struct proxied *p, const struct proxy_header *header)
{
	struct sockaddr_storage address =
	    header->own ? p->proxy : header->client;
	int fd = p->watch.fd;

	forget(p);
	guest_come(fd, &address, header->own ? GUEST_IS_PROXY : GUEST_BY_PROXY);
	gate_left();
}

static bool
make_room(struct proxied *p, size_t size)
{
	char *octets;

	if (size <= p->room)
		return true;
	octets = realloc(p->octets, PROXY_MAX);
	if (octets == NULL)
		return false;
	p->octets = octets;
	p->room = PROXY_MAX;
	return true;
}

/* As much as is surely the header's: true when there may be more of it. */
static bool
take_some(struct proxied *p, struct proxy_header *header)
{
	ssize_t n;

	switch (proxy_parse(p->octets, p->have, header)) {
	case PROXY_DONE:
		arrive(p, header);
		return false;
	case PROXY_BAD:
		leave(p, "malformed PROXY header");
		return false;
	default:
		break;
	}
	if (!make_room(p, header->size)) {
		leave(p, strerror(ENOMEM));
		return false;
	}
	n = recv(p->watch.fd, p->octets + p->have, header->size - p->have,
	    MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		/* A check that connects and goes is nobody's trouble. */
		leave(p, p->have > 0 ? "the PROXY header ends early" : NULL);
		return false;
	}
	p->have += (size_t)n;
	return true;
}

static void
hear(struct watch *w, uint32_t events)
{
	struct proxied *p = container_of(w, struct proxied, watch);
	struct proxy_header header;

	(void)events;
	while (take_some(p, &header))
		continue;
}

static void
join(struct proxied *p)
{
	p->next = all.first;
	if (p->next != NULL)
		p->next->previous = p;
	all.first = p;
	all.n++;
}

void
proxied_come(int fd, const struct sockaddr_storage *proxy)
{
	struct proxied *p = calloc(1, sizeof(*p));

	if (p != NULL)
		p->octets = malloc(USUAL_SIZE);
	if (p == NULL || p->octets == NULL) {
		free(p);
		close(fd);
		return;
	}
	p->room = USUAL_SIZE;
	p->proxy = *proxy;
	p->timer.fire = run_out;
	p->watch = (struct watch){.fd = fd, .events = EPOLLIN, .ready = hear};
	join(p);
	if (loop_watch(&p->watch) == -1) {
		leave(p, strerror(errno));
		return;
	}
	loop_timer(&p->timer, PROXY_WAIT_MS);
}

size_t
proxied_waiting(void)
{
	return all.n;
}

void
proxied_stop(void)
{
	while (all.first != NULL)
		leave(all.first, NULL);
}
