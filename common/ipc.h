/* SPDX-License-Identifier: ISC */
#ifndef COMMON_IPC_H
#define COMMON_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/cursor.h"

/*
 * Packets between Postrider's processes: SEQPACKET Unix sockets, text
 * attributes, open descriptors beside them.
 *
 * A packet is a verb and then attributes, each string ended by a NUL:
 *
 *	verb NUL  name NUL value NUL  name NUL value NUL ...
 *
 * Who reads one states the exact attributes it expects, in order, with the
 * longest value it will take; anything else is a malformed packet, and the
 * reader drops that peer (and nothing else).  There is never a struct on the
 * wire and never a value without a bound.
 *
 * Several that are known at one time may travel together, so that they cost
 * one call and one wake-up: an empty string stands between one and the next,
 * and descriptors belong to the last.  Each is read as if it had come alone.
 */
enum {
	IPC_PACKET_MAX = 16384,
	IPC_TOGETHER_MAX = 128, /* packets */
	IPC_FDS_MAX = 4,
};

struct packet {
	size_t len;
	size_t nfds;
	int fds[IPC_FDS_MAX];
	size_t together; /* others before the one being written */
	bool failed;     /* did not fit; such a packet is never sent */
	char octets[IPC_PACKET_MAX];
};

/* -- writing -- */

void packet_start(struct packet *, const char *verb);
void packet_text(struct packet *, const char *name, const char *value);
void packet_number(struct packet *, const char *name, uint64_t value);

/*
 * Another one behind what was written so far.  No descriptor may have been
 * attached before.
 */
void packet_also(struct packet *, const char *verb);

/* Is it time to send, before another is written behind? */
bool packet_is_full(const struct packet *);

/* Send this descriptor too; it stays the caller's. */
void packet_attach(struct packet *, int fd);

/* -- reading -- */

/* The verb; "" in a packet without one. */
const char *packet_verb(const struct packet *);
bool packet_is(const struct packet *, const char *verb);

struct attribute {
	const char *name;
	size_t max;        /* longest text, without its NUL */
	const char **text; /* where to; points into the packet */
	uint64_t *number;  /* or a number */
	bool optional;     /* when absent: text NULL, number 0 */
};

#define ATTRIBUTE_TEXT(n, longest, where)                                      \
	((struct attribute){.name = (n), .max = (longest), .text = (where)})
#define ATTRIBUTE_NUMBER(n, where)                                             \
	((struct attribute){.name = (n), .number = (where)})
#define ATTRIBUTE_TEXT_OPTIONAL(n, longest, where)                             \
	((struct attribute){                                                   \
	    .name = (n), .max = (longest), .text = (where), .optional = true})
#define ATTRIBUTE_NUMBER_OPTIONAL(n, where)                                    \
	((struct attribute){.name = (n), .number = (where), .optional = true})

/*
 * Read the attributes of a packet that bears this verb.  True when they are
 * exactly those of the set, in this order (optional ones may be missing),
 * and the packet carries exactly nfds descriptors.
 */
bool packet_read(const struct packet *, const char *verb,
    const struct attribute *set, size_t n, size_t nfds);

/* For lists: a cursor behind the verb, and its next attribute. */
struct cursor packet_cursor(const struct packet *);
bool packet_next(struct cursor *, const char **name, const char **value);

/*
 * Of what travelled together, the one at *at (0: the first) into one, and
 * *at to the next; with the last go the descriptors.  False at the end.
 */
bool packet_split(struct packet *together, size_t *at, struct packet *one);

/* Take descriptor i out of a received packet: the caller's from now on. */
int packet_detach(struct packet *, size_t i);

/* Close the descriptors that are still in a received packet. */
void packet_close(struct packet *);

/* -- sockets -- */

enum ipc_result {
	IPC_OK,
	IPC_CLOSED,  /* the peer is gone */
	IPC_TIMEOUT, /* the deadline passed; with deadline 0: would block */
	IPC_ERROR    /* errno tells; a truncated packet is EBADMSG */
};

/*
 * deadline_ms is monotonic (common/clock.h); 0 never waits, negative waits
 * for ever.  ETOOMANYREFS (too many descriptors in flight) is a wait, too.
 * A received packet's descriptors are close-on-exec and the caller's to
 * detach or close.
 */
enum ipc_result ipc_send(int fd, const struct packet *, int64_t deadline_ms);
enum ipc_result ipc_receive(int fd, struct packet *, int64_t deadline_ms);

/* Send, then receive the answer into the same packet. */
enum ipc_result ipc_call(int fd, struct packet *, int64_t deadline_ms);

/* The peer is there, and has said nothing that was not received. */
bool ipc_is_quiet(int fd);

/* All descriptors made here are close-on-exec; -1 and errno on failure. */
int ipc_connect(const char *path);

/*
 * The same for a process that must never wait: EAGAIN where so many wait to be
 * accepted that one would have to.
 */
int ipc_connect_now(const char *path);
int ipc_listen(const char *path, mode_t mode); /* replaces a stale socket */
int ipc_accept(int listener);                  /* non-blocking descriptor */
int ipc_pair(int ends[2]);

/* Who made the other end (SO_PEERCRED). */
int ipc_peer(int fd, uid_t *, pid_t *);

#endif
