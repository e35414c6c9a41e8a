/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_SESSION_H
#define SMTPD_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/address.h"
#include "common/config.h"
#include "common/dns.h"
#include "common/dsn.h"
#include "common/netaddr.h"
#include "common/protocol.h"
#include "common/stream.h"
#include "common/tls.h"
#include "common/verdict.h"
#include "smtpd/arrival.h"
#include "smtpd/lists.h"
#include "smtpd/owners.h"
#include "smtpd/policy.h"

/* One SMTP session, from the greeting to the end (RFC 5321 section 3). */

/* The envelope between MAIL and the end of DATA, RSET or EHLO. */
struct transaction {
	bool open; /* MAIL was accepted */
	struct address sender;
	char sender_text[ADDRESS_TEXT_MAX + 1];
	bool body_8bit, utf8; /* as MAIL asked */
	uint64_t size;        /* as MAIL said, 0: it did not */
	bool utf8_address;    /* sender or a recipient is not ASCII */
	enum dsn_ret ret;
	char envid[DSN_ENVID_MAX + 1]; /* "": none */
	char **recipients;             /* owned, each owned */
	struct dsn_recipient *asked;   /* of each; owned, as is orcpt */
	size_t nrecipients;
	size_t room; /* of the arrays */
	struct owners_place place; /* of the recipient looked up last */
	bool counted; /* ledger knows of the message */
	struct tallies_mailboxes mailboxes; /* of its recipients */
	/* What was judged of its message, for the log; NULL: nothing was. */
	const char *spf, *dkim, *dmarc;
	char author[DNS_NAME_MAX + 1]; /* the domain in From; "" */
	const char *trust; /* the keyword that stood in for a pass; NULL */
	const char *junk;  /* as struct submit_envelope has it */
	/* Who stands behind it (grey.h); owned, NULL. */
	bool key_sought;
	char *key;
	struct spf_result *spf_result; /* of the sender; owned, NULL */
	uint64_t grey_wait;            /* seconds, of the last recipient */
};

/* Who the client is, looked up once (client.c). */
struct client {
	struct sockaddr_storage address; /* AF_UNSPEC: not known */
	struct sockaddr_storage local;   /* ours that it came to, likewise */
	char text[NETADDR_TEXT_MAX];     /* 192.0.2.1, "unknown" */
	char name[DNS_NAME_MAX + 1];     /* confirmed, "" if there is none */
	bool named;                      /* the look-up is done */
	bool name_unclear;               /* the DNS did not tell */
	bool looked_up;                  /* in the lists */
	struct lists_result lists;       /* what they say */
};

struct worker;
struct session_world;

struct session {
	const struct config *config;
	struct stream stream;
	struct owners *owners;
	struct dns *dns;         /* NULL: no look-ups */
	struct tls_service *tls; /* NULL: none */
	const struct session_world *world;
	const struct arrival *arrival; /* NULL: it came to us at once */
	struct client client;
	struct policy_client facts;
	bool plaintext_auth;               /* may log in without TLS */
	char helo[ADDRESS_DOMAIN_MAX + 1]; /* "" before HELO */
	bool extended;                     /* EHLO */
	char protection[80];               /* tls= of a log line, "": none */
	char login[PROTOCOL_LOGIN_MAX + 1];
	const char *mechanism; /* of the last login; NULL */
	struct milters *milters; /* NULL: none was asked yet */
	bool saw_password; /* serve nobody else after this */
	struct transaction transaction;
	struct buf line;    /* the command, NUL-terminated */
	unsigned errors;    /* since the last accepted message */
	unsigned refused;   /* recipients, likewise */
	unsigned fruitless; /* commands that lead nowhere, likewise */
	int64_t fruitful; /* monotonic: its begin, or the last message's end */
	bool draining, closing;
	bool dry; /* of postrider explain: owners count nothing of it */
};

/* What the sessions of a process share, one after the other. */
struct session_world {
	const struct config *config;
	struct owners *owners;
	struct dns *dns;         /* NULL: no look-ups */
	struct tls_service *tls; /* NULL: no TLS */
	/* Others wait, and there is nobody to serve them; NULL: never. */
	bool (*is_pressed)(const struct worker *);
	const struct worker *worker;
};

/*
 * Serve the connection on fd, which is closed at the end.  arrival: what
 * smtp-gate knows of who handed it over; NULL: nobody did.  stop_fd: as
 * struct stream has it.  Returns whether the process may serve another.
 */
bool session_serve(const struct session_world *, enum listener_kind,
    const struct arrival *, int fd, int stop_fd);

/* -- for the commands -- */

struct mail_command;
struct rcpt_command;
void transaction_begin(struct transaction *, const struct mail_command *);
bool transaction_has(const struct transaction *, const char *recipient);

/* False: no memory. */
bool transaction_add(
    struct transaction *, const char *recipient, const struct rcpt_command *);

/* Those that are that one, letters without case, are gone. */
bool transaction_remove(struct transaction *, const char *recipient);

/* One line with an enhanced status code; text has no line ends. */
void session_reply(
    struct session *, int smtp, const char *enhanced, const char *text);

/* The same, and one more error on the session's account. */
void session_refuse(
    struct session *, int smtp, const char *enhanced, const char *text);

/* The same, and the connection is closed. */
void session_close(
    struct session *, int smtp, const char *enhanced, const char *text);

/*
 * What the verdict's row says; an error where it refuses for good, and the
 * end of the connection where policy_closes().
 */
void session_verdict(struct session *, enum verdict);

/* The same with another text in place of the row's; "": the row's. */
void session_verdict_text(struct session *, enum verdict, const char *text);

/* What was judged, for a line in the log. */
#define SESSION_JUDGED(s)                                                      \
	log_text("spf", (s)->transaction.spf),                                 \
	    log_text("dkim", (s)->transaction.dkim),                           \
	    log_text("dmarc", (s)->transaction.dmarc),                         \
	    log_text("author",                                                 \
		(s)->transaction.author[0] != '\0' ? (s)->transaction.author   \
						   : NULL),                    \
	    log_text("trust", (s)->transaction.trust),                         \
	    log_text("lists",                                                  \
		(s)->client.lists.names[0] != '\0' ? (s)->client.lists.names   \
						   : NULL),                    \
	    log_text("key", (s)->transaction.key)

/* A line in the log: what was refused to whom and why. */
void session_log_refusal(
    struct session *, const char *id, const char *recipient, enum verdict);

/* Likewise, what a content filter has refused. */
struct milter_refusal;
void session_log_filter(struct session *, const char *id,
    const char *recipient, const char *filter, const struct milter_refusal *);

/* Likewise, for a MAIL or RCPT whose argument cannot be read. */
struct reply;
void session_log_malformed(
    struct session *, const char *argument, const struct reply *);

void session_reset(struct session *);

/* The connection ended or went silent where more was to come. */
void session_lost(struct session *, const char *id, enum stream_result);

/* A session without a message lasts so many times what a command may take. */
enum { SESSION_PATIENCE = 6 };

/*
 * Others wait, no process is free, and this client has had its time, so many
 * milliseconds since then, for what it does.
 */
bool session_is_in_the_way(const struct session *, int64_t since, int64_t ms);

/* Is the client offered DSN (RFC 3461)? */
bool session_offers_dsn(const struct session *);

/* The client's confirmed name; looks it up at the first call. */
const char *client_name(struct session *);

/* What the lists say of it: as the gate says, or asked at the first call. */
const struct lists_result *client_lists(struct session *);
void client_init(struct session *, int fd);

/* client.address is there: all else that it says of the client. */
void client_know(struct session *);

/* -- the commands; argument is without white space at its ends -- */

void smtp_helo(struct session *, const char *argument);
void smtp_ehlo(struct session *, const char *argument);
void smtp_mail(struct session *, const char *argument);
void smtp_rcpt(struct session *, const char *argument);
void smtp_data(struct session *, const char *argument);
void smtp_auth(struct session *, const char *argument);
void smtp_starttls(struct session *, const char *argument);

#endif
