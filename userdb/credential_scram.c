/* SPDX-License-Identifier: ISC */
/* credential.h: SCRAM-SHA-256, in two requests. */
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "common/base64.h"
#include "userdb/credential.h"
#include "userdb/salt.h"

/*
 * Who has no verifier is computed for like who has, with one that nothing
 * matches.
 */
static void
check(struct login *login)
{
	bool right = scram_verify(&login->verifier, login->first, login->nonce,
	    login->final, login->proof, login->signature);

	login_settle(login, right && login->verifier_is_real && login->exists,
	    login->verifier_is_real ? "wrong password"
				    : "no SCRAM verifier yet");
}

/* The user has been looked up again since the exchange began. */
static bool
stands(const struct login *login, const struct entry *user)
{
	struct scram_verifier now;

	return scram_read(user->scram, &now) &&
	    CRYPTO_memcmp(
		now.stored_key, login->verifier.stored_key, SCRAM_KEY) == 0;
}

static void
answer(const struct login *login, bool good, struct packet *p)
{
	if (good)
		packet_text(p, "signature", login->signature);
}

const struct credential credential_scram = {
    .check = check, .stands = stands, .answer = answer};

static bool
begin(struct login *login)
{
	static struct packet p;
	char salt[SCRAM_SALT_TEXT_MAX + 1];

	if (login_find(login) == FAILED ||
	    !scram_nonce(login->nonce) ||
	    !salt_verifier(login_directory(), login->whose,
		login->exists ? &login->user : NULL, &login->verifier,
		&login->verifier_is_real)) {
		login->peer->busy = true;
		login_later(login, "database");
		return true;
	}
	login->waiting = true;
	base64_encode(login->verifier.salt, login->verifier.nsalt, salt);
	packet_start(&p, "scram");
	packet_text(&p, "nonce", login->nonce);
	packet_text(&p, "salt", salt);
	packet_number(&p, "iterations", login->verifier.iterations);
	(void)peer_answer(login->peer, &p);
	return true;
}

bool
login_scram(struct peer *peer, struct packet *p)
{
	const char *user, *client, *mechanism;
	uint64_t tls;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("user", PROTOCOL_LOGIN_MAX, &user),
	    ATTRIBUTE_TEXT("client", PROTOCOL_NAME_MAX, &client),
	    ATTRIBUTE_TEXT("mechanism", PROTOCOL_NAME_MAX, &mechanism),
	    ATTRIBUTE_NUMBER("tls", &tls)};
	struct login *login;

	if (!packet_read(p, "scram", set, 4, 1) || login_waiting(peer) != NULL)
		return false;
	login = login_new(peer, &credential_scram, user, client, mechanism,
	    packet_detach(p, 0));
	if (login == NULL)
		return false;
	login->tls = tls == 1;
	return begin(login);
}

bool
login_proof(struct peer *peer, struct packet *p)
{
	const char *first, *final, *proof;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("first", PROTOCOL_SCRAM_MAX, &first),
	    ATTRIBUTE_TEXT("final", PROTOCOL_SCRAM_MAX, &final),
	    ATTRIBUTE_TEXT("proof", PROTOCOL_SCRAM_MAX, &proof)};
	struct login *login = login_waiting(peer);

	if (login == NULL || !packet_read(p, "proof", set, 3, 0))
		return false;
	login->waiting = false;
	login->first = strdup(first);
	login->final = strdup(final);
	login->proof = strdup(proof);
	if (login->first == NULL || login->final == NULL ||
	    login->proof == NULL) {
		login_forget(login);
		return false;
	}
	login_go(login);
	return true;
}

bool
login_cancel(struct peer *peer, struct packet *p)
{
	struct login *login = login_waiting(peer);

	if (login == NULL || !packet_read(p, "cancel", NULL, 0, 0))
		return false;
	login_forget(login);
	return true;
}
