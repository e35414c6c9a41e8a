/* SPDX-License-Identifier: ISC */
#ifndef COMMON_PEER_H
#define COMMON_PEER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/ipc.h"
#include "common/loop.h"

/*
 * One end of an internal connection on the loop.  Sending never waits:
 * packets that the socket does not take now are kept, up to a bound; a peer
 * that lets them pile up beyond it is dropped.
 */
struct outgoing;

struct peer {
	struct peer *next, *previous; /* of all there are */
	struct watch watch;
	struct timer later; /* too many descriptors in flight: try again */
	const char *role;   /* for the log */
	struct outgoing *first, *last;
	size_t queued, most; /* packets kept, and their bound */
	bool dropped;        /* cut off, and said so */
	void *context;       /* for who sets drained */
	/*
	 * A packet has come; its descriptors that are not detached are closed
	 * afterwards.  False: it is malformed; the peer is dropped.
	 */
	bool (*packet)(struct peer *, struct packet *);
	/* The other end is gone or was dropped.  To call peer_end(). */
	void (*closed)(struct peer *);
	/* All that was kept has been sent; may be NULL. */
	void (*drained)(struct peer *);
};

/* fd becomes the peer's, also on failure: -1 and errno, nothing to end. */
int peer_begin(struct peer *, int fd);

/* Stop listening, close.  Right more than once, and in any callback. */
void peer_end(struct peer *);

/*
 * Send, now or later.  Failures show as closed(), later, from the loop.
 */
void peer_send(struct peer *, const struct packet *);

/* Everything has been taken by the socket. */
bool peer_is_clear(const struct peer *);

/* How many peers of that role there are between begin and end. */
size_t peer_count(const char *role);

/* A listening socket of a role. */
struct listener {
	struct watch watch;
	void (*accepted)(struct listener *, int fd);
	struct timer pause; /* out of descriptors: listen again later */
};

void listener_begin(
    struct listener *, int fd, void (*accepted)(struct listener *, int fd));
void listener_end(struct listener *);

#endif
