/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* memfd_create */
#include "tests/fuzz/fake-login.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

bool fake_logged_in;

/* RFC 7677 section 3, so that its conversation is a seed that gets in */
static const char half[] = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
static const char verifier[] = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
			       "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
			       "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

static bool scram_open;

static enum verdict
judge(struct login *login, bool right)
{
	REQUIRE(!fake_logged_in && !scram_open);
	if (!right)
		return VERDICT_LOGIN_FAILED;
	fake_logged_in = true;
	strcpy(login->user, "ann@example.test");
	login->end = memfd_create("end", MFD_CLOEXEC);
	REQUIRE(login->end >= 0);
	return VERDICT_LOGIN_OK;
}

void
login_init(struct login *login, int *userdb, const char *service,
    const char *client, bool tls)
{
	REQUIRE(service != NULL && client != NULL);
	*login = (struct login){
	    .userdb = userdb, .tls = tls, .end = -1, .pending = -1};
}

void
login_end(struct login *login)
{
	REQUIRE(!scram_open);
	if (login->end < 0)
		return;
	/* Nobody has taken it: the exchange broke off behind the proof. */
	close(login->end);
	fake_logged_in = false;
}

enum verdict
login_password(struct login *login, const char *mechanism, const char *user,
    const char *password)
{
	REQUIRE(mechanism != NULL);
	return judge(
	    login, strcmp(user, "ann") == 0 && strcmp(password, "pw") == 0);
}

enum verdict
login_digest(struct login *login, const char *kind, const char *user,
    const char *challenge, const char *response)
{
	REQUIRE(strcmp(kind, "apop") == 0 || strcmp(kind, "cram-md5") == 0);
	REQUIRE(challenge[0] == '<' && strlen(response) == 32);
	REQUIRE(strspn(response, "0123456789abcdefABCDEF") == 32);
	return judge(login,
	    strcmp(user, "ann") == 0 &&
		strcmp(response, "00000000000000000000000000000000") == 0);
}

static enum verdict
password(
    void *context, const char *mechanism, const char *user, const char *secret)
{
	return login_password(context, mechanism, user, secret);
}

static enum verdict
digest(void *context, const char *kind, const char *user, const char *challenge,
    const char *response)
{
	return login_digest(context, kind, user, challenge, response);
}

static enum verdict
token(void *context, const char *mechanism, const char *user, const char *value,
    struct buf *challenge)
{
	REQUIRE(mechanism != NULL && value[0] != '\0');
	REQUIRE(strlen(user) <= PROTOCOL_LOGIN_MAX);
	REQUIRE(strpbrk(value, " \r\n\x01") == NULL);
	if (strcmp(value, "bad") == 0)
		buf_adds(challenge, "{\"status\":\"invalid_token\"}");
	return judge(context, strcmp(value, "good") == 0);
}

static enum verdict
scram_begin(void *context, const char *mechanism, const char *user,
    struct sasl_scram *scram)
{
	struct login *login = context;

	REQUIRE(mechanism != NULL && user[0] != '\0' && !scram_open);
	REQUIRE(login->end == -1);
	scram_open = true;
	strcpy(scram->nonce, half);
	strcpy(scram->salt, "W22ZaJ0SNY7soEsUEjb6gQ==");
	scram->iterations = 4096;
	return VERDICT_OK;
}

static enum verdict
scram_proof(void *context, const char *first, const char *final,
    const char *proof, char *signature)
{
	struct scram_verifier v;

	REQUIRE(scram_open && scram_read(verifier, &v));
	scram_open = false;
	return judge(
	    context, scram_verify(&v, first, half, final, proof, signature));
}

static void
cancel(void *context)
{
	(void)context;
	REQUIRE(scram_open);
	scram_open = false;
}

static void
refused(
    void *context, const char *mechanism, const char *user, const char *reason)
{
	(void)context;
	REQUIRE(mechanism != NULL && user != NULL && reason != NULL);
}

const struct sasl_backend login_backend = {
    .password = password,
    .token = token,
    .digest = digest,
    .scram_begin = scram_begin,
    .scram_proof = scram_proof,
    .cancel = cancel,
    .refused = refused,
};
