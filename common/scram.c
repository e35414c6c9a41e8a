/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* explicit_bzero */
#include "common/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "common/base64.h"
#include "common/protocol.h"
#include "common/saslprep.h"

typedef unsigned char key[SCRAM_KEY];

/* -- arithmetic (RFC 5802 section 3) -- */

static bool
hash(const key in, key out)
{
	return EVP_Digest(in, SCRAM_KEY, out, NULL, EVP_sha256(), NULL) == 1;
}

static bool
hmac(const key with, const void *octets, size_t n, key out)
{
	return HMAC(EVP_sha256(), with, SCRAM_KEY, octets, n, out, NULL) !=
	    NULL;
}

static void
exclusive_or(const key a, const key b, key out)
{
	for (size_t i = 0; i < SCRAM_KEY; i++)
		out[i] = (unsigned char)(a[i] ^ b[i]);
}

/* ClientKey and ServerKey, of the SaltedPassword. */
static bool
keys_of(const char *password, const unsigned char *salt, size_t nsalt,
    unsigned iterations, key client_key, key server_key)
{
	char prepared[PROTOCOL_PASSWORD_MAX + 1];
	key salted;
	bool fine = saslprep(password, strlen(password), prepared,
			PROTOCOL_PASSWORD_MAX) &&
	    PKCS5_PBKDF2_HMAC(prepared, (int)strlen(prepared), salt, (int)nsalt,
		(int)iterations, EVP_sha256(), SCRAM_KEY, salted) == 1 &&
	    hmac(salted, "Client Key", 10, client_key) &&
	    hmac(salted, "Server Key", 10, server_key);

	explicit_bzero(prepared, sizeof(prepared));
	explicit_bzero(salted, sizeof(salted));
	return fine;
}

static void
encode(const key octets, char *text)
{
	base64_encode(octets, SCRAM_KEY, text);
}

static bool
decode(struct span text, unsigned char *out, size_t room, size_t *made)
{
	char octets[SCRAM_SALT_TEXT_MAX];

	if (text.len > sizeof(octets) ||
	    !base64_decode(text.data, text.len, octets, made) || *made > room)
		return false;
	memcpy(out, octets, *made);
	return true;
}

static bool
decode_key(struct span text, key out)
{
	size_t made;

	return decode(text, out, SCRAM_KEY, &made) && made == SCRAM_KEY;
}

/* -- verifiers -- */

bool
scram_derive(struct scram_verifier *v, const char *password)
{
	key client_key;
	bool fine = v->iterations >= SCRAM_ITERATIONS_LEAST &&
	    v->iterations <= SCRAM_ITERATIONS_MOST &&
	    keys_of(password, v->salt, v->nsalt, v->iterations, client_key,
		v->server_key) &&
	    hash(client_key, v->stored_key);

	explicit_bzero(client_key, sizeof(client_key));
	return fine;
}

bool
scram_make(struct scram_verifier *v, const char *password, unsigned iterations)
{
	*v = (struct scram_verifier){
	    .iterations = iterations, .nsalt = SCRAM_SALT};
	return RAND_bytes(v->salt, SCRAM_SALT) == 1 &&
	    scram_derive(v, password);
}

bool
scram_matches(const struct scram_verifier *v, const char *password)
{
	struct scram_verifier made = *v;

	return scram_derive(&made, password) &&
	    CRYPTO_memcmp(made.stored_key, v->stored_key, SCRAM_KEY) == 0 &&
	    CRYPTO_memcmp(made.server_key, v->server_key, SCRAM_KEY) == 0;
}

static const char verifier_name[] = "SCRAM-SHA-256$";

void
scram_format(const struct scram_verifier *v, char *text)
{
	char salt[SCRAM_SALT_TEXT_MAX + 1];
	char stored[SCRAM_KEY_TEXT + 1], server[SCRAM_KEY_TEXT + 1];

	base64_encode(v->salt, v->nsalt, salt);
	encode(v->stored_key, stored);
	encode(v->server_key, server);
	snprintf(text, SCRAM_VERIFIER_TEXT_MAX + 1, "%s%u:%s$%s:%s",
	    verifier_name, v->iterations, salt, stored, server);
}

bool
scram_read(const char *text, struct scram_verifier *v)
{
	struct cursor c = cursor_over(text, strlen(text));
	struct span salt, stored, server;
	uint64_t iterations;

	cursor_expect(&c, verifier_name);
	iterations = cursor_decimal(&c);
	cursor_expect(&c, ":");
	salt = cursor_until(&c, '$');
	stored = cursor_until(&c, ':');
	server = cursor_take(&c, cursor_left(&c));
	if (!cursor_ok(&c) || iterations < SCRAM_ITERATIONS_LEAST ||
	    iterations > SCRAM_ITERATIONS_MOST)
		return false;
	*v = (struct scram_verifier){.iterations = (unsigned)iterations};
	return decode(salt, v->salt, SCRAM_SALT_MAX, &v->nsalt) &&
	    v->nsalt > 0 && decode_key(stored, v->stored_key) &&
	    decode_key(server, v->server_key);
}

bool
scram_nonce(char *text)
{
	unsigned char octets[SCRAM_NONCE];

	if (RAND_bytes(octets, sizeof(octets)) != 1)
		return false;
	base64_encode(octets, sizeof(octets), text);
	return true;
}

/* -- proofs -- */

/* Everything that was said: AuthMessage. */
static bool
auth_message(struct buf *out, const char *first, const char *server_first,
    const char *final)
{
	return buf_addf(out, "%s,%s,%s", first, server_first, final) &&
	    buf_ok(out);
}

/* Is this ClientProof the verifier's for that message? */
static bool
proves(
    const struct scram_verifier *v, const struct buf *message, const key proof)
{
	key signature, client_key, stored;
	bool fine = hmac(v->stored_key, message->data, message->len, signature);

	exclusive_or(proof, signature, client_key);
	fine = fine && hash(client_key, stored) &&
	    CRYPTO_memcmp(stored, v->stored_key, SCRAM_KEY) == 0;
	explicit_bzero(client_key, sizeof(client_key));
	return fine;
}

/* final: "c=...,r=" and both halves of the nonce, and then extensions. */
static bool
has_nonce(const char *final, struct span client, const char *nonce)
{
	const char *at = strstr(final, ",r=");
	size_t n = strlen(nonce);

	if (at == NULL || strncmp(final, "c=", 2) != 0)
		return false;
	at += 3;
	return strncmp(at, client.data, client.len) == 0 &&
	    strncmp(at + client.len, nonce, n) == 0 &&
	    (at[client.len + n] == '\0' || at[client.len + n] == ',');
}

bool
scram_verify(const struct scram_verifier *v, const char *first,
    const char *nonce, const char *final, const char *proof, char *signature)
{
	struct buf server_first = BUF_INIT(SCRAM_MESSAGE_MAX);
	struct buf message = BUF_INIT(3 * SCRAM_MESSAGE_MAX);
	char salt[SCRAM_SALT_TEXT_MAX + 1];
	struct span name, client;
	key given, ours;
	bool fine;

	if (!scram_read_bare(
		(struct span){first, strlen(first)}, &name, &client) ||
	    !has_nonce(final, client, nonce) ||
	    !decode_key((struct span){proof, strlen(proof)}, given))
		return false;
	base64_encode(v->salt, v->nsalt, salt);
	buf_addf(&server_first, "r=%.*s%s,s=%s,i=%u", (int)client.len,
	    client.data, nonce, salt, v->iterations);
	fine = buf_text(&server_first) != NULL &&
	    auth_message(&message, first, server_first.data, final) &&
	    proves(v, &message, given) &&
	    hmac(v->server_key, message.data, message.len, ours);
	if (fine)
		encode(ours, signature);
	buf_free(&server_first);
	buf_free(&message);
	return fine;
}

static bool
answer(const char *password, const struct scram_server_first *m,
    const struct buf *message, struct scram_answer *out)
{
	key client_key, server_key, stored, proof;
	bool fine = keys_of(password, m->salt, m->nsalt, m->iterations,
			client_key, server_key) &&
	    hash(client_key, stored) &&
	    hmac(stored, message->data, message->len, proof);

	if (fine) {
		exclusive_or(client_key, proof, proof);
		encode(proof, out->proof);
		fine = hmac(server_key, message->data, message->len, proof);
		encode(proof, out->signature);
	}
	explicit_bzero(client_key, sizeof(client_key));
	explicit_bzero(server_key, sizeof(server_key));
	return fine;
}

bool
scram_prove(const char *password, const char *first, const char *server_first,
    const char *final, struct scram_answer *out)
{
	struct buf message = BUF_INIT(3 * SCRAM_MESSAGE_MAX);
	struct scram_server_first m;
	bool fine =
	    scram_read_server_first(server_first, strlen(server_first), &m) &&
	    auth_message(&message, first, server_first, final) &&
	    answer(password, &m, &message, out);

	buf_free(&message);
	return fine;
}
