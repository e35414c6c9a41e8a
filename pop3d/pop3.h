/* SPDX-License-Identifier: ISC */
#ifndef POP3D_POP3_H
#define POP3D_POP3_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/config.h"
#include "common/netaddr.h"
#include "common/protocol.h"
#include "common/stream.h"
#include "common/tls_service.h"
#include "common/verdict.h"
#include "pop3d/maildrop.h"

/* One POP3 session (RFC 1939, RFC 2449). */

enum {
	POP3_COMMAND_MAX = 255,	 /* with CRLF, RFC 2449 section 4 */
	POP3_TIMESTAMP_MAX = 320,
	POP3_RESPONSE_MAX = 512, /* with CRLF */
	POP3_LOGINS_MAX = 3	 /* attempts before we hang up */
};

enum pop3_state { POP3_AUTHORIZATION = 1, POP3_TRANSACTION = 2 };

struct proxy_client;

struct pop3 {
	const struct config *config;
	enum listener_kind kind;
	struct tls_service *tls; /* NULL: none */
	struct stream stream;
	enum pop3_state state;
	const char *ended; /* why the session is over; NULL while it goes on */
	char client[NETADDR_TEXT_MAX];
	bool plaintext_allowed; /* USER and PASS without TLS, from there */
	int userdb; /* connected already (inetd), else -1 */

	char timestamp[POP3_TIMESTAMP_MAX]; /* for APOP; "": not taken */
	char user[POP3_COMMAND_MAX + 1]; /* as given with USER, "" none */
	char login[PROTOCOL_LOGIN_MAX + 1]; /* canonical, after login */
	bool saw_password;
	unsigned attempts, errors;

	struct maildrop drop;
	uint64_t retrieved, retrieved_octets, removed;
};

/* What the sessions of a process share, one after the other. */
struct pop3_world {
	const struct config *config;
	struct tls_service *tls; /* NULL: no TLS */
	int userdb; /* an open connection to it, -1: made when it is needed */
};

/*
 * Serve one client to the end.  in and out become the session's.  True when
 * no password was seen, so that this process may serve another client.
 */
bool pop3_serve(const struct pop3_world *, enum listener_kind,
    const struct proxy_client *, int in, int out);

/* -- between the files of this program -- */

void pop3_ok(struct pop3 *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A refusal that the client is to blame for counts against it. */
void pop3_error(struct pop3 *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void pop3_failure(struct pop3 *, const char *text); /* ours */
void pop3_end(struct pop3 *, const char *why);

/* The connection ended or went silent. */
void pop3_lost(struct pop3 *, enum stream_result);

/* Is STLS among what this server can do now (RFC 2595 section 4)? */
bool pop3_offers_stls(struct pop3 *);

/* The handshake.  False: it failed, and nothing more may be said. */
bool pop3_shake(struct pop3 *);

/* The command in this line, done and answered. */
void pop3_command(struct pop3 *, struct span line);

/* May one log in over this connection, and by USER and PASS? */
bool pop3_may_login(const struct pop3 *);
bool pop3_takes_passwords(const struct pop3 *);

/* CAPA's line of mechanisms, where there are any (RFC 5034 section 6). */
void pop3_announce_auth(struct pop3 *);

/* An attempt to log in: as common/login.h, then what came of it. */
struct login;
void pop3_login_init(struct pop3 *, struct login *);
void pop3_login(struct pop3 *, struct login *, enum verdict);

/* Commands with files of their own. */
void pop3_user(struct pop3 *, struct span args);
void pop3_stls(struct pop3 *, struct span args);
void pop3_pass(struct pop3 *, struct span args);
void pop3_apop(struct pop3 *, struct span args);
void pop3_auth(struct pop3 *, struct span args);
void pop3_list(struct pop3 *, struct span args);
void pop3_uidl(struct pop3 *, struct span args);
void pop3_dele(struct pop3 *, struct span args);
void pop3_retr(struct pop3 *, struct span args);
void pop3_top(struct pop3 *, struct span args);

/*
 * The argument that names a message: false when it was refused, and the
 * client told why.
 */
bool pop3_message(struct pop3 *, struct span *args, uint64_t *number);

#endif
