/* SPDX-License-Identifier: ISC */
#ifndef USERDB_PEER_H
#define USERDB_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ipc.h"
#include "common/loop.h"

/*
 * The connections of those who ask, each of the role whose socket it came
 * in by.  We never wait for one of them: answers that it does not read
 * queue up, meanwhile no further request of its is read, and after half a
 * minute it is dropped.
 */
enum role {
	ROLE_SMTPD,
	ROLE_POP3D,
	ROLE_QUEUE,
	ROLE_ADMIN,
	ROLE_FETCH,
	ROLES
};

struct peer {
	struct watch watch;
	struct timer slow;
	struct peer *next, **link;
	enum role role;
	bool busy;  /* a request of its is under way: read no other */
	bool keeps; /* an answer that it was let keep */
	struct answer *first, **last; /* not sent yet */
	size_t waiting;		      /* octets of them */
};

/* The server's: answers a request or lets it be under way; false drops. */
typedef bool peer_request(struct peer *, struct packet *);
/* The server's: forget it. */
typedef void peer_gone(struct peer *);

/* As root, before privileges are dropped: learn the roles' uids. */
void peers_find_accounts(void);

/* Begin to listen on the inherited sockets. */
void peers_begin(peer_request *, peer_gone *);

/* No new ones. */
void peers_stop(void);

/* May drop the peer: then false, and gone() has been called. */
bool peer_answer(struct peer *, const struct packet *);

/* What was kept may be wrong now: those who keep something hear of it. */
void peers_changed(void);

/* A request that was under way has been answered. */
void peer_idle(struct peer *);

#endif
