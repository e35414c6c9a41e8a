/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_TOOL_H
#define QUEUE_TOOL_H

#include <stdbool.h>

#include "common/config.h"
#include "common/ipc.h"

/*
 * postrider-queue: asks the daemon (of tls-policy: ledger) over role-admin, or, while the suite is
 * stopped, looks into the spool itself under the daemon's lock.  Both ways
 * give the packets of queue/admin.h, which are then printed.
 */
struct tool {
	const char *program;
	bool json;
	int daemon; /* connected, or -1: direct */
};

/* What a packet of an answer is given to; false: it makes no sense. */
typedef bool tool_print(struct tool *, const struct packet *);

bool print_listed(struct tool *, const struct packet *);
bool print_shown(struct tool *, const struct packet *);
void print_list_begin(const struct tool *);
void print_list_end(const struct tool *);
void print_show_end(const struct tool *);

/* -- without a daemon: exit codes -- */

/* Drops what is not needed, takes the lock. */
int direct_open(struct tool *, const struct config *);
int direct_list(struct tool *);
int direct_show(struct tool *, const char *id);
int direct_cat(struct tool *, const char *id);
int direct_delete(struct tool *, const char *id);

/* What ledger knows of a domain's TLS; daemon is ledger's. */
int policy_show(struct tool *, const char *domain);

/* "PROGRAM: what: why" to standard error; returns code. */
int tool_fail(
    const struct tool *, int code, const char *what, const char *why);
int tool_unknown(const struct tool *, const char *id);

/* Copy a content to standard output. */
int tool_copy(const struct tool *, int fd);

#endif
