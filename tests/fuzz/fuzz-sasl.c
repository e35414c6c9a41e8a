/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* explicit_bzero, in the code under test */
#include <string.h>
#include <unistd.h>

#include "common/sasl.h"
#include "tests/fuzz/fake-login.h"
#include "tests/fuzz/fuzz.h"

/*
 * SASL's server and client, decoded.  The input is a side, a mechanism, a
 * channel, and what the peer says, each saying behind two octets with its
 * length.  Whatever that is: nobody is logged in whom the backend did not
 * let in, and a SCRAM client believes no server that cannot sign.
 */

#define FIRST        "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
#define HALF         "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define FINAL        "c=biws,r=rOprNGfwEbeRWgbNEkqO" HALF
#define PROOF        ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define SAY(n, text) "\0" n text

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("\0\0\0" SAY("\7", "\0ann\0pw")),
    FUZZ_SEED("\0\0\0" SAY("\12", "ann\0ann\0pw")),
    FUZZ_SEED("\0\1\0" SAY("\3", "ann") SAY("\2", "pw")),
    FUZZ_SEED(
	"\0\2\0" SAY("\40", FIRST) SAY("\152", FINAL PROOF) SAY("\0", "")),
    FUZZ_SEED("\0\3\1" SAY("\40", "p=tls-exporter,,n=a,r=rOprNGfwEb")),
    FUZZ_SEED("\0\4\0" SAY("\33", "n,a=ann,\1auth=Bearer good\1\1")),
    FUZZ_SEED("\0\4\0" SAY("\25", "n,,\1auth=Bearer bad\1\1") SAY("\1", "\1")),
    FUZZ_SEED("\0\5\0" SAY("\33", "user=ann\1auth=Bearer good\1\1")),
    FUZZ_SEED("\0\6\0" SAY("\44", "ann 00000000000000000000000000000000")),
    FUZZ_SEED("\1\0\0" SAY("\0", "")),
    FUZZ_SEED("\1\1\0" SAY("\11", "Username:") SAY("\11", "Password:")),
    FUZZ_SEED("\1\2\0" SAY("\31", "r=xyz,s=W22ZaJ0S,i=4096,x")),
    FUZZ_SEED("\1\3\1" SAY("\3", "e=x")),
    FUZZ_SEED("\1\4\0" SAY("\20", "{\"status\":\"401\"}")),
    FUZZ_SEED("\1\6\0" SAY("\5", "<a@b>")),
    FUZZ_SEEDS_END,
};

enum { MORE_THAN_ENOUGH = 16 };

static bool
binding(void *context, enum sasl_binding kind, unsigned char *out, size_t *n)
{
	(void)context;
	*n = kind == SASL_TLS_EXPORTER ? 32 : 48;
	memset(out, 'b', *n);
	return true;
}

/* The next saying; NULL at the end. */
static const char *
say(struct cursor *c, size_t *n)
{
	uint16_t length = cursor_u16(c);
	struct span octets;

	if (!cursor_ok(c))
		return NULL;
	octets =
	    cursor_take(c, length < cursor_left(c) ? length : cursor_left(c));
	*n = octets.len;
	return octets.data;
}

static void
be_server(enum sasl_mechanism mechanism, const struct sasl_channel *channel,
    struct cursor *c)
{
	struct buf challenge = BUF_INIT(SASL_CHALLENGE_MAX);
	const char *response = NULL;
	enum sasl_step step = SASL_MORE;
	struct sasl_server server;
	struct login login;
	unsigned steps = 0;
	size_t n = 0;

	login_init(&login, NULL, "fuzz", "client", channel->tls);
	sasl_server_begin(&server, mechanism, &login_backend, &login, channel,
	    "mail.example.test", sasl_server_offer(~0U, channel));
	if (mechanism != SASL_CRAM_MD5)
		response = say(c, &n);
	for (;;) {
		step = sasl_server_step(&server, response, n, &challenge);
		REQUIRE(++steps <= MORE_THAN_ENOUGH && buf_ok(&challenge));
		if (step != SASL_MORE || (response = say(c, &n)) == NULL)
			break;
	}
	if (step == SASL_END && server.verdict == VERDICT_LOGIN_OK)
		REQUIRE(fake_logged_in && login.end >= 0);
	if (step == SASL_END && server.verdict != VERDICT_LOGIN_OK)
		REQUIRE(!fake_logged_in && login.end == -1);
	sasl_server_end(&server);
	login_end(&login);
	buf_free(&challenge);
}

static void
be_client(enum sasl_mechanism mechanism, const struct sasl_channel *channel,
    struct cursor *c)
{
	const struct sasl_client_facts facts = {.offered = ~0U,
	    .verified = true,
	    .channel = *channel,
	    .user = "ann,=",
	    .secret = "pw",
	    .host = "mail.example.test",
	    .port = 587};
	struct buf response = BUF_INIT(SASL_RESPONSE_MAX);
	const char *challenge = NULL;
	struct sasl_client client;
	unsigned steps = 0;
	size_t n = 0;

	sasl_client_begin(&client, mechanism, &facts);
	if (!sasl_client_is_first(&client))
		challenge = say(c, &n);
	while (
	    sasl_client_step(&client, challenge, n, &response) == SASL_MORE) {
		REQUIRE(++steps <= MORE_THAN_ENOUGH);
		challenge = say(c, &n);
		if (challenge == NULL)
			break;
	}
	if (mechanism == SASL_SCRAM_SHA_256 ||
	    mechanism == SASL_SCRAM_SHA_256_PLUS)
		REQUIRE(!sasl_client_believes(&client));
	sasl_client_end(&client);
	buf_free(&response);
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	struct cursor c = cursor_over(octets, n);
	bool server = (cursor_u8(&c) & 1) == 0;
	enum sasl_mechanism mechanism = cursor_u8(&c) % SASL_MECHANISMS;
	struct sasl_channel channel = {.tls = (cursor_u8(&c) & 1) != 0};

	if (!cursor_ok(&c))
		return 0;
	if (channel.tls)
		channel.binding = binding;
	if (!channel.tls && mechanism == SASL_SCRAM_SHA_256_PLUS)
		return 0;
	fake_logged_in = false;
	if (server)
		be_server(mechanism, &channel, &c);
	else
		be_client(mechanism, &channel, &c);
	return 0;
}
