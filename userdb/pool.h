/* SPDX-License-Identifier: ISC */
#ifndef USERDB_POOL_H
#define USERDB_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ipc.h"
#include "common/protocol.h"

/*
 * The checkers (checker.h), from the side that asks: a bounded number of
 * questions, each client's bounded again, and all of them with a deadline.
 */
struct pool_job {
	char client[PROTOCOL_NAME_MAX + 1];
	/* The answer, or NULL: there is none in time. */
	void (*done)(struct pool_job *, const struct packet *answer);
	/* the pool's */
	struct pool_job *next;
	uint64_t serial;
	int64_t deadline;
	bool sent;
	char *octets; /* wiped when sent */
	size_t len;
	int fd; /* -1: none */
};

enum { POOL_JOBS_MAX = 64, POOL_PATIENCE_MS = 15000 };

/* fd: the other end.  workers: how many there are. */
void pool_begin(int fd, size_t workers);

/* A request to be filled; its serial is in it. */
struct packet *pool_request(struct pool_job *, const char *verb);

/*
 * Submit what pool_request() gave, with a copy of this descriptor (-1: none).
 * done() will be called, from the loop.  False when too many wait already, in
 * all or from this client (one may fill half of the places).
 */
bool pool_submit(struct pool_job *, int fd);

/* Forget it: done() will not be called.  Right for one never submitted. */
void pool_withdraw(struct pool_job *);

#endif
