/* SPDX-License-Identifier: ISC */
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "common/tls_stream.h"

enum { TURNS_MAX = 10 };

/* Each in turn, as far as it comes. */
static bool
shake_hands(SSL *server, SSL *client)
{
	for (int i = 0; i < TURNS_MAX; i++) {
		int theirs = SSL_do_handshake(client);
		int ours = SSL_do_handshake(server);

		if (ours == 1 && theirs == 1)
			return true;
	}
	return false;
}

static bool
say_something(SSL *from, SSL *to)
{
	char octets[16];

	return SSL_write(from, "250 2.0.0 ok\r\n", 14) == 14 &&
	    SSL_read(to, octets, sizeof(octets)) == 14;
}

static bool
join(SSL *server, SSL *client)
{
	BIO *ours, *theirs;

	if (BIO_new_bio_pair(&ours, 0, &theirs, 0) != 1)
		return false;
	SSL_set_bio(server, ours, ours);
	SSL_set_bio(client, theirs, theirs);
	SSL_set_accept_state(server);
	SSL_set_connect_state(client);
	return true;
}

bool
tls_rehearse(SSL_CTX *context)
{
	SSL_CTX *clients = SSL_CTX_new(TLS_client_method());
	SSL *client = clients != NULL ? SSL_new(clients) : NULL;
	struct tls_session *t = tls_session_new(context);
	bool fine = client != NULL && t != NULL && join(t->ssl, client) &&
	    shake_hands(t->ssl, client) && say_something(client, t->ssl) &&
	    say_something(t->ssl, client);

	tls_session_free(t);
	SSL_free(client);
	SSL_CTX_free(clients);
	ERR_clear_error();
	return fine;
}
