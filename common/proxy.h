/* SPDX-License-Identifier: ISC */
#ifndef COMMON_PROXY_H
#define COMMON_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct config_nets;

/*
 * The PROXY protocol, versions 1 and 2: the header by which a proxy says
 * whose connection it hands on.  It stands before all that the client says,
 * TLS included, and is worth as much as whom it comes from.
 */
enum {
	PROXY_V1_MAX = 107, /* octets of the line, with its CRLF */
	PROXY_MAX = 4096,   /* octets of a header that we take, TLVs included */
	PROXY_WAIT_MS = 5000 /* for all of it */
};

enum proxy_result {
	PROXY_MORE, /* so far it may become one */
	PROXY_DONE,
	PROXY_BAD /* whatever comes behind it */
};

struct proxy_header {
	/*
	 * PROXY_DONE: octets of the header.  PROXY_MORE: octets that it has at
	 * least, more than n, at most PROXY_MAX; who reads up to there reads
	 * nothing of the client's.
	 */
	size_t size;
	/*
	 * PROXY_DONE: the proxy speaks for itself (LOCAL: it looks whether we
	 * live), or does not know for whom (UNKNOWN, UNSPEC): the client is
	 * the socket's peer.
	 */
	bool own;
	/* PROXY_DONE and not own: the client, with its port, unmapped. */
	struct sockaddr_storage client;
};

/* The first n octets of a connection; pure. */
enum proxy_result proxy_parse(
    const void *octets, size_t n, struct proxy_header *);

/* Whose connection it is. */
struct proxy_client {
	struct sockaddr_storage address; /* unmapped; AF_UNSPEC: not known */
	bool proxied; /* a proxy says so, and the kernel knows the proxy's */
};

/* The socket's peer, as far as the kernel knows it. */
void proxy_find_peer(int fd, struct proxy_client *);

/*
 * The peer of this connection, of which nothing was read yet, becomes the
 * client: where it is one of the proxies, waits for the header, for
 * PROXY_WAIT_MS at the most, and takes it.  False (logged, but where nothing
 * came at all): there was none, and the connection is to be closed.
 */
bool proxy_find_client(
    int fd, const struct config_nets *proxies, struct proxy_client *);

#endif
