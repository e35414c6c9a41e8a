/* SPDX-License-Identifier: ISC */
#ifndef COMMON_TLS_STREAM_H
#define COMMON_TLS_STREAM_H

#include <openssl/ssl.h>

#include "common/tls.h"

/* What tls_server.c and tls_client.c share: one connection's TLS. */
struct tls_session {
	SSL *ssl;
	char name[256]; /* struct tls_info's */
	bool verified;
	int broken; /* errno: no further call on ssl is allowed */
};

/*
 * Shake hands over a stream's descriptors, within its deadline; the SSL
 * object is made ready and becomes the session's, which becomes the stream's
 * with TLS_OK, and is freed with anything else.  The stream stays where it is.
 */
enum tls_result tls_handshake(
    struct stream *, struct tls_session *, char *error);

/* A session with a new SSL object, or NULL; freed by tls_session_free(). */
struct tls_session *tls_session_new(SSL_CTX *);
void tls_session_free(struct tls_session *);

/* tls_server_rehearse()'s inside. */
bool tls_rehearse(SSL_CTX *);

/* What the server and the client are both content with. */
bool tls_context_rules(SSL_CTX *);

/* The "tls-server-end-point" of a session that is not resumed. */
bool tls_end_point(SSL *, unsigned char out[TLS_BINDING_MAX], size_t *n);

/* That of a certificate; false where its signature has no digest. */
bool tls_certificate_hash(
    const X509 *, unsigned char out[TLS_BINDING_MAX], size_t *n);

/* The oldest entry of OpenSSL's error queue, which it empties. */
void tls_reason(char error[TLS_ERROR_MAX]);

#endif
