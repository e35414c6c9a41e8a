/* SPDX-License-Identifier: ISC */
#ifndef USERDB_SERVICE_H
#define USERDB_SERVICE_H

#include "common/config.h"

/*
 * userdb is three kinds of process.  The watcher, which the supervisor
 * started, starts the others and starts them anew when they die: one server,
 * which alone opens the database, and some checkers.  A server that does not
 * answer for five seconds is killed; the next one recovers the database.
 *
 *	watcher -> server	server -> watcher
 *	  ping			  ready		serving from now on
 *	  drain			  pong busy=	logins under way
 *	  reload +fd
 *	  jwks path= [error=] [+fd]
 *				the file of a token issuer's keys
 */
struct service {
	struct config config;
	const char *config_name;
	int check_ends[2]; /* server's, checkers' */
	unsigned checkers;
};

/* The watcher's life; its exit code. */
int watch_run(struct service *);

/* The server's, in a child; channel leads to the watcher. */
int server_run(struct service *, int channel);

/* The sandbox: the database and nothing else; who forks, forks into it. */
void service_confine(const struct service *, bool forks);

/* Take the config from this descriptor; false, logged, when it is bad. */
bool service_reload(struct service *, int fd);

#endif
