/* SPDX-License-Identifier: ISC */
/*
 * credential.h: CRAM-MD5 (RFC 2195) and APOP (RFC 1939 section 7), for users
 * whose password the postmaster had kept.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/base64.h"
#include "userdb/credential.h"

enum { MD5_OCTETS = 16, MD5_TEXT = 32 };

static bool
cram_md5(const char *secret, size_t n, const char *challenge,
    unsigned char out[MD5_OCTETS])
{
	return HMAC(EVP_md5(), secret, (int)n, (const unsigned char *)challenge,
		   strlen(challenge), out, NULL) != NULL;
}

static bool
apop(const char *secret, size_t n, const char *challenge,
    unsigned char out[MD5_OCTETS])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = context != NULL &&
	    EVP_DigestInit_ex(context, EVP_md5(), NULL) == 1 &&
	    EVP_DigestUpdate(context, challenge, strlen(challenge)) == 1 &&
	    EVP_DigestUpdate(context, secret, n) == 1 &&
	    EVP_DigestFinal_ex(context, out, NULL) == 1;

	EVP_MD_CTX_free(context);
	return good;
}

static bool
is_answer(const struct login *login, const char *secret, size_t n)
{
	unsigned char octets[MD5_OCTETS];
	char text[MD5_TEXT + 1];

	if (!(login->apop ? apop : cram_md5)(
		secret, n, login->challenge, octets))
		return false;
	for (size_t i = 0; i < MD5_OCTETS; i++)
		snprintf(text + 2 * i, 3, "%02x", octets[i]);
	return strlen(login->response) == MD5_TEXT &&
	    CRYPTO_memcmp(text, login->response, MD5_TEXT) == 0;
}

/* Who has no secret is computed for, too, with one that is nobody's. */
static void
check(struct login *login)
{
	static const char nobodys[] = "bm9ib2R5J3M=";
	bool real = login->exists && login->user.secret[0] != '\0';
	const char *text = real ? login->user.secret : nobodys;
	char secret[ENTRY_SECRET_MAX + 1];
	size_t n;
	bool right = base64_decode(text, strlen(text), secret, &n) &&
	    is_answer(login, secret, n);

	explicit_bzero(secret, sizeof(secret));
	login_settle(login, right && real,
	    real ? "wrong password" : "no reversible password");
}

static bool
stands(const struct login *login, const struct entry *user)
{
	return strcmp(user->secret, login->user.secret) == 0;
}

const struct credential credential_digest = {.check = check, .stands = stands};

bool
login_digest(struct peer *peer, struct packet *p)
{
	const char *kind, *user, *challenge, *response, *client;
	uint64_t tls;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("kind", PROTOCOL_NAME_MAX, &kind),
	    ATTRIBUTE_TEXT("user", PROTOCOL_LOGIN_MAX, &user),
	    ATTRIBUTE_TEXT("challenge", PROTOCOL_TEXT_MAX, &challenge),
	    ATTRIBUTE_TEXT("response", PROTOCOL_TEXT_MAX, &response),
	    ATTRIBUTE_TEXT("client", PROTOCOL_NAME_MAX, &client),
	    ATTRIBUTE_NUMBER("tls", &tls)};
	struct login *login;
	bool is_apop;

	if (!packet_read(p, "digest", set, 6, 1) || login_waiting(peer) != NULL)
		return false;
	is_apop = strcmp(kind, "apop") == 0;
	if (!is_apop && strcmp(kind, "cram-md5") != 0)
		return false;
	login = login_new(peer, &credential_digest, user, client,
	    is_apop ? "APOP" : "CRAM-MD5", packet_detach(p, 0));
	if (login == NULL)
		return false;
	login->tls = tls == 1;
	login->apop = is_apop;
	login->challenge = strdup(challenge);
	login->response = strdup(response);
	if (login->challenge == NULL || login->response == NULL) {
		login_forget(login);
		return false;
	}
	login_go(login);
	return true;
}
