/* SPDX-License-Identifier: ISC */
#ifndef COMMON_PREFORK_H
#define COMMON_PREFORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct config_nets;
struct proxy_client;

/*
 * A pool of worker processes, forked from one warmed parent.
 *
 * The rule: when fewer than `spare` workers are idle and fewer than
 * `maximum` exist, one more is forked.  A worker that dies of a signal, or
 * fails before its first session, throttles its service (no fork for a
 * second, doubling to a minute) and makes the parent ask for a fresh one
 * (control_crashed), so that no address layout is probed crash by crash.
 *
 * Whether a worker is busy or idle its parent reads from shared memory
 * (seats.h).  Where it has to do something about it, the worker wakes it over
 * a socket pair of its own; its siblings never see that descriptor.
 */
struct worker;

struct prefork {
	const char *service;
	unsigned spare;	  /* idle workers wanted, at least 1 */
	unsigned maximum; /* processes at the most */
	/*
	 * No client has more sessions at a time than this: what comes beyond
	 * is told so and closed.  0: as many as there are processes.
	 */
	unsigned client_maximum;
	const char *client_refusal; /* with its CRLF */
	/* Listeners where nothing may be said in the clear: a set of 1 << their
	 * index, as worker_accept() has them. */
	uint64_t silent_listeners;
	/*
	 * Listeners over which another process hands clients over, a set
	 * likewise.  Each connection there is for one client: receive() gives
	 * its descriptor and address, or -1; the connection stays open until
	 * the worker is idle again, so that the other process sees the end.
	 */
	uint64_t handed_listeners;
	int (*receive)(
	    int connection, struct sockaddr_storage *client, void *context);
	/*
	 * Whoever connects from there says whose connection it is
	 * (common/proxy.h), and that client is the one that is counted.  NULL:
	 * nobody does.
	 */
	const struct config_nets *proxies;
	/*
	 * In the child: confine, then serve until worker_stopping().  The
	 * return value is its exit code.
	 */
	int (*serve)(struct worker *, void *context);
	void *context;
};

/* The parent's life: until drained.  Needs loop_init().  Its exit code. */
int prefork_run(const struct prefork *);

/* -- in a worker -- */

/*
 * Wait for a connection on one of n listening sockets (non-blocking ones).
 * Returns its descriptor, *which tells the listener; the worker is busy from
 * then on and idle again at its next call.  -1 when it is time to exit.
 */
int worker_accept(
    struct worker *, const int *listeners, size_t n, size_t *which);

/* Whose connection worker_accept() gave last. */
const struct proxy_client *worker_client(const struct worker *);

/*
 * All workers that there may be are busy, and a connection waits at one of
 * the listeners.
 */
bool worker_is_pressed(const struct worker *);

/* For workers whose work does not come from a listener. */
void worker_busy(struct worker *);
void worker_idle(struct worker *);

/*
 * Drained: finish this session, take no further one.  A pool that retires
 * tells this to idle workers only.
 */
bool worker_stopping(const struct worker *);

/* Readable when drained: to be polled beside other descriptors. */
int worker_stop_fd(const struct worker *);

#endif
