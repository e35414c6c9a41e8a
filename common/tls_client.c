/* SPDX-License-Identifier: ISC */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/tls_stream.h"

enum { USAGE_DANE_TA = 2, USAGE_DANE_EE = 3 }; /* RFC 7218 section 2.1 */

struct tls_client {
	SSL_CTX *context;
};

/*
 * Servers of strangers are as they are: behind what we would choose stands
 * what is still better than nothing.
 */
static const char ciphers[] =
    "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:ECDHE+AES:DHE+AES:"
    "RSA+AESGCM:RSA+AES:!aNULL:!eNULL:!PSK:!SRP:!AESCCM";

/* -- the trust store -- */

/*
 * What is no certificate, or one that is there already, adds nothing; one that
 * cannot be read does not hide those behind it.
 */
static bool
load_trust(SSL_CTX *context, const char *pem, size_t n)
{
	X509_STORE *store = SSL_CTX_get_cert_store(context);
	BIO *bio = BIO_new_mem_buf(pem, (int)n);
	X509 *certificate;
	bool fine = bio != NULL;

	while (fine && BIO_pending(bio) > 0) {
		certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
		if (certificate == NULL)
			continue;
		fine = X509_STORE_add_cert(store, certificate) == 1;
		X509_free(certificate);
	}
	BIO_free(bio);
	ERR_clear_error();
	return fine;
}

struct tls_client *
tls_client_new(const char *trust, size_t n)
{
	struct tls_client *client = calloc(1, sizeof(*client));
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	char reason[TLS_ERROR_MAX];

	if (client == NULL || context == NULL || !tls_context_rules(context) ||
	    SSL_CTX_set1_groups_list(
		context, "X25519:P-256:P-384:P-521:X448") != 1 ||
	    SSL_CTX_set_cipher_list(context, ciphers) != 1 ||
	    SSL_CTX_dane_enable(context) != 1 ||
	    (n > 0 && !load_trust(context, trust, n))) {
		tls_reason(reason);
		log_event(LEVEL_ERROR, "cannot start", log_text("what", "TLS"),
		    log_text("reason", reason));
		SSL_CTX_free(context);
		free(client);
		return NULL;
	}
	client->context = context;
	return client;
}

void
tls_client_free(struct tls_client *client)
{
	if (client != NULL)
		SSL_CTX_free(client->context);
	free(client);
}

/* -- what is demanded -- */

/* Encrypted for whoever it is: weak certificates do not matter. */
static bool
demand_nothing(SSL *ssl)
{
	SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
	SSL_set_security_level(ssl, 0);
	return true;
}

static bool
add_names(SSL *ssl, const struct tls_demand *demand)
{
	for (size_t i = 0; i < demand->nnames; i++)
		if (SSL_add1_host(ssl, demand->names[i]) != 1)
			return false;
	return true;
}

static bool
demand_names(SSL *ssl, const struct tls_demand *demand)
{
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	SSL_set_hostflags(ssl,
	    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
		X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return demand->nnames > 0 && add_names(ssl, demand);
}

/* How many of the records can be used. */
static size_t
add_records(SSL *ssl, const struct tls_demand *demand)
{
	size_t usable = 0;

	for (size_t i = 0; i < demand->nrecords; i++) {
		const struct tls_record *r = &demand->records[i];

		if (r->usage != USAGE_DANE_TA && r->usage != USAGE_DANE_EE)
			continue;
		if (SSL_dane_tlsa_add(ssl, r->usage, r->selector, r->matching,
			r->data, r->n) > 0)
			usable++;
	}
	ERR_clear_error();
	return usable;
}

static bool
demand_records(SSL *ssl, const struct tls_demand *demand, bool *verifies)
{
	if (demand->server_name == NULL ||
	    SSL_dane_enable(ssl, demand->server_name) != 1 ||
	    !add_names(ssl, demand))
		return false;
	/* RFC 7672 section 3.1.1: the record names the key, no name does. */
	(void)SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	*verifies = add_records(ssl, demand) > 0;
	if (!*verifies)
		return demand_nothing(ssl);
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	return true;
}

static bool
set_demand(SSL *ssl, const struct tls_demand *demand, bool *verifies)
{
	*verifies = false;
	if (demand->server_name != NULL &&
	    SSL_set_tlsext_host_name(ssl, demand->server_name) != 1)
		return false;
	switch (demand->policy) {
	case TLS_ANY:
		return demand_nothing(ssl);
	case TLS_NAMES:
		*verifies = true;
		return demand_names(ssl, demand);
	case TLS_DANE:
		return demand_records(ssl, demand, verifies);
	}
	return false;
}

enum tls_result
tls_connect(struct tls_client *client, struct stream *s,
    const struct tls_demand *demand, char *error)
{
	struct tls_session *t = tls_session_new(client->context);

	if (t == NULL || !set_demand(t->ssl, demand, &t->verified)) {
		snprintf(error, TLS_ERROR_MAX, "%s",
		    t == NULL ? "out of memory" : "no name to verify");
		ERR_clear_error();
		tls_session_free(t);
		return t == NULL ? TLS_FAILED : TLS_UNVERIFIED;
	}
	SSL_set_connect_state(t->ssl);
	return tls_handshake(s, t, error);
}
