/* SPDX-License-Identifier: ISC */
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/tls_names.h"
#include "common/tls_stream.h"

/* How long a session may be taken up again: a client that polls does. */
enum { TICKET_LIFETIME = 7200 };

enum kind { KIND_RSA, KIND_EC, KIND_OTHER, KINDS };
enum { NO_PAIR = -1 };

/* One of each kind of key, each an index of pairs. */
struct choice {
	const struct tls_server *server;
	int pair[KINDS];
	bool any;
};

struct pair {
	STACK_OF(X509) * chain; /* leaf first */
	STACK_OF(X509) * rest;  /* without the leaf */
	EVP_PKEY *key;
	enum kind kind;
};

struct tls_server {
	char alpn[16];
	SSL_CTX *context; /* NULL: no certificate */
	struct pair *pairs;
	size_t npairs;
	struct tls_names names;
	struct choice first; /* what context has */
	bool has_tickets, has_previous;
	unsigned char ticket[2][TLS_TICKET_KEY_SIZE];
};

/* -- pairs -- */

static X509 *
leaf_of(const struct pair *pair)
{
	return sk_X509_value(pair->chain, 0);
}

static void
free_pair(struct pair *pair)
{
	sk_X509_pop_free(pair->chain, X509_free);
	sk_X509_free(pair->rest);
	EVP_PKEY_free(pair->key);
}

static bool
copy_pair(struct pair *to, const struct tls_pair *from)
{
	EVP_PKEY *public;

	*to = (struct pair){.chain = X509_chain_up_ref(from->chain)};
	if (to->chain == NULL || sk_X509_num(to->chain) == 0 ||
	    EVP_PKEY_up_ref(from->key) != 1)
		return false;
	to->key = from->key;
	to->rest = sk_X509_dup(to->chain);
	public = X509_get0_pubkey(leaf_of(to));
	if (to->rest == NULL || public == NULL)
		return false;
	(void)sk_X509_shift(to->rest);
	to->kind = EVP_PKEY_get_base_id(public) == EVP_PKEY_RSA ? KIND_RSA
	    : EVP_PKEY_get_base_id(public) == EVP_PKEY_EC       ? KIND_EC
								: KIND_OTHER;
	return true;
}

/* -- which of them a client gets -- */

static void
take(void *context, size_t index)
{
	struct choice *choice = context;
	int *at = &choice->pair[choice->server->pairs[index].kind];

	choice->any = true;
	if (*at == NO_PAIR)
		*at = (int)index;
}

static void
choose(const struct tls_server *server, const char *name, struct choice *choice)
{
	choice->server = server;
	choice->any = false;
	for (size_t k = 0; k < KINDS; k++)
		choice->pair[k] = NO_PAIR;
	tls_names_find(&server->names, name, take, choice);
}

/* For who asks for no name: the first pair stands before all others. */
static void
choose_first(struct tls_server *server)
{
	struct tls_names own = {.n = 0};
	char name[TLS_NAME_MAX + 3];

	tls_names_add(&own, leaf_of(&server->pairs[0]), 0);
	tls_names_first(&own, name);
	tls_names_free(&own);
	choose(server, name, &server->first);
	server->first.pair[server->pairs[0].kind] = 0;
}

static int
on_hello(SSL *ssl, void *context)
{
	const struct tls_server *server = context;
	struct tls_session *t = SSL_get_app_data(ssl);
	struct choice choice;

	tls_name_clean(
	    SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name), t->name);
	choose(server, t->name, &choice);
	if (!choice.any ||
	    memcmp(choice.pair, server->first.pair, sizeof(choice.pair)) == 0)
		return 1;
	SSL_certs_clear(ssl);
	for (size_t k = 0; k < KINDS; k++) {
		const struct pair *pair = choice.pair[k] == NO_PAIR
		    ? NULL
		    : &server->pairs[choice.pair[k]];

		if (pair != NULL &&
		    SSL_use_cert_and_key(
			ssl, leaf_of(pair), pair->key, pair->rest, 1) != 1)
			return 0;
	}
	return 1;
}

/* -- ALPN -- */

/* A browser offers h2 and http/1.1, and not us (A6). */
static int
on_protocols(SSL *ssl, const unsigned char **out, unsigned char *length,
    const unsigned char *offered, unsigned n, void *context)
{
	const struct tls_server *server = context;
	size_t ours = strlen(server->alpn);

	(void)ssl;
	for (unsigned i = 0; i < n; i += 1 + offered[i])
		if (offered[i] == ours && n - i > ours &&
		    memcmp(offered + i + 1, server->alpn, ours) == 0) {
			*out = offered + i + 1;
			*length = (unsigned char)ours;
			return SSL_TLSEXT_ERR_OK;
		}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* -- session tickets -- */

static int
set_up_ticket(const unsigned char *key, const unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
	OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(
				   "key", (unsigned char *)key + 48, 32),
	    OSSL_PARAM_construct_utf8_string("digest", (char[]){"SHA256"}, 0),
	    OSSL_PARAM_construct_end()};

	return EVP_CipherInit_ex2(cipher, EVP_aes_256_cbc(), key + 16, iv,
		   encrypt, NULL) == 1 &&
	    EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int
on_ticket_key(SSL *ssl, unsigned char name[16], unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
	const struct tls_server *server =
	    SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	if (!server->has_tickets)
		return 0;
	if (encrypt) {
		memcpy(name, server->ticket[0], 16);
		if (RAND_bytes(iv, 16) != 1)
			return -1;
		return set_up_ticket(server->ticket[0], iv, cipher, mac, 1)
		    ? 1
		    : -1;
	}
	for (int i = 0; i < 1 + server->has_previous; i++)
		if (memcmp(name, server->ticket[i], 16) == 0)
			/* 2: and give the client a new one. */
			return set_up_ticket(
				   server->ticket[i], iv, cipher, mac, 0)
			    ? 1 + i
			    : -1;
	return 0;
}

/* What the client saw of us goes into the ticket. */
static int
on_ticket_made(SSL *ssl, void *context)
{
	unsigned char hash[TLS_BINDING_MAX];
	size_t n;

	(void)context;
	if (SSL_session_reused(ssl) == 1 || !tls_end_point(ssl, hash, &n))
		return 1;
	return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), hash, n);
}

static bool
is_certificate_of_ours(
    const struct tls_server *server, const void *kept, size_t n)
{
	unsigned char hash[TLS_BINDING_MAX];
	size_t length;

	for (size_t i = 0; i < server->npairs; i++)
		if (tls_certificate_hash(
			leaf_of(&server->pairs[i]), hash, &length) &&
		    length == n && memcmp(hash, kept, n) == 0)
			return true;
	return false;
}

/*
 * A session that began under another certificate begins anew: what clients
 * believe of us is never older than the certificates in use.
 */
static SSL_TICKET_RETURN
on_ticket_seen(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
    size_t n, SSL_TICKET_STATUS status, void *context)
{
	void *kept;
	size_t length;

	(void)ssl, (void)name, (void)n;
	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	if (SSL_SESSION_get0_ticket_appdata(session, &kept, &length) != 1 ||
	    !is_certificate_of_ours(context, kept, length))
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE
					    : SSL_TICKET_RETURN_USE_RENEW;
}

/* -- the server -- */

struct tls_server *
tls_server_new(const char *alpn)
{
	struct tls_server *server = calloc(1, sizeof(*server));

	if (server == NULL || OPENSSL_init_ssl(0, NULL) != 1) {
		log_errno(LEVEL_ERROR, "cannot start", "TLS");
		free(server);
		return NULL;
	}
	snprintf(server->alpn, sizeof(server->alpn), "%s", alpn);
	return server;
}

static void
forget_pairs(struct tls_server *server)
{
	SSL_CTX_free(server->context);
	for (size_t i = 0; i < server->npairs; i++)
		free_pair(&server->pairs[i]);
	free(server->pairs);
	tls_names_free(&server->names);
	server->context = NULL;
	server->pairs = NULL;
	server->npairs = 0;
}

void
tls_server_free(struct tls_server *server)
{
	if (server == NULL)
		return;
	forget_pairs(server);
	OPENSSL_cleanse(server->ticket, sizeof(server->ticket));
	free(server);
}

/* Those that OpenSSL 3 makes here are those that `keys` will sign for. */
static const char signatures[] =
    "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:"
    "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:"
    "RSA+SHA256:RSA+SHA384:RSA+SHA512";

/* callbacks: the server that is to be asked, which this one may become. */
static bool
make_context(struct tls_server *server, struct tls_server *callbacks)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	server->context = context;
	if (context == NULL || !tls_context_rules(context) ||
	    SSL_CTX_set1_sigalgs_list(context, signatures) != 1 ||
	    SSL_CTX_set_num_tickets(context, 1) != 1 ||
	    SSL_CTX_set_session_id_context(context,
		(const unsigned char *)server->alpn,
		(unsigned)strlen(server->alpn)) != 1)
		return false;
	/* Whatever openssl.cnf says: as common/certificate.c has judged. */
	SSL_CTX_set_security_level(context, TLS_SECURITY_LEVEL);
	SSL_CTX_set_timeout(context, TICKET_LIFETIME);
	SSL_CTX_set_app_data(context, callbacks);
	SSL_CTX_set_cert_cb(context, on_hello, callbacks);
	SSL_CTX_set_alpn_select_cb(context, on_protocols, callbacks);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket_key);
	return SSL_CTX_set_session_ticket_cb(
		   context, on_ticket_made, on_ticket_seen, callbacks) == 1;
}

/* Try them all, so that none is found bad in a handshake. */
static bool
check_pairs(const struct tls_server *server)
{
	SSL *trial = SSL_new(server->context);
	bool fine = trial != NULL;

	for (size_t i = 0; fine && i < server->npairs; i++) {
		const struct pair *pair = &server->pairs[i];

		fine = SSL_use_cert_and_key(
			   trial, leaf_of(pair), pair->key, pair->rest, 1) == 1;
	}
	SSL_free(trial);
	return fine;
}

static bool
use_first(struct tls_server *server)
{
	choose_first(server);
	for (size_t k = 0; k < KINDS; k++) {
		int i = server->first.pair[k];
		const struct pair *pair =
		    i == NO_PAIR ? NULL : &server->pairs[i];

		if (pair != NULL &&
		    SSL_CTX_use_cert_and_key(server->context, leaf_of(pair),
			pair->key, pair->rest, 1) != 1)
			return false;
	}
	return true;
}

static bool
take_pairs(struct tls_server *server, const struct tls_pair *pairs, size_t n)
{
	server->pairs = calloc(n, sizeof(*server->pairs));
	if (server->pairs == NULL)
		return false;
	for (size_t i = 0; i < n; i++) {
		server->npairs++;
		if (!copy_pair(&server->pairs[i], &pairs[i]))
			return false;
		tls_names_add(&server->names, leaf_of(&server->pairs[i]), i);
	}
	return tls_names_finish(&server->names);
}

bool
tls_server_set(
    struct tls_server *server, const struct tls_pair *pairs, size_t n)
{
	struct tls_server made = {.context = NULL};
	char reason[TLS_ERROR_MAX];

	ERR_clear_error();
	memcpy(made.alpn, server->alpn, sizeof(made.alpn));
	if (n > 0 &&
	    (!take_pairs(&made, pairs, n) || !make_context(&made, server) ||
		!check_pairs(&made) || !use_first(&made))) {
		tls_reason(reason);
		log_event(LEVEL_ERROR, "certificate unusable",
		    log_text("reason", reason));
		forget_pairs(&made);
		return false;
	}
	forget_pairs(server);
	server->context = made.context;
	server->pairs = made.pairs;
	server->npairs = made.npairs;
	server->names = made.names;
	server->first = made.first;
	server->first.server = server;
	return true;
}

bool
tls_server_rehearse(struct tls_server *server)
{
	return tls_server_ready(server) && tls_rehearse(server->context);
}

bool
tls_server_ready(const struct tls_server *server)
{
	return server != NULL && server->context != NULL;
}

void
tls_server_tickets(struct tls_server *server,
    const unsigned char current[TLS_TICKET_KEY_SIZE],
    const unsigned char previous[TLS_TICKET_KEY_SIZE])
{
	OPENSSL_cleanse(server->ticket, sizeof(server->ticket));
	server->has_tickets = current != NULL;
	server->has_previous = current != NULL && previous != NULL;
	if (server->has_tickets)
		memcpy(server->ticket[0], current, TLS_TICKET_KEY_SIZE);
	if (server->has_previous)
		memcpy(server->ticket[1], previous, TLS_TICKET_KEY_SIZE);
}

enum tls_result
tls_accept(
    struct tls_server *server, struct stream *s, bool tickets, char *error)
{
	struct tls_session *t =
	    tls_server_ready(server) ? tls_session_new(server->context) : NULL;

	if (t == NULL) {
		snprintf(error, TLS_ERROR_MAX, "%s",
		    tls_server_ready(server) ? "out of memory"
					     : "no certificate");
		return TLS_FAILED;
	}
	if (!tickets || !server->has_tickets) {
		SSL_set_options(t->ssl, SSL_OP_NO_TICKET);
		(void)SSL_set_num_tickets(t->ssl, 0);
	}
	SSL_set_accept_state(t->ssl);
	return tls_handshake(s, t, error);
}
