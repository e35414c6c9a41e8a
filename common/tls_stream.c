/* SPDX-License-Identifier: ISC */
#include "common/tls_stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

/* -- rules -- */

/* What both sides do alike (RFC 9325 sections 3 and 4). */
bool
tls_context_rules(SSL_CTX *context)
{
	SSL_CTX_set_options(context,
	    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
		SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(context,
	    SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* Who sends records that hold no data must not keep us within
	 * SSL_read(3), where no deadline is seen (A21). */
	SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
	/* A record a system call; what stays in there is seen, for a stream
	 * always tries to read before it waits. */
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
	    SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1 &&
	    SSL_CTX_set_cipher_list(
		context, "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL") == 1;
}

/* -- what went wrong -- */

void
tls_reason(char error[TLS_ERROR_MAX])
{
	unsigned long code = ERR_get_error();
	const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;

	if (reason != NULL)
		snprintf(error, TLS_ERROR_MAX, "%s", reason);
	else
		snprintf(error, TLS_ERROR_MAX, "error %lx", code);
	ERR_clear_error();
}

/* -- the layer -- */

/*
 * What a call on the SSL object that did nothing stands for, as errno and
 * events; 0 where the peer declared its end.
 */
static int
explain(const struct tls_session *t, int rc, short *events)
{
	int cause = errno;

	switch (SSL_get_error(t->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		*events = POLLIN;
		return EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		*events = POLLOUT;
		return EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		return cause != 0 && cause != EPIPE ? cause : ECONNRESET;
	default:
		/* The connection ended, TLS did not: truncation (A5). */
		if (ERR_GET_REASON(ERR_peek_error()) ==
		    SSL_R_UNEXPECTED_EOF_WHILE_READING)
			return ECONNRESET;
		return EPROTO;
	}
}

static int
conclude(struct tls_session *t, int rc, short *events)
{
	int cause = explain(t, rc, events);

	if (cause != 0 && cause != EAGAIN)
		t->broken = cause;
	return cause;
}

static ssize_t
layer_read(void *context, void *octets, size_t n, short *events)
{
	struct tls_session *t = context;
	int cause = t->broken;
	size_t done;

	if (cause == 0) {
		ERR_clear_error();
		errno = 0;
		int rc = SSL_read_ex(t->ssl, octets, n, &done);
		if (rc == 1)
			return (ssize_t)done;
		cause = conclude(t, rc, events);
	}
	errno = cause;
	return cause == 0 ? 0 : -1;
}

static ssize_t
layer_write(void *context, const void *octets, size_t n, short *events)
{
	struct tls_session *t = context;
	int cause = t->broken;
	size_t done;

	if (cause == 0) {
		ERR_clear_error();
		errno = 0;
		int rc = SSL_write_ex(t->ssl, octets, n, &done);
		if (rc == 1)
			return (ssize_t)done;
		cause = conclude(t, rc, events);
	}
	errno = cause != 0 ? cause : EPIPE;
	return -1;
}

static void
layer_end(void *context)
{
	struct tls_session *t = context;

	if (t->broken == 0)
		(void)SSL_shutdown(t->ssl);
	ERR_clear_error();
	tls_session_free(t);
}

static const struct stream_layer layer = {
    .read = layer_read, .write = layer_write, .end = layer_end};

/* -- sessions -- */

struct tls_session *
tls_session_new(SSL_CTX *context)
{
	struct tls_session *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->ssl = SSL_new(context);
	if (t->ssl == NULL) {
		free(t);
		return NULL;
	}
	SSL_set_app_data(t->ssl, t);
	return t;
}

void
tls_session_free(struct tls_session *t)
{
	if (t != NULL)
		SSL_free(t->ssl);
	free(t);
}

/* One side did not like what the other said. */
static enum tls_result
failed(const struct tls_session *t, int cause, char *error)
{
	long verdict = SSL_get_verify_result(t->ssl);

	if (cause == EPROTO &&
	    ERR_GET_REASON(ERR_peek_error()) ==
		SSL_R_CERTIFICATE_VERIFY_FAILED) {
		snprintf(error, TLS_ERROR_MAX, "%s",
		    X509_verify_cert_error_string(verdict));
		ERR_clear_error();
		return TLS_UNVERIFIED;
	}
	if (cause == EPROTO) {
		tls_reason(error);
		return TLS_FAILED;
	}
	ERR_clear_error();
	snprintf(error, TLS_ERROR_MAX, "%s",
	    cause == 0 || cause == ECONNRESET ? "connection closed"
					      : strerror(cause));
	return TLS_CLOSED;
}

/* As far as it goes within the deadline: TLS_OK, or why not. */
static enum tls_result
shake(struct stream *s, struct tls_session *t, char *error)
{
	for (;;) {
		enum stream_result waited;
		short events;
		int rc;

		ERR_clear_error();
		errno = 0;
		rc = SSL_do_handshake(t->ssl);
		if (rc == 1)
			return TLS_OK;
		rc = explain(t, rc, &events);
		if (rc != EAGAIN)
			return failed(t, rc, error);
		waited = stream_wait(s, events);
		if (waited == STREAM_TIMEOUT) {
			snprintf(error, TLS_ERROR_MAX, "timeout");
			return TLS_TIMEOUT;
		}
		if (waited != STREAM_OK)
			return failed(t, errno, error);
	}
}

/*
 * OpenSSL goes on reading while records without data come in, whose ends are
 * not the ends of what it reads at once: after the deadline there is nothing
 * more to be read (A21).
 */
static long
before_read(BIO *bio, int what, const char *octets, size_t n, int i, long l,
    int rc, size_t *done)
{
	const struct stream *s = (void *)BIO_get_callback_arg(bio);

	(void)octets, (void)n, (void)i, (void)l, (void)done;
	if (what != BIO_CB_READ || stream_left(s) != 0)
		return rc;
	BIO_set_retry_read(bio);
	errno = EAGAIN;
	return -1;
}

static bool
use_descriptors(SSL *ssl, struct stream *s)
{
	if (SSL_set_rfd(ssl, s->in) != 1 || SSL_set_wfd(ssl, s->out) != 1)
		return false;
	BIO_set_callback_ex(SSL_get_rbio(ssl), before_read);
	BIO_set_callback_arg(SSL_get_rbio(ssl), (char *)s);
	return true;
}

enum tls_result
tls_handshake(struct stream *s, struct tls_session *t, char *error)
{
	enum tls_result result = TLS_CLOSED;

	snprintf(error, TLS_ERROR_MAX, "connection closed");
	if (use_descriptors(t->ssl, s) && stream_flush(s) == STREAM_OK)
		result = shake(s, t, error);
	if (result == TLS_OK)
		stream_layer(s, &layer, t);
	else
		tls_session_free(t);
	return result;
}

/* -- what is known -- */

static const struct tls_session *
session_of(const struct stream *s)
{
	return s->layer == &layer ? s->layer_context : NULL;
}

bool
tls_is_on(const struct stream *s)
{
	return session_of(s) != NULL;
}

bool
tls_info(const struct stream *s, struct tls_info *info)
{
	const struct tls_session *t = session_of(s);
	const SSL_CIPHER *cipher;

	memset(info, 0, sizeof(*info));
	if (t == NULL)
		return false;
	cipher = SSL_get_current_cipher(t->ssl);
	snprintf(info->protocol, sizeof(info->protocol), "%s",
	    SSL_get_version(t->ssl));
	snprintf(info->cipher, sizeof(info->cipher), "%s",
	    SSL_CIPHER_get_name(cipher));
	snprintf(info->summary, sizeof(info->summary), "%s:%s", info->protocol,
	    info->cipher);
	memcpy(info->name, t->name, sizeof(info->name));
	info->bits = (unsigned)SSL_CIPHER_get_bits(cipher, NULL);
	info->resumed = SSL_session_reused(t->ssl) == 1;
	info->verified = t->verified;
	return true;
}

/* RFC 9266 section 2; in TLS 1.2 for sessions with RFC 7627 alone. */
static bool
exporter(SSL *ssl, unsigned char *out, size_t *n)
{
	static const char label[] = "EXPORTER-Channel-Binding";

	if (SSL_version(ssl) < TLS1_3_VERSION &&
	    SSL_get_extms_support(ssl) != 1)
		return false;
	*n = 32;
	return SSL_export_keying_material(
		   ssl, out, *n, label, sizeof(label) - 1, NULL, 0, 0) == 1;
}

/*
 * RFC 5929 section 3: the first Finished of the handshake, the client's, or
 * of a resumed session the server's.  Without RFC 7627 it binds nothing.
 */
static bool
unique(SSL *ssl, unsigned char *out, size_t *n)
{
	bool ours = SSL_is_server(ssl) == SSL_session_reused(ssl);

	if (SSL_version(ssl) != TLS1_2_VERSION ||
	    SSL_get_extms_support(ssl) != 1)
		return false;
	*n = ours ? SSL_get_finished(ssl, out, TLS_BINDING_MAX)
		  : SSL_get_peer_finished(ssl, out, TLS_BINDING_MAX);
	return *n > 0 && *n <= TLS_BINDING_MAX;
}

/* RFC 5929 section 4.1: MD5 and SHA-1 become SHA-256. */
bool
tls_certificate_hash(
    const X509 *leaf, unsigned char out[TLS_BINDING_MAX], size_t *n)
{
	int digest = NID_undef;
	unsigned length;
	const EVP_MD *md;

	if (leaf == NULL ||
	    X509_get_signature_info((X509 *)leaf, &digest, NULL, NULL, NULL) !=
		1 ||
	    digest == NID_undef)
		return false;
	if (digest == NID_md5 || digest == NID_sha1)
		digest = NID_sha256;
	md = EVP_get_digestbynid(digest);
	if (md == NULL || EVP_MD_get_size(md) > TLS_BINDING_MAX ||
	    X509_digest(leaf, md, out, &length) != 1)
		return false;
	*n = length;
	return true;
}

bool
tls_end_point(SSL *ssl, unsigned char out[TLS_BINDING_MAX], size_t *n)
{
	if (SSL_is_server(ssl))
		return tls_certificate_hash(SSL_get_certificate(ssl), out, n);
	return tls_certificate_hash(SSL_get0_peer_certificate(ssl), out, n);
}

/*
 * A session that is resumed shows no certificate: the client remembers the
 * one that it saw, and the ticket does for us.
 */
static bool
end_point(SSL *ssl, unsigned char *out, size_t *n)
{
	void *kept;
	bool server = SSL_is_server(ssl) == 1;

	if (!server || SSL_session_reused(ssl) != 1)
		return tls_end_point(ssl, out, n);
	if (SSL_SESSION_get0_ticket_appdata(SSL_get0_session(ssl), &kept, n) !=
		1 ||
	    *n == 0 || *n > TLS_BINDING_MAX)
		return false;
	memcpy(out, kept, *n);
	return true;
}

void
tls_hold_secrets(struct stream *s)
{
	const struct tls_session *t = session_of(s);

	if (t != NULL)
		SSL_set_options(t->ssl, SSL_OP_CLEANSE_PLAINTEXT);
}

bool
tls_binding(const struct stream *s, enum tls_binding kind,
    unsigned char out[TLS_BINDING_MAX], size_t *n)
{
	const struct tls_session *t = session_of(s);

	*n = 0;
	if (t == NULL)
		return false;
	switch (kind) {
	case TLS_EXPORTER:
		return exporter(t->ssl, out, n);
	case TLS_SERVER_END_POINT:
		return end_point(t->ssl, out, n);
	case TLS_UNIQUE:
		return unique(t->ssl, out, n);
	}
	return false;
}
