/* SPDX-License-Identifier: ISC */
#ifndef TESTS_UNIT_TLS_PEER_H
#define TESTS_UNIT_TLS_PEER_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/stream.h"
#include "common/tls.h"

/* Certificates made on the spot, and a client that is not ours. */

enum { SOON = 10000 };

static inline EVP_PKEY *
make_key(const char *kind)
{
	if (strcmp(kind, "RSA") == 0)
		return EVP_RSA_gen(2048);
	if (strcmp(kind, "ED25519") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	return EVP_EC_gen("P-256");
}

/* Signed by itself, for these names ("DNS:a.test,DNS:*.b.test"). */
static inline struct tls_pair
make_pair(const char *kind, const char *names)
{
	struct tls_pair pair = {sk_X509_new_null(), make_key(kind)};
	X509 *leaf = X509_new();
	X509_EXTENSION *alternative =
	    X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
	static long serial;

	X509_set_version(leaf, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(leaf), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(leaf), -60);
	X509_gmtime_adj(X509_getm_notAfter(leaf), 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(leaf), "CN",
	    MBSTRING_ASC, (const unsigned char *)"common.test", -1, -1, 0);
	X509_set_issuer_name(leaf, X509_get_subject_name(leaf));
	X509_set_pubkey(leaf, pair.key);
	X509_add_ext(leaf, alternative, -1);
	X509_EXTENSION_free(alternative);
	X509_sign(
	    leaf, pair.key, strcmp(kind, "ED25519") == 0 ? NULL : EVP_sha256());
	sk_X509_push(pair.chain, leaf);
	return pair;
}

static inline void
free_pair(struct tls_pair *pair)
{
	sk_X509_pop_free(pair->chain, X509_free);
	EVP_PKEY_free(pair->key);
}

static inline X509 *
leaf_of(const struct tls_pair *pair)
{
	return sk_X509_value(pair->chain, 0);
}

/* Its certificate, and its key unless key is NULL, into files. */
static inline void
write_pair(const struct tls_pair *pair, const char *path, const char *key)
{
	FILE *f = fopen(path, "w");

	PEM_write_X509(f, leaf_of(pair));
	fclose(f);
	if (key == NULL)
		return;
	f = fopen(key, "w");
	PEM_write_PrivateKey(f, pair->key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
}

/* -- the other end, in a thread of its own -- */

struct peer {
	int fd;
	SSL_CTX *context; /* a client of OpenSSL's, or NULL: ours */
	struct tls_client *client;
	struct tls_demand demand;
	void (*talk)(struct peer *); /* after the handshake */
	/* told to OpenSSL's client */
	const char *server_name, *alpn;
	SSL_SESSION *session;  /* to take up; then the one that was given */
	bool not_blocking_end; /* hang up without close_notify */
	/* what came of it */
	struct stream stream;
	SSL *ssl;
	enum tls_result result;
	char error[TLS_ERROR_MAX];
	struct tls_info info;
	unsigned char binding[2][TLS_BINDING_MAX];
	size_t nbinding[2];
	bool resumed;
	char leaf_kind[16];
	unsigned char leaf[EVP_MAX_MD_SIZE]; /* SHA-256 */
	pthread_t thread;
};

static inline void
run_ours(struct peer *p)
{
	stream_init(&p->stream, p->fd, p->fd);
	stream_limit(&p->stream, SOON);
	p->result = tls_connect(p->client, &p->stream, &p->demand, p->error);
	tls_info(&p->stream, &p->info);
	for (int i = 0; i < 2; i++)
		tls_binding(&p->stream, i, p->binding[i], &p->nbinding[i]);
	if (p->result == TLS_OK && p->talk != NULL)
		p->talk(p);
	stream_close(&p->stream);
}

static inline void
run_openssl(struct peer *p)
{
	unsigned char offer[32];
	X509 *leaf;

	p->ssl = SSL_new(p->context);
	SSL_set_fd(p->ssl, p->fd);
	if (p->server_name != NULL)
		SSL_set_tlsext_host_name(p->ssl, p->server_name);
	if (p->alpn != NULL) {
		offer[0] = (unsigned char)strlen(p->alpn);
		memcpy(offer + 1, p->alpn, offer[0]);
		SSL_set_alpn_protos(p->ssl, offer, offer[0] + 1U);
	}
	if (p->session != NULL)
		SSL_set_session(p->ssl, p->session);
	p->result = SSL_connect(p->ssl) == 1 ? TLS_OK : TLS_FAILED;
	if (p->result == TLS_OK) {
		p->resumed = SSL_session_reused(p->ssl);
		leaf = SSL_get1_peer_certificate(p->ssl);
		X509_digest(leaf, EVP_sha256(), p->leaf, NULL);
		snprintf(p->leaf_kind, sizeof(p->leaf_kind), "%s",
		    EVP_PKEY_get0_type_name(X509_get0_pubkey(leaf)));
		X509_free(leaf);
		if (p->talk != NULL)
			p->talk(p);
		p->session = SSL_get1_session(p->ssl);
		if (!p->not_blocking_end)
			SSL_shutdown(p->ssl);
	}
	SSL_free(p->ssl);
	close(p->fd);
}

static inline void *
run_peer(void *context)
{
	struct peer *p = context;

	if (p->context != NULL)
		run_openssl(p);
	else
		run_ours(p);
	return NULL;
}

/* The peer begins; our end of the connection. */
static inline struct stream
start_peer(struct peer *p)
{
	struct stream s;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		abort();
	p->fd = ends[1];
	stream_init(&s, ends[0], ends[0]);
	stream_limit(&s, SOON);
	if (pthread_create(&p->thread, NULL, run_peer, p) != 0)
		abort();
	return s;
}

static inline void
join_peer(struct peer *p)
{
	pthread_join(p->thread, NULL);
}

#endif
