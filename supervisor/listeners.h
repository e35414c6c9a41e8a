/* SPDX-License-Identifier: ISC */
#ifndef SUPERVISOR_LISTENERS_H
#define SUPERVISOR_LISTENERS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/config.h"

/*
 * The open listening sockets of the config.  A reload opens what is new and
 * keeps what stays, so that no connection that waits in a socket is lost.
 */
enum { LISTENERS_MAX = 32 };

struct open_listener {
	enum listener_kind kind;
	char text[64]; /* address and port */
	int fd;
	bool given; /* by the service manager: also its own */
};

struct open_listeners {
	size_t n;
	struct open_listener items[LISTENERS_MAX];
};

/* Descriptors that systemd or another starter hands over, by address. */
void listeners_adopt(struct open_listeners *);

/*
 * Make `next` what the config wants, taking from `have` what it has.  On
 * failure -1, nothing has changed, and error (CONFIG_ERROR_MAX) says why.
 * wait_ms: how long to try for a port that is still in use, by what is left
 * of a suite before this one.
 */
int listeners_open(const struct config *, const struct open_listeners *have,
    struct open_listeners *next, int wait_ms, char *error);

/*
 * Close those of `have` that are not in `kept`; for every process that
 * still holds them, unless they were given.
 */
void listeners_retire(
    struct open_listeners *have, const struct open_listeners *kept);

#endif
