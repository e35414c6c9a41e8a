/* SPDX-License-Identifier: ISC */
#ifndef USERDB_CLIENT_H
#define USERDB_CLIENT_H

#include "common/config.h"
#include "common/ipc.h"
#include "userdb/admin.h"

/*
 * Whom a tool asks: userdb when it runs, else the database itself, which it
 * then locks and opens (as postrider-db where it is root).  Either way it
 * is the same requests, those of role-admin in common/protocol.h.
 */
struct client {
	int fd; /* to userdb; -1: we have the database open */
	struct store *store;
	struct directory directory;
	struct admin admin;
	const struct config *config;
};

/*
 * Exit codes of sysexits.h; what is wrong has been said on standard error.
 * As root with the database itself, this process is postrider-db afterwards.
 */
int client_open(struct client *, const struct config *);
void client_close(struct client *);

/* The packet becomes the answer, whatever that is. */
int client_call(struct client *, struct packet *);

/* An answer "done", whose notes are printed, or "failed", whose reason is. */
int client_done(const struct packet *);

/* Both. */
int client_do(struct client *, struct packet *);

/*
 * Read all entries of a kind (domain, user, alias, note), in order.  EX_OK;
 * EX_DATAERR when there are some that cannot be read, EX_TEMPFAIL when the
 * database has been changed meanwhile, both after all others.
 */
int client_each(struct client *, const char *kind,
    void (*found)(const struct entry *, void *context), void *context);

/* The entries of an answer to "show" (and of a page). */
int client_lines(const struct packet *,
    void (*found)(const struct entry *, void *context), void *context);

#endif
