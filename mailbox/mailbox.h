/* SPDX-License-Identifier: ISC */
#ifndef MAILBOX_MAILBOX_H
#define MAILBOX_MAILBOX_H

#include <stdbool.h>

#include "common/config.h"
#include "common/privileges.h"
#include "mailbox/record.h"

/* What the program knows from its start. */
struct mailbox {
	struct config config;
	bool root; /* started by root: becomes other users */
	struct account mail;	      /* when root */
	struct account userdb, queue; /* when root: who may connect */
	int mail_dir;		      /* open folder */
};

/*
 * The parent: takes records, forks a child for each, never reads anything
 * else.  Until drained; its exit code.
 */
int parent_run(struct mailbox *);

/*
 * A child: becomes the record's user for good, opens what that user has,
 * confines itself, serves fd.  stop_fd becomes readable when the service is
 * drained.  Its exit code.
 */
int child_run(
    const struct mailbox *, const struct record *, int fd, int stop_fd);

/* -- what a child serves, once confined -- */

struct delivery {
	int fd, stop_fd;
	int mail_dir;	   /* virtual users, else -1 */
	int maildir;	   /* the system user's, else -1 */
	const char *login; /* the system user's name, else NULL */
};

int delivery_serve(const struct delivery *);

struct session {
	int fd;
	int maildir;
	bool is_empty;	 /* there is no folder: maildir is -1 */
	int sizes;	 /* see sizes.h; -1: none */
	bool links_only; /* see snapshot.h */
	const char *user, *folder; /* for the log; NULL: the inbox */
	int64_t idle_ms;  /* how long the speaker may ask nothing */
	int64_t queue_lifetime;
};

int session_serve(const struct session *);

/* Say no on a session's end; never waits. */
void session_refuse(int fd, const char *verdict, const char *reason);

#endif
