/* SPDX-License-Identifier: ISC */
#ifndef COMMON_KEYS_CLIENT_H
#define COMMON_KEYS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/tls_pair.h"

/*
 * A speaker's conversation with `keys` (common/protocol.h): certificates and
 * ticket keys, signatures for the keys of common/tls_key.h, a relay host's
 * secret.  One a process; it connects when it first needs to, and anew when
 * `keys` was started anew, or when this process was forked from the one that
 * connected.  Deadlines are monotonic milliseconds.
 *
 * A pool's parent loads before it forks, so that workers inherit the parsed
 * chains; a worker then asks before each handshake:
 *
 *	if (keys_client_changed(keys) && keys_client_load(keys, ...) == -1)
 *		no TLS now
 */
struct keys_client;
struct tls_server;

/* path: of the socket, below the process's folder ("keys").  NULL: ENOMEM.
 * Becomes the process's signer (tls_key_signer()). */
struct keys_client *keys_client_new(const char *path);

/* Connect now, for a process that cannot later; -1 and errno. */
int keys_client_connect(struct keys_client *);

/*
 * Ask what is in use, and give it to the server: tls_server_set() when the
 * certificates differ from those that were given before, then
 * tls_server_tickets() (common/tls.h).  0; -1 when `keys` could not be asked
 * in time or the server took none of it (logged).
 */
int keys_client_load(
    struct keys_client *, struct tls_server *, int64_t deadline_ms);

/* How many certificates there were at the last load; 0: no TLS. */
size_t keys_client_count(const struct keys_client *);

/* Load again before the next handshake: one recv(2) that does not wait. */
bool keys_client_changed(struct keys_client *);

/* What to log in to a relay host with. */
enum {
	KEYS_RELAY_USER_MAX = 400,
	KEYS_RELAY_SECRET_MAX = 8192 /* a token may be long */
};
struct keys_relay {
	char user[KEYS_RELAY_USER_MAX + 1];
	bool is_token; /* OAUTHBEARER, XOAUTH2; else a password */
	char secret[KEYS_RELAY_SECRET_MAX + 1]; /* explicit_bzero() it */
};

/*
 * Role deliver's alone, behind a handshake that verified the host.  1: there
 * is one; 0: none is stored for that host, or it is not the config's
 * relay-host; -1: there is one, but not now (logged).
 */
int keys_client_relay(struct keys_client *, const char *host,
    struct keys_relay *, int64_t deadline_ms);

#endif
