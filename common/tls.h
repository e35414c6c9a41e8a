/* SPDX-License-Identifier: ISC */
#ifndef COMMON_TLS_H
#define COMMON_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/stream.h"
#include "common/tls_pair.h"

/*
 * TLS 1.2 and 1.3 below a stream (RFC 8446, RFC 5246, RFC 7525): ECDHE and
 * AEAD alone, no renegotiation, no compression, no early data.  After
 * TLS_OK everything that the stream reads and writes is protected, and
 * nothing will ever pass in the clear again: a peer that ends TLS has ended
 * the conversation.
 *
 * Programs that call any of this link with SSL_LIBS.
 */
enum tls_result {
	TLS_OK,
	TLS_TIMEOUT,	/* the stream's deadline passed */
	TLS_CLOSED,	/* the peer went away in the middle */
	TLS_FAILED,	/* they do not understand each other */
	TLS_UNVERIFIED	/* the server is not who it was demanded to be */
};

/* Why a handshake failed, for a log line; without line ends. */
enum { TLS_ERROR_MAX = 256 };

/* -- server -- */

/* What a session may last for that begins a handshake, at most. */
enum { TLS_HANDSHAKE_MS = 60000 };

/* SSL_CTX_set_security_level(3)'s: 112 bits. */
enum { TLS_SECURITY_LEVEL = 2 };

struct tls_server;

/*
 * alpn: the protocol's name, "smtp" or "pop3".  A client that names others
 * only was led here by somebody else, and is refused (A6, RFC 7301 section
 * 3.2).  NULL: no memory (logged).  To be called before a chroot.
 */
struct tls_server *tls_server_new(const char *alpn);
void tls_server_free(struct tls_server *);

/*
 * These pairs, all of them, from the next handshake on; whatever is needed
 * of them is kept, they stay the caller's.  A client gets the pairs that
 * cover the name it asks for, one of each kind of key; without a name, or
 * with one that nobody covers, the first pair, and of the other kinds of key
 * what covers the first one's first name.  False: one of them is no good
 * (logged), and what was before stays.  n 0: no TLS.
 */
bool tls_server_set(
    struct tls_server *, const struct tls_pair *pairs, size_t n);

/* Is there a certificate? */
bool tls_server_ready(const struct tls_server *);

/*
 * A handshake with ourselves, for a parent that is about to fork: what the
 * first one of a process costs (OpenSSL looks up each algorithm once), its
 * children then share.  False: it failed, as a client's would.
 */
bool tls_server_rehearse(struct tls_server *);

/*
 * Session tickets are made with the first and read with both; previous may
 * be NULL.  Without this, and after NULL, there are none.
 */
void tls_server_tickets(struct tls_server *,
    const unsigned char current[TLS_TICKET_KEY_SIZE],
    const unsigned char previous[TLS_TICKET_KEY_SIZE]);

/*
 * The server's side of a handshake, within the stream's deadline.  What the
 * stream had read of the client before, it forgets.  tickets: this client
 * may have some.  error: TLS_ERROR_MAX octets.
 */
enum tls_result tls_accept(
    struct tls_server *, struct stream *, bool tickets, char *error);

/* -- client -- */

struct tls_client;

/*
 * trust: n octets of certificates (PEM) that servers are verified by
 * (common/trust.h); without any, nobody can be by names.  NULL: no memory
 * (logged).  To be called before a chroot.
 */
struct tls_client *tls_client_new(const char *trust, size_t n);
void tls_client_free(struct tls_client *);

struct tls_record { /* TLSA, RFC 6698 section 2.1 */
	uint8_t usage, selector, matching;
	const unsigned char *data;
	size_t n;
};

enum tls_policy {
	TLS_ANY,   /* whoever it is (RFC 7435) */
	TLS_NAMES, /* by the trust store, for one of the names (RFC 6125) */
	TLS_DANE   /* by the records (RFC 7672 section 3.1) */
};

/*
 * What is demanded of a server.  All names are ASCII, lower case, without a
 * dot at the end.  Of records, usages 2 and 3 count alone (RFC 7672 section
 * 3.1.3), and only digests that are known; where none is left of them,
 * nobody is verified (tls_info tells).
 */
struct tls_demand {
	enum tls_policy policy;
	const char *server_name; /* for SNI; NULL: none.  TLS_DANE: the base
				  * domain of the records */
	const char *const *names; /* one must match; TLS_DANE: with usage 2,
				   * beside server_name */
	size_t nnames;
	const struct tls_record *records;
	size_t nrecords;
};

/* The client's side, as tls_accept(). */
enum tls_result tls_connect(struct tls_client *, struct stream *,
    const struct tls_demand *, char *error);

/* -- what is known of a stream -- */

struct tls_info {
	char protocol[16]; /* TLSv1.3 */
	char cipher[64];   /* TLS_AES_256_GCM_SHA384 */
	char summary[80];  /* TLSv1.3:TLS_AES_256_GCM_SHA384, for tls= */
	char name[256];	   /* server: as the client asked, "" if it did not */
	unsigned bits;	   /* of the cipher's key */
	bool resumed;
	bool verified; /* client: as TLS_NAMES or TLS_DANE demanded */
};

bool tls_is_on(const struct stream *);

/* False, and all of it empty, when the stream is not under TLS. */
bool tls_info(const struct stream *, struct tls_info *);

/*
 * The peer is going to say passwords: what was read does not stay in buffers
 * of the library.  That costs 16 KiB of memory a session.
 */
void tls_hold_secrets(struct stream *);

enum tls_binding {
	TLS_EXPORTER,	     /* "tls-exporter", RFC 9266 */
	TLS_SERVER_END_POINT, /* "tls-server-end-point", RFC 5929 section 4 */
	TLS_UNIQUE /* "tls-unique", RFC 5929 section 3; TLS 1.2 alone */
};
enum { TLS_BINDING_MAX = 64 };

/*
 * What binds a login to this very channel (RFC 5056): *n octets, at most
 * TLS_BINDING_MAX.  False where there is none of that kind.
 */
bool tls_binding(const struct stream *, enum tls_binding,
    unsigned char out[TLS_BINDING_MAX], size_t *n);

#endif
