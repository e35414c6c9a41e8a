/* SPDX-License-Identifier: ISC */
#ifndef COMMON_CONTROL_H
#define COMMON_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A service's side of its conversation with the supervisor, over the
 * inherited descriptor "control" (packets of common/ipc.h):
 *
 *	service -> supervisor
 *	  ready					serving now
 *	  crashed				a worker died of a signal: start a
 *						fresh parent, then drain me
 *	  renew					what I may touch was fixed when I
 *						started, and is another now: the
 *						same
 *	  status processes= busy= [messages=]	the answer to status
 *	supervisor -> service
 *	  drain					finish what runs, then exit 0
 *	  retire				a fresh parent serves now: the
 *						same, but sessions may take all
 *						the time they want
 *	  status
 *	  reload, with the new config as a descriptor
 *	  file name= index= count= [path=] [error=] [starting=1] [+fd]
 *						one of the files that the table
 *						of services says it gets, opened;
 *						all of a name one after another,
 *						before "ready" is expected, at
 *						reload, and when one of them has
 *						become another file
 *
 * When the supervisor is gone the service drains.
 */
struct control_status {
	uint64_t processes; /* of this service, its parent included */
	uint64_t busy;	    /* that serve somebody now */
	uint64_t messages;  /* in the queue; only the queue sets it */
	bool has_messages;
};

/* Strings are the packet's: copy what is to be kept. */
struct control_file {
	const char *name; /* tls-certificate, tls-key, oauth-jwks */
	size_t index;	  /* 0-based: of the config's files of that name */
	size_t count;	  /* 0: there are none; this says so, and no more */
	const char *path;
	const char *error; /* NULL; or why it could not be opened */
	int fd;		   /* the callee's; -1: there is none */
	bool starting;	   /* the suite starts: what is wrong stops it */
};

struct control_handlers {
	void (*drain)(void);
	/* NULL where it is the same as drain. */
	void (*retire)(void);
	/* NULL where a fresh parent is started instead.  fd is the callee's. */
	void (*reload)(int config_fd);
	void (*status)(struct control_status *);
	/* NULL where the table of services gives it none. */
	void (*file)(const struct control_file *);
};

/*
 * Begin to listen on the loop (common/loop.h).  SIGTERM drains, too.  Does
 * nothing but that when there is no inherited "control" (a test, a tool).
 */
void control_begin(const struct control_handlers *);
void control_ready(void);

/* In a forked child: the conversation is the parent's alone. */
void control_after_fork(void);

void control_crashed(void);
void control_renew(void);

/*
 * What every service does first: inherited descriptors, log, config.  The
 * config comes from the inherited descriptor "config", else from path.
 * Ends the process with EX_CONFIG and a message when it is bad.
 */
struct config;
void service_begin(const char *program, struct config *, const char *path);

#endif
