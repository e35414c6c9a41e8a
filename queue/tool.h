/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_TOOL_H
#define QUEUE_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/fs.h"
#include "common/ipc.h"
#include "queue/envelope.h"
#include "queue/holds.h"
#include "queue/select.h"

/*
 * postrider-queue: asks the daemon (of tls-policy: ledger) over role-admin
 * (queue/admin.h), or, while the suite is stopped, looks into the spool itself
 * under the daemon's lock.  Envelopes it reads itself either way.
 *
 * Functions that return int return an exit code (sysexits(3)), EX_OK or what
 * went wrong, which they have said on standard error.
 */
enum { TOOL_TOP = 10 };

struct tool_options {
	struct selection selection;
	char **words; /* arguments that are no ids; borrowed */
	size_t nwords;
	const char *reason;
	bool list_rules, verbose, has_since, has_until;
	const char *since, *until;
	const char **logs; /* files; owned */
	size_t nlogs;
	uint64_t top;
};

/* A message, as the index has it. */
struct row {
	uint64_t id;
	int64_t born, next; /* unix seconds; next 0: now */
	unsigned attempts;
	enum queue_state state;
};

struct tool {
	const char *program;
	const struct config *config;
	struct tool_options options;
	bool json;
	bool brief;       /* client, helo and protocol are not wanted */
	int daemon;       /* connected, or -1 */
	int ledger;       /* likewise, of release */
	bool direct;      /* the spool is ours meanwhile */
	int folder;       /* spool/envelope; -1 until it is needed */
	int64_t now;      /* unix seconds, when it was started */
	struct row *rows; /* once read; the oldest first */
	size_t n, room;
	struct holds rules; /* once read */
};

/* "PROGRAM: what: why" to standard error; returns code. */
int tool_fail(const struct tool *, int code, const char *what, const char *why);
int tool_unknown(const struct tool *, const char *id);
int tool_no_memory(const struct tool *);

/* Copy a content to standard output. */
int tool_copy(const struct tool *, int fd);

/* As in file names, logs and packets. */
void tool_id(uint64_t id, char out[FS_ID_SIZE]);

/* -- the daemon: queue/tool-ask.c -- */

/*
 * Send, and receive the answer into the same packet.  When that is "unknown"
 * or "failed", the code says so.
 */
int ask(struct tool *, struct packet *);
int ask_next(struct tool *, struct packet *); /* of several; closes nothing */
int ask_malformed(const struct tool *);

/* -- what there is: queue/tool-index.c -- */

/*
 * Read the index and the rules: of all messages, or of the selection's ids
 * when it has any.  An id that is not there is no error here.
 */
int index_load(struct tool *);
bool index_add(struct tool *, const struct row *); /* false: no memory */

/* Say which of the selection's ids were not there: EX_NOINPUT, or EX_OK. */
int index_missing(const struct tool *);

/* -- reading envelopes: queue/tool-scan.c -- */

/*
 * Give each message that the selection wants to the visitor, the oldest
 * first, with its envelope; several threads read.  Before index_load().
 */
typedef int visit(
    struct tool *, const struct row *, const struct envelope *, void *context);
int scan(struct tool *, visit *, void *context);

/* ENVELOPE_WHOLE; -1: errno tells why it cannot be read, ENOENT: gone. */
int scan_envelope(int folder, uint64_t id, bool brief, struct envelope *);

/* -- without a daemon: queue/tool-direct.c -- */

/* Take the lock; complain when that fails. */
int direct_open(struct tool *, bool complain);
int direct_index(struct tool *);
int direct_content(const char *id); /* a descriptor; -1 and errno */

/*
 * To one message: EX_OK, and it is done, though not yet on stable storage.
 */
int direct_delete(struct tool *, const char *id);
int direct_hold(struct tool *, const char *id);
int direct_release(struct tool *, const char *id);
int direct_rules(struct tool *); /* write them, and wait for the disk */

/* -- commands -- */

int list_run(struct tool *);
int show_run(struct tool *);
int cat_run(struct tool *);
int why_run(struct tool *);
int trace_run(struct tool *);
int stats_run(struct tool *);
int hold_run(struct tool *);
int release_run(struct tool *);
int flush_run(struct tool *);
int requeue_run(struct tool *);
int delete_run(struct tool *);
int policy_run(struct tool *); /* daemon is ledger's */

#endif
