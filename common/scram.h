/* SPDX-License-Identifier: ISC */
#ifndef COMMON_SCRAM_H
#define COMMON_SCRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/cursor.h"

/*
 * SCRAM-SHA-256 (RFC 5802, RFC 7677) as pure functions: the arithmetic
 * (scram.c, which needs libcrypto) and the messages (scram_message.c).
 *
 *	client-first	gs2-header client-first-message-bare
 *	server-first	r=NONCE,s=SALT,i=ITERATIONS
 *	client-final	c=BINDING,r=NONCE,p=PROOF
 *	server-final	v=SIGNATURE
 */
enum {
	SCRAM_KEY = 32, /* octets of every key, proof and signature */
	SCRAM_KEY_TEXT = 44,
	SCRAM_SALT = 16, /* of the verifiers that are made here */
	SCRAM_SALT_MAX = 48,
	SCRAM_SALT_TEXT_MAX = 64,
	SCRAM_ITERATIONS_LEAST = 4096, /* RFC 7677 section 4 */
	SCRAM_ITERATIONS_MOST = 1000000, /* a client computes no longer (A21) */
	SCRAM_NONCE_MAX = 256, /* both halves */
	SCRAM_NONCE = 24,      /* octets of a half that is made here */
	SCRAM_NONCE_TEXT = 32,
	SCRAM_MESSAGE_MAX = 2048, /* client-first-message-bare, client-final */
	SCRAM_VERIFIER_TEXT_MAX = 256
};

/* What a server keeps of a password (RFC 5802 section 3). */
struct scram_verifier {
	unsigned iterations;
	size_t nsalt;
	unsigned char salt[SCRAM_SALT_MAX];
	unsigned char stored_key[SCRAM_KEY];
	unsigned char server_key[SCRAM_KEY];
};

/*
 * Made of a password, with a fresh salt.  False when the password is none
 * for SCRAM (saslprep.h), iterations are out of bounds, or libcrypto fails.
 */
bool scram_make(
    struct scram_verifier *, const char *password, unsigned iterations);

/*
 * The same with iterations, salt and nsalt as they stand in the verifier; its
 * keys are what is made.
 */
bool scram_derive(struct scram_verifier *, const char *password);

/* Is it of that password?  In constant time once the keys are computed. */
bool scram_matches(const struct scram_verifier *, const char *password);

/*
 * "SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY", as RFC 5803 and
 * PostgreSQL write it; text has SCRAM_VERIFIER_TEXT_MAX + 1 octets.
 */
void scram_format(const struct scram_verifier *, char *text);
bool scram_read(const char *text, struct scram_verifier *);

/* -- the server's arithmetic, userdb's -- */

/* A nonce's half in base64: SCRAM_NONCE_TEXT octets and a NUL. */
bool scram_nonce(char *text);

/*
 * Was client-final made by one who knows the password?  first: the
 * client-first-message-bare; nonce: the half that the server answered to it,
 * from which server-first is built again here, so that nothing can be
 * replayed; final: client-final-message-without-proof; proof: in base64.
 * True: signature (SCRAM_KEY_TEXT + 1 octets) is the ServerSignature in
 * base64.  It takes the same time whatever the answer.
 */
bool scram_verify(const struct scram_verifier *, const char *first,
    const char *nonce, const char *final, const char *proof, char *signature);

/* -- the client's arithmetic -- */

struct scram_answer {
	char proof[SCRAM_KEY_TEXT + 1];
	char signature[SCRAM_KEY_TEXT + 1]; /* what the server must answer */
};

/* first, server_first and final as above, each whole. */
bool scram_prove(const char *password, const char *first,
    const char *server_first, const char *final, struct scram_answer *);

/* -- messages -- */

enum scram_flag {
	SCRAM_NO_BINDING = 'n', /* the client cannot bind */
	SCRAM_UNUSED = 'y', /* it can, and thinks that the server cannot */
	SCRAM_BOUND = 'p'
};

struct scram_client_first {
	enum scram_flag flag;
	struct span binding;  /* the type's name, with SCRAM_BOUND */
	struct span authzid;  /* still escaped; empty when there is none */
	struct span header;   /* gs2-header, its last comma included */
	struct span bare;     /* the rest */
	struct span name;     /* still escaped */
	struct span nonce;
};
/* RFC 5802 section 7; mandatory extensions ("m=") are not understood. */
bool scram_read_client_first(
    const char *text, size_t n, struct scram_client_first *);
bool scram_read_bare(struct span bare, struct span *name, struct span *nonce);

struct scram_server_first {
	struct span nonce;
	unsigned char salt[SCRAM_SALT_MAX];
	size_t nsalt;
	unsigned iterations;
};
bool scram_read_server_first(
    const char *text, size_t n, struct scram_server_first *);

struct scram_client_final {
	struct span binding;	   /* base64 */
	struct span nonce;
	struct span without_proof; /* all before ",p=" */
	struct span proof;	   /* base64 */
};
bool scram_read_client_final(
    const char *text, size_t n, struct scram_client_final *);

/* A half of a nonce: printable, no comma, 1 to SCRAM_NONCE_MAX octets. */
bool scram_is_nonce(const char *text, size_t n);

/* saslname: "=2C" is a comma, "=3D" an equals sign, nothing else escaped. */
bool scram_unescape(struct span name, char *out, size_t max);
bool scram_escape(struct buf *out, const char *name);

#endif
