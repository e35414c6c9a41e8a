/* SPDX-License-Identifier: ISC */
#include "supervisor/listeners.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/inherit.h"
#include "common/log.h"
#include "common/netaddr.h"

enum { RETRY_MS = 100 };

static const struct open_listener *
find(const struct open_listeners *list, const char *text)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->items[i].text, text) == 0)
			return &list->items[i];
	return NULL;
}

static bool
is_listening_tcp(int fd, struct sockaddr_storage *address)
{
	socklen_t n = sizeof(*address), size = sizeof(int);
	int listening = 0, type = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) ==
	    0 &&
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
	    listening != 0 && type == SOCK_STREAM &&
	    getsockname(fd, (struct sockaddr *)address, &n) == 0 &&
	    (address->ss_family == AF_INET || address->ss_family == AF_INET6);
}

void
listeners_adopt(struct open_listeners *out)
{
	struct sockaddr_storage address;
	struct open_listener *new;

	out->n = 0;
	for (size_t i = 0; inherit_name(i) != NULL; i++) {
		int fd = 3 + (int)i;

		if (out->n == LISTENERS_MAX ||
		    !is_listening_tcp(fd, &address)) {
			log_event(LEVEL_WARNING, "descriptor not used",
			    log_text("what", inherit_name(i)),
			    log_text("reason", "not a listening TCP socket"));
			close(fd);
			continue;
		}
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		new = &out->items[out->n++];
		*new = (struct open_listener){.fd = fd, .given = true};
		netaddr_format_port(&address, new->text);
	}
}

/*
 * A kernel without IPv6 has no [::]; mail by IPv4 is better than none.  An
 * address that was named in full is wanted, though.
 */
static bool
may_do_without(const struct config_listener *l)
{
	static const struct in6_addr any = IN6ADDR_ANY_INIT;
	const struct sockaddr_in6 *six =
	    (const struct sockaddr_in6 *)(const void *)&l->address;

	return (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL) &&
	    l->address.ss_family == AF_INET6 &&
	    memcmp(&six->sin6_addr, &any, sizeof(any)) == 0;
}

static int
open_patiently(const struct sockaddr_storage *address, int64_t deadline)
{
	int fd;

	while ((fd = netaddr_listen(address)) == -1 && errno == EADDRINUSE &&
	    clock_left(deadline) > 0) {
		poll(NULL, 0, RETRY_MS);
		errno = EADDRINUSE;
	}
	return fd;
}

static void
close_new(struct open_listeners *next, const struct open_listeners *have)
{
	for (size_t i = 0; i < next->n; i++)
		if (find(have, next->items[i].text) == NULL)
			close(next->items[i].fd);
	next->n = 0;
}

/* 1 open, 0 done without, -1 with errno. */
static int
open_one(const struct config_listener *wanted,
    const struct open_listeners *have, int64_t deadline,
    struct open_listener *out)
{
	const struct open_listener *old = find(have, wanted->text);

	*out = (struct open_listener){.kind = wanted->kind};
	memcpy(out->text, wanted->text, sizeof(out->text));
	if (old != NULL) {
		out->fd = old->fd;
		out->given = old->given;
		return 1;
	}
	out->fd = open_patiently(&wanted->address, deadline);
	if (out->fd >= 0)
		return 1;
	if (!may_do_without(wanted))
		return -1;
	log_event(LEVEL_WARNING, "not listening",
	    log_text("what", wanted->text),
	    log_text("reason", strerror(errno)));
	return 0;
}

int
listeners_open(const struct config *config, const struct open_listeners *have,
    struct open_listeners *next, int wait_ms, char *error)
{
	int64_t deadline = clock_monotonic_ms() + wait_ms;

	next->n = 0;
	for (size_t i = 0; i < config->listen.n; i++) {
		const struct config_listener *wanted = &config->listen.items[i];

		if (next->n == LISTENERS_MAX) {
			snprintf(error, CONFIG_ERROR_MAX,
			    "more than %d addresses to listen on",
			    LISTENERS_MAX);
			close_new(next, have);
			return -1;
		}
		switch (
		    open_one(wanted, have, deadline, &next->items[next->n])) {
		case 1:
			next->n++;
			break;
		case -1:
			snprintf(error, CONFIG_ERROR_MAX,
			    "cannot listen on %s (%s): %s", wanted->text,
			    listener_name(wanted->kind), strerror(errno));
			close_new(next, have);
			return -1;
		}
	}
	return 0;
}

void
listeners_retire(struct open_listeners *have, const struct open_listeners *kept)
{
	for (size_t i = 0; i < have->n; i++) {
		struct open_listener *l = &have->items[i];

		if (find(kept, l->text) != NULL)
			continue;
		/* Drained processes hold it, too: nobody would answer there. */
		if (!l->given)
			shutdown(l->fd, SHUT_RDWR);
		close(l->fd);
	}
	have->n = 0;
}
