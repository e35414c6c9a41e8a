/* SPDX-License-Identifier: ISC */
#ifndef COMMON_TLS_SERVICE_H
#define COMMON_TLS_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "common/loop.h"
#include "common/tls.h"

/*
 * TLS as a speaker serves it: its server, and `keys` that signs for it.  A
 * process has one; a pool's workers inherit their parent's, with the parsed
 * certificates.
 */
struct keys_client;

struct tls_service {
	const char *name; /* of the program, for the log */
	struct tls_server *server;
	struct keys_client *keys;
	uint64_t tickets;   /* kinds of listeners whose clients get some */
	int64_t timeout_ms; /* of a handshake */
	bool loaded;	    /* `keys` has been asked, once at least */
	struct timer watch; /* a parent's */
};

/*
 * Before the chroot; timeout_s: what the program gives a client otherwise.
 * Ends the process (EX_OSERR) where there is no memory.
 */
void tls_service_init(struct tls_service *, const struct config *,
    const char *name, const char *alpn, uint64_t timeout_s);

/*
 * In the process's folder, where the socket of `keys` lies: connect, and
 * take what certificates there are.  Without an answer there is no TLS until
 * there is one (logged).
 */
void tls_service_begin(struct tls_service *);

/*
 * In a pool's parent, behind loop_init(): take over what changes, a few
 * seconds later, so that workers that are forked from then on share it, too.
 */
void tls_service_watch(struct tls_service *);

/*
 * Is there TLS for the next client?  Takes over what has changed.  NULL: no.
 */
bool tls_service_ready(struct tls_service *);

/* `keys` said that there are no certificates: nobody wants TLS here. */
bool tls_service_is_off(const struct tls_service *);

/*
 * tls_accept() within a time of its own; the stream's deadline is another
 * then.  A failure is logged, the client by this name.
 */
bool tls_service_accept(struct tls_service *, struct stream *,
    enum listener_kind, const char *client);

#endif
