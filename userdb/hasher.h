/* SPDX-License-Identifier: ISC */
#ifndef USERDB_HASHER_H
#define USERDB_HASHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/protocol.h"
#include "userdb/entry.h"

/*
 * Password hashes take long on purpose, so processes of their own compute
 * them: they have no database, no files and no network, only one end of a
 * socket pair that they share.
 *
 *	-> verify serial= hash= password=
 *	<- verified serial= right=	0 or 1
 */

/* The life of such a process; its exit code. */
int hasher_serve(int fd);

/* -- the side that asks -- */

struct hash_job {
	char hash[ENTRY_HASH_MAX + 1]; /* "": there is none, take your time */
	char password[PROTOCOL_PASSWORD_MAX + 1]; /* wiped when sent */
	char client[PROTOCOL_NAME_MAX + 1];
	void (*done)(struct hash_job *, bool right, bool answered);
	/* the pool's */
	struct hash_job *next;
	uint64_t serial;
	int64_t deadline;
	bool sent;
};

enum { HASH_JOBS_MAX = 64, HASH_PATIENCE_MS = 15000 };

/* fd: the other end.  workers: how many there are. */
void hash_begin(int fd, size_t workers);

/*
 * done() will be called, from the loop.  False when too many wait already,
 * in all or from this client (one may fill half of the places).
 */
bool hash_submit(struct hash_job *);

/* Forget it: done() will not be called. */
void hash_withdraw(struct hash_job *);

size_t hash_waiting(void);

#endif
