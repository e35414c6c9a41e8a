/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64.h"
#include "common/sasl.h"

/*
 * SASL on standard input and output, a line of base64 each way, for tests
 * against other implementations and published vectors:
 *
 *	sasl-talk client MECHANISM USER PASSWORD
 *	sasl-talk server MECHANISM USER PASSWORD
 *	sasl-talk prove PASSWORD FIRST SERVER-FIRST FINAL
 *	sasl-talk verify VERIFIER FIRST NONCE FINAL PROOF
 *
 * Exits with 0 when that went well.
 */

static char line[SASL_RESPONSE_MAX * 2];
static size_t length;

static bool
hear(void)
{
	if (fgets(line, sizeof(line), stdin) == NULL)
		return false;
	return base64_decode(line, strcspn(line, "\r\n"), line, &length);
}

static void
say(const struct buf *octets)
{
	static char text[BASE64_LENGTH(SASL_RESPONSE_MAX) + 1];

	base64_encode(octets->data, octets->len, text);
	puts(text);
	fflush(stdout);
}

/* -- the client -- */

static int
be_client(enum sasl_mechanism mechanism, const char *user, const char *password)
{
	const struct sasl_client_facts facts = {.offered = SASL_SET(mechanism),
	    .verified = true,
	    .user = user,
	    .secret = password,
	    .host = "localhost"};
	struct buf response = BUF_INIT(SASL_RESPONSE_MAX);
	struct sasl_client client;

	sasl_client_begin(&client, mechanism, &facts);
	if (sasl_client_is_first(&client)) {
		if (sasl_client_step(&client, NULL, 0, &response) != SASL_MORE)
			return EXIT_FAILURE;
		say(&response);
	}
	while (!client.proven && hear()) {
		if (sasl_client_step(&client, line, length, &response) !=
		    SASL_MORE)
			return EXIT_FAILURE;
		say(&response);
	}
	return sasl_client_believes(&client) ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* -- the server, whose users are one -- */

static struct {
	const char *user, *password;
	struct scram_verifier verifier;
	char nonce[SCRAM_NONCE_TEXT + 1];
} one;

static enum verdict
judge(bool right)
{
	return right ? VERDICT_LOGIN_OK : VERDICT_LOGIN_FAILED;
}

static enum verdict
password(
    void *context, const char *mechanism, const char *user, const char *secret)
{
	(void)context, (void)mechanism;
	return judge(
	    strcmp(user, one.user) == 0 && strcmp(secret, one.password) == 0);
}

static enum verdict
scram_begin(void *context, const char *mechanism, const char *user,
    struct sasl_scram *scram)
{
	(void)context, (void)mechanism;
	if (strcmp(user, one.user) != 0 ||
	    !scram_make(&one.verifier, one.password, 4096) ||
	    !scram_nonce(one.nonce))
		return VERDICT_LOGIN_FAILED;
	strcpy(scram->nonce, one.nonce);
	base64_encode(one.verifier.salt, one.verifier.nsalt, scram->salt);
	scram->iterations = one.verifier.iterations;
	return VERDICT_OK;
}

static enum verdict
scram_proof(void *context, const char *first, const char *final,
    const char *proof, char *signature)
{
	(void)context;
	return judge(scram_verify(
	    &one.verifier, first, one.nonce, final, proof, signature));
}

static void
cancel(void *context)
{
	(void)context;
}

static void
refused(
    void *context, const char *mechanism, const char *user, const char *reason)
{
	(void)context, (void)mechanism, (void)user;
	fprintf(stderr, "%s\n", reason);
}

static const struct sasl_backend backend = {.password = password,
    .scram_begin = scram_begin,
    .scram_proof = scram_proof,
    .cancel = cancel,
    .refused = refused};

static int
be_server(enum sasl_mechanism mechanism, const char *user, const char *secret)
{
	const struct sasl_channel clear = {.tls = false};
	struct buf challenge = BUF_INIT(SASL_CHALLENGE_MAX);
	struct sasl_server server;
	enum sasl_step step;

	one.user = user;
	one.password = secret;
	sasl_server_begin(&server, mechanism, &backend, NULL, &clear,
	    "localhost", SASL_SET(mechanism));
	step = sasl_server_step(&server, NULL, 0, &challenge);
	while (step == SASL_MORE) {
		say(&challenge);
		if (!hear())
			return EXIT_FAILURE;
		step = sasl_server_step(&server, line, length, &challenge);
	}
	return step == SASL_END && server.verdict == VERDICT_LOGIN_OK
	    ? EXIT_SUCCESS
	    : EXIT_FAILURE;
}

/* -- SCRAM alone -- */

static int
prove(char **argv)
{
	struct scram_answer answer;

	if (!scram_prove(argv[0], argv[1], argv[2], argv[3], &answer))
		return EXIT_FAILURE;
	printf("%s\n%s\n", answer.proof, answer.signature);
	return EXIT_SUCCESS;
}

static int
verify(char **argv)
{
	char signature[SCRAM_KEY_TEXT + 1];
	struct scram_verifier verifier;

	if (!scram_read(argv[0], &verifier) ||
	    !scram_verify(
		&verifier, argv[1], argv[2], argv[3], argv[4], signature))
		return EXIT_FAILURE;
	puts(signature);
	return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	enum sasl_mechanism mechanism = SASL_MECHANISMS;
	const char *what = argc > 1 ? argv[1] : "";

	if (argc == 6 && strcmp(what, "prove") == 0)
		return prove(argv + 2);
	if (argc == 7 && strcmp(what, "verify") == 0)
		return verify(argv + 2);
	if (argc == 5)
		mechanism = sasl_named(argv[2], strlen(argv[2]));
	if (mechanism != SASL_MECHANISMS && strcmp(what, "client") == 0)
		return be_client(mechanism, argv[3], argv[4]);
	if (mechanism != SASL_MECHANISMS && strcmp(what, "server") == 0)
		return be_server(mechanism, argv[3], argv[4]);
	fputs("usage: see its source\n", stderr);
	return EXIT_FAILURE;
}
