/* SPDX-License-Identifier: ISC */
#ifndef COMMON_SASL_H
#define COMMON_SASL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/protocol.h"
#include "common/scram.h"
#include "common/verdict.h"

/*
 * SASL (RFC 4422), both sides, without a socket and without base64: who
 * speaks SMTP (RFC 4954) or POP3 (RFC 5034) carries challenges and
 * responses, the mechanisms are here.
 */

/* -- names (sasl_names.c) -- */

enum sasl_mechanism {
	SASL_PLAIN,		 /* RFC 4616 */
	SASL_LOGIN,		 /* draft-murchison-sasl-login-00 */
	SASL_SCRAM_SHA_256,	 /* RFC 7677 */
	SASL_SCRAM_SHA_256_PLUS, /* the same, bound to the TLS channel */
	SASL_OAUTHBEARER,	 /* RFC 7628 */
	SASL_XOAUTH2,
	SASL_CRAM_MD5, /* RFC 2195 */
	SASL_MECHANISMS
};

/* Sets of them are unsigned. */
#define SASL_SET(mechanism) (1U << (mechanism))

const char *sasl_name(enum sasl_mechanism);

/* Whatever the case; SASL_MECHANISMS when there is none of that name. */
enum sasl_mechanism sasl_named(const char *name, size_t n);

/* Of a list with white space between; the unknown ones are left out. */
unsigned sasl_set(const char *names);

/* " PLAIN LOGIN": each with a space before it. */
void sasl_list(unsigned set, struct buf *out);

/* -- the channel below -- */

enum sasl_binding {
	SASL_TLS_EXPORTER,	  /* RFC 9266 */
	SASL_TLS_SERVER_END_POINT, /* RFC 5929 section 4 */
	SASL_TLS_UNIQUE /* RFC 5929 section 3; before TLS 1.3 */
};
enum { SASL_BINDING_MAX = 64 };

struct sasl_channel {
	bool tls;
	/*
	 * The binding's octets, at most SASL_BINDING_MAX; false: there is no
	 * such binding.  NULL: there is none at all.
	 */
	bool (*binding)(
	    void *context, enum sasl_binding, unsigned char *out, size_t *n);
	void *context;
};

/* -- what comes of a step -- */

enum sasl_step {
	SASL_MORE,	 /* say this challenge (response), step with the answer */
	SASL_END,	 /* verdict tells */
	SASL_MALFORMED,	 /* the client's response is none of this mechanism */
	SASL_NOT_INITIAL /* an initial response, where the server begins */
};

enum {
	SASL_RESPONSE_MAX = 9216, /* 12288 in base64, RFC 4954 section 4 */
	SASL_CHALLENGE_MAX = 4096
};

/* -- the server -- */

struct sasl_scram {
	char nonce[SCRAM_NONCE_MAX + 1]; /* the server's half */
	char salt[SCRAM_SALT_TEXT_MAX + 1];
	unsigned iterations;
};

/*
 * Who knows the users (common/login.h).  LOGIN_OK, LOGIN_FAILED and
 * LOGIN_LATER are their verdicts, of scram_begin() OK instead of LOGIN_OK.
 * mechanism: its name, for log lines.
 */
struct sasl_backend {
	enum verdict (*password)(void *context, const char *mechanism,
	    const char *user, const char *password);
	/* user: "" or whose the token must be; what was refused says so in
	 * challenge, JSON (RFC 7628 section 3.2.2). */
	enum verdict (*token)(void *context, const char *mechanism,
	    const char *user, const char *token, struct buf *challenge);
	/* kind: "cram-md5" or "apop"; response in hexadecimal */
	enum verdict (*digest)(void *context, const char *kind,
	    const char *user, const char *challenge, const char *response);
	enum verdict (*scram_begin)(void *context, const char *mechanism,
	    const char *user, struct sasl_scram *);
	/* As scram_verify() has them; signature: SCRAM_KEY_TEXT + 1. */
	enum verdict (*scram_proof)(void *context, const char *first,
	    const char *final, const char *proof, char *signature);
	/* An exchange that scram_begin() began ends without a proof. */
	void (*cancel)(void *context);
	/* Refused without asking: user is NULL where none was named. */
	void (*refused)(void *context, const char *mechanism, const char *user,
	    const char *reason);
};

struct sasl_server {
	const struct sasl_backend *backend;
	void *context;
	struct sasl_channel channel;
	const char *hostname; /* for CRAM-MD5's challenge */
	unsigned offered;     /* the set that the client was told */

	enum sasl_mechanism mechanism;
	enum verdict verdict; /* when ended */

	/* the mechanism's */
	unsigned step;
	bool begun; /* scram_begin() */
	char user[PROTOCOL_LOGIN_MAX + 1];
	char text[SCRAM_MESSAGE_MAX + 1];   /* client-first, challenge */
	char nonce[SCRAM_NONCE_MAX * 2 + 1]; /* whole */
	size_t header; /* octets of client-first that are its GS2 header */
	enum sasl_binding binding;
	bool bound;
};

/*
 * What may be offered over this channel: of the set allowed, -PLUS only
 * where there is a binding.
 */
unsigned sasl_server_offer(unsigned allowed, const struct sasl_channel *);

/* hostname is kept, not copied. */
void sasl_server_begin(struct sasl_server *, enum sasl_mechanism,
    const struct sasl_backend *, void *context, const struct sasl_channel *,
    const char *hostname, unsigned offered);

/*
 * One response, decoded; NULL: the client sent no initial one.  What is in
 * challenge is to be sent when the step is SASL_MORE.
 */
enum sasl_step sasl_server_step(struct sasl_server *, const char *response,
    size_t n, struct buf *challenge);

/* Cancels what is begun; wipes. */
void sasl_server_end(struct sasl_server *);

/*
 * A fresh "<RANDOM.SECONDS@hostname>", for CRAM-MD5 and APOP; false when it
 * does not fit or there is no randomness.
 */
bool sasl_timestamp(const char *hostname, char *out, size_t size);

/* -- the client -- */

struct sasl_client_facts {
	unsigned offered; /* the server's set */
	bool verified;	  /* the channel is TLS and the server who it should be */
	bool token;	  /* secret is an OAuth 2 token */
	struct sasl_channel channel;
	/* kept, not copied */
	const char *user, *secret;
	const char *host; /* for OAUTHBEARER */
	unsigned port;
};

struct sasl_client {
	const struct sasl_client_facts *facts;
	enum sasl_mechanism mechanism;
	unsigned step;
	char first[SCRAM_MESSAGE_MAX + 1]; /* client-first-message-bare */
	char header[64];		   /* GS2's */
	enum sasl_binding binding;
	struct scram_answer answer;
	bool proven; /* the server knows the secret, too */
};

/*
 * The best of what is offered and not in tried: SCRAM, bound where it can
 * be; where the server is verified then PLAIN, LOGIN, or a token's;
 * CRAM-MD5.  SASL_MECHANISMS: there is none.
 */
enum sasl_mechanism sasl_client_choose(
    const struct sasl_client_facts *, unsigned tried);

void sasl_client_begin(struct sasl_client *, enum sasl_mechanism,
    const struct sasl_client_facts *);

/* Does the client speak first: an initial response may go with AUTH? */
bool sasl_client_is_first(const struct sasl_client *);

/*
 * The response to a challenge, decoded (NULL and 0: the initial response).
 * SASL_MORE: send it.  Anything else: cancel ("*"), the server makes no
 * sense or is not who it says.
 */
enum sasl_step sasl_client_step(struct sasl_client *, const char *challenge,
    size_t n, struct buf *response);

/*
 * The server says that we are logged in: is that to be believed?  Not when
 * SCRAM's server-final was not seen.
 */
bool sasl_client_believes(const struct sasl_client *);

/* Wipes. */
void sasl_client_end(struct sasl_client *);

#endif
