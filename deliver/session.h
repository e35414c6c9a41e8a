/* SPDX-License-Identifier: ISC */
#ifndef DELIVER_SESSION_H
#define DELIVER_SESSION_H

#include <stdbool.h>

#include "common/keys_client.h"
#include "common/stream.h"
#include "common/tls.h"
#include "deliver/caps.h"
#include "deliver/deliver.h"
#include "deliver/demand.h"
#include "deliver/job.h"
#include "deliver/reply.h"
#include "deliver/route.h"

/*
 * A conversation with one server.  The state indexes a table (states.c): how
 * long a reply may take (RFC 5321 section 4.5.3.2, in proportion when
 * smtp-timeout is not its default of five minutes), how a log line calls it.
 */
enum session_state {
	STATE_CONNECT,
	STATE_GREETING,
	STATE_EHLO,
	STATE_HELO,
	STATE_STARTTLS,
	STATE_TLS,
	STATE_LOGIN,
	STATE_READY,
	STATE_MAIL,
	STATE_RCPT,
	STATE_DATA,
	STATE_CONTENT,
	STATE_DOT,
	STATE_RSET,
	STATE_QUIT,
	STATE_CLOSED,
	SESSION_STATES
};

struct session {
	struct deliver *deliver;
	enum session_state state; /* CLOSED: there is no connection */
	struct stream stream;
	struct target target;
	char domain[PROTOCOL_ADDRESS_MAX + 1]; /* whose mail may go here */
	struct caps caps;
	struct reply reply;
	struct demand_mark mark; /* what was demanded of it */
	bool up;                 /* it came as far as READY */
	bool dirty;              /* a transaction is open: RSET first */
	unsigned transactions;   /* so far */
	struct outcome failure;  /* why it is closed */
	const char *id;          /* of the message, for log lines */
	int64_t bound;           /* monotonic: nothing lasts longer */
	bool stopped; /* the suite's stop ended it: says nothing of the host */

	/* TLS */
	struct demand *demand; /* only while it is being opened; borrowed */
	int64_t decided;       /* when, monotonic */
	struct tls_info tls;   /* empty: there is none */
	const char *verified;  /* dane|sts|pkix|no */
	char reason[TLS_ERROR_MAX + 256]; /* why it is so */
	const char *learnt; /* yes|no|broken: what the host can do */
	char login[KEYS_RELAY_USER_MAX + 1]; /* at relay-host; "": none */
	bool again;    /* to be opened once more, in the clear */
	bool unproven; /* nothing came through TLS yet */
};

/*
 * Connect and come as far as the reply to EHLO or HELO, under TLS where that
 * is demanded or can be had.  False, with the failure and without a
 * connection, when the host cannot be used.
 */
bool session_open(
    struct session *, const struct target *, struct demand *, const char *id);

static inline bool
session_is_open(const struct session *s)
{
	return s->state != STATE_CLOSED;
}

/* For tls=: "TLSv1.3:CIPHER", or "no". */
const char *session_tls(const struct session *);

/* QUIT, without much waiting for the answer. */
void session_quit(struct session *);

/* Close at once. */
void session_drop(struct session *);

/* -- for the steps of a conversation -- */

/* Wait for a reply in this state; false when the session failed of it. */
bool session_reply(struct session *, enum session_state);

/* It is over, for now, for this reason. */
void session_end(struct session *, const char *dsn, const char *text);

/* The same; phrase and state make the text. */
void session_fail(struct session *, const char *dsn, const char *reason);

/*
 * The suite stops, and nobody waits any longer here; what the host would have
 * said is not known.
 */
void session_stop(struct session *);

/* The reply ends it: 421, or a refusal of the greeting or EHLO. */
void session_refused(struct session *);

/*
 * Nothing has come that nobody asked for.  It is most often the 421 of a
 * server that closes; left there, it would be taken for the next command's
 * reply, and every later one for another's.  False: the session failed of it.
 */
bool session_in_step(struct session *);

/* Begin what must end within this state's time. */
void session_enter(struct session *, enum session_state);

/* EHLO, or HELO; the server's offers are those of the reply. */
bool session_hello(struct session *);

/* -- TLS (secure.c); each false when the session failed of it -- */

/* On a port where TLS begins at once: the handshake. */
bool secure_at_once(struct session *);

/* STARTTLS, the handshake, and EHLO anew, as the policy has it. */
bool secure_by_command(struct session *);

/* The session failed, and its policy lets it be opened in the clear. */
bool secure_may_fall_back(const struct session *);

/* What this attempt showed of the host, for ledger. */
void secure_remember(const struct session *);

/* AUTH at relay-host, where keys has a login for it (login.c). */
bool session_login(struct session *);

/* -- transactions -- */

/*
 * Send the message to those recipients of the job that are open and were
 * not refused here, in as many transactions as the server needs.  Reports
 * what is certain.  The session may be closed afterwards.
 */
void session_deliver(struct session *, struct job *);

/* The server takes no more messages in this session (MAILMAX, RFC 9422). */
bool session_is_used_up(const struct session *);

/* One transaction (RFC 5321 section 3.3) with these recipients. */
void transaction_run(
    struct session *, struct job *, struct recipient **who, size_t n);

enum content_result {
	CONTENT_SENT,
	CONTENT_STOPPED,   /* the session failed */
	CONTENT_UNREADABLE /* our file: never end such a message */
};

/* The content and its final dot, not yet its reply. */
enum content_result content_send(struct session *, const struct job *);

/*
 * Everything that can be done about a job now: by the session that is open,
 * if it leads to the job's domain, and by new ones, host after host.  Every
 * recipient has its result afterwards, unless the session was stopped.
 */
void attempt_run(struct deliver *, struct session *, struct job *);

/* -- states.c -- */

int64_t state_limit_ms(const struct config *, enum session_state);

/* How long it may still last once the suite stops. */
int64_t state_hurry_ms(enum session_state);
const char *state_phrase(enum session_state);

#endif
