/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base64.h"
#include "common/sasl.h"

#define SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define ALL         (SASL_SET(SASL_MECHANISMS) - 1)

/* -- a backend that knows ann -- */

static struct {
	struct scram_verifier verifier;
	char nonce[SCRAM_NONCE_TEXT + 1];
	char user[PROTOCOL_LOGIN_MAX + 1]; /* as asked for last */
	char secret[PROTOCOL_TOKEN_MAX + 1];
	enum verdict answer; /* instead of its own, when not OK */
	const char *json;
	const char *reason; /* of the last refusal without asking */
	unsigned asked, open, cancelled;
} backend;

static enum verdict
judge(const char *user, const char *secret, bool right)
{
	backend.asked++;
	snprintf(backend.user, sizeof(backend.user), "%s", user);
	snprintf(backend.secret, sizeof(backend.secret), "%s", secret);
	if (backend.answer != VERDICT_OK)
		return backend.answer;
	return right ? VERDICT_LOGIN_OK : VERDICT_LOGIN_FAILED;
}

static enum verdict
password(
    void *context, const char *mechanism, const char *user, const char *secret)
{
	(void)context, (void)mechanism;
	return judge(user, secret,
	    strcmp(user, "ann") == 0 && strcmp(secret, "pencil") == 0);
}

static enum verdict
token(void *context, const char *mechanism, const char *user, const char *value,
    struct buf *challenge)
{
	(void)context, (void)mechanism;
	if (backend.json != NULL)
		buf_adds(challenge, backend.json);
	return judge(user, value, strcmp(value, "good") == 0);
}

static enum verdict
digest(void *context, const char *kind, const char *user, const char *challenge,
    const char *response)
{
	(void)context;
	assert_string_equal(kind, "cram-md5");
	assert_int_equal(challenge[0], '<');
	return judge(user, response, strcmp(user, "ann") == 0);
}

static enum verdict
scram_begin(void *context, const char *mechanism, const char *user,
    struct sasl_scram *scram)
{
	(void)context, (void)mechanism;
	snprintf(backend.user, sizeof(backend.user), "%s", user);
	if (backend.answer != VERDICT_OK)
		return backend.answer;
	assert_true(scram_make(&backend.verifier, "pencil", 4096));
	assert_true(scram_nonce(backend.nonce));
	strcpy(scram->nonce, backend.nonce);
	base64_encode(
	    backend.verifier.salt, backend.verifier.nsalt, scram->salt);
	scram->iterations = 4096;
	backend.open++;
	return VERDICT_OK;
}

static enum verdict
scram_proof(void *context, const char *first, const char *final,
    const char *proof, char *signature)
{
	char user[PROTOCOL_LOGIN_MAX + 1];

	(void)context;
	strcpy(user, backend.user);
	backend.open--;
	return judge(user, proof,
	    scram_verify(&backend.verifier, first, backend.nonce, final, proof,
		signature));
}

static void
cancel(void *context)
{
	(void)context;
	backend.open--;
	backend.cancelled++;
}

static void
refused(
    void *context, const char *mechanism, const char *user, const char *reason)
{
	(void)context, (void)mechanism, (void)user;
	backend.reason = reason;
}

static const struct sasl_backend functions = {
    password, token, digest, scram_begin, scram_proof, cancel, refused};

static void
forget(void **state)
{
	(void)state;
	memset(&backend, 0, sizeof(backend));
}

static bool
binding(void *context, enum sasl_binding kind, unsigned char *out, size_t *n)
{
	*n = kind == SASL_TLS_EXPORTER ? 32 : 48;
	memset(out, *(const char *)context, *n);
	return true;
}

static bool
only_end_point(
    void *context, enum sasl_binding kind, unsigned char *out, size_t *n)
{
	return kind == SASL_TLS_SERVER_END_POINT &&
	    binding(context, kind, out, n);
}

static const struct sasl_channel clear = {.tls = false};
static struct sasl_channel bound = {true, binding, "x"};
static struct sasl_channel elsewhere = {true, binding, "y"};

/* -- one response, or two -- */

static struct sasl_server server;
static struct buf challenge = BUF_INIT(SASL_CHALLENGE_MAX);

static void
begin(enum sasl_mechanism mechanism, const struct sasl_channel *channel)
{
	sasl_server_begin(&server, mechanism, &functions, NULL, channel,
	    "mail.example.test", sasl_server_offer(ALL, channel));
}

static enum sasl_step
step(const char *response, size_t n)
{
	return sasl_server_step(&server, response, n, &challenge);
}

struct saying {
	const char *octets;
	size_t n;
	enum sasl_step step;
	enum verdict verdict; /* with SASL_END */
};
#define S(text, ...)                                                           \
	{                                                                      \
		text, sizeof(text) - 1, __VA_ARGS__                            \
	}

static void
each_alone(enum sasl_mechanism mechanism, const struct saying *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		enum sasl_step got;

		begin(mechanism, &clear);
		got = step(cases[i].octets, cases[i].n);
		if (got != cases[i].step ||
		    (got == SASL_END && server.verdict != cases[i].verdict))
			fail_msg("%s %zu: step %d, verdict %d",
			    sasl_name(mechanism), i, got, server.verdict);
		sasl_server_end(&server);
	}
}

static void
plain(void **state)
{
	static const struct saying cases[] = {
	    S("\0ann\0pencil", SASL_END, VERDICT_LOGIN_OK),
	    S("ann\0ann\0pencil", SASL_END, VERDICT_LOGIN_OK),
	    S("\0ann\0Pencil", SASL_END, VERDICT_LOGIN_FAILED),
	    /* RFC 4616 section 4 */
	    S("\0tim\0tanstaaftanstaaf", SASL_END, VERDICT_LOGIN_FAILED),
	    S("Ursel\0Kurt\0xipj3plmq", SASL_END, VERDICT_LOGIN_FAILED),
	    S("an\0ann\0pencil", SASL_END, VERDICT_LOGIN_FAILED),
	    S("bob\0ann\0pencil", SASL_END, VERDICT_LOGIN_FAILED),
	    S("", SASL_MALFORMED, 0),
	    S("ann", SASL_MALFORMED, 0),
	    S("\0ann", SASL_MALFORMED, 0),
	    S("\0ann\0", SASL_MALFORMED, 0),
	    S("\0\0pencil", SASL_MALFORMED, 0),
	    S("\0ann\0pencil\0", SASL_MALFORMED, 0),
	    S("\0ann\0pen\0cil", SASL_MALFORMED, 0),
	};
	char message[PROTOCOL_LOGIN_MAX + PROTOCOL_PASSWORD_MAX + 3];

	forget(state);
	each_alone(SASL_PLAIN, cases, SIZE(cases));
	assert_int_equal(backend.asked, 4); /* not for somebody else */
	assert_string_equal(backend.reason, "asked to act as somebody else");
	memset(message, 'a', sizeof(message));
	message[0] = message[PROTOCOL_LOGIN_MAX + 1] = '\0';
	begin(SASL_PLAIN, &clear);
	assert_int_equal(step(NULL, 0), SASL_MORE);
	assert_int_equal(challenge.len, 0);
	assert_int_equal(step(message, sizeof(message) - 1), SASL_END);
	assert_int_equal(strlen(backend.user), PROTOCOL_LOGIN_MAX);
	assert_int_equal(strlen(backend.secret), PROTOCOL_PASSWORD_MAX);
	begin(SASL_PLAIN, &clear);
	assert_int_equal(step(message, sizeof(message)), SASL_MALFORMED);
}

static void
temporary_failures_are_passed_on(void **state)
{
	forget(state);
	backend.answer = VERDICT_LOGIN_LATER;
	for (unsigned i = 0; i < SASL_MECHANISMS; i++) {
		static const struct {
			const char *first, *second;
			size_t n;
		} said[SASL_MECHANISMS] = {
		    [SASL_PLAIN] = {"\0ann\0pencil", NULL, 11},
		    [SASL_LOGIN] = {"ann", "pencil", 3},
		    [SASL_SCRAM_SHA_256] = {"n,,n=ann,r=abc", NULL, 14},
		    [SASL_SCRAM_SHA_256_PLUS] = {"p=tls-exporter,,n=ann,r=abc",
			NULL, 27},
		    [SASL_OAUTHBEARER] = {"n,,\1auth=Bearer x\1\1", NULL, 19},
		    [SASL_XOAUTH2] = {"user=a\1auth=Bearer x\1\1", NULL, 22},
		    [SASL_CRAM_MD5] = {NULL,
			"ann 0123456789abcdef0123456789abcdef", 0},
		};
		enum sasl_step got;

		begin((enum sasl_mechanism)i, &bound);
		got = step(said[i].first, said[i].n);
		if (said[i].second != NULL) {
			assert_int_equal(got, SASL_MORE);
			got = step(said[i].second, strlen(said[i].second));
		}
		assert_int_equal(got, SASL_END);
		assert_int_equal(server.verdict, VERDICT_LOGIN_LATER);
		sasl_server_end(&server);
	}
	assert_int_equal(backend.cancelled, 0);
}

static void
login(void **state)
{
	forget(state);
	begin(SASL_LOGIN, &clear);
	assert_int_equal(step(NULL, 0), SASL_MORE);
	assert_string_equal(buf_text(&challenge), "Username:");
	assert_int_equal(step("ann", 3), SASL_MORE);
	assert_string_equal(buf_text(&challenge), "Password:");
	assert_int_equal(step("pencil", 6), SASL_END);
	assert_int_equal(server.verdict, VERDICT_LOGIN_OK);
	begin(SASL_LOGIN, &clear);
	assert_int_equal(step("ann", 3), SASL_MORE);
	assert_int_equal(step("", 0), SASL_MALFORMED);
	begin(SASL_LOGIN, &clear);
	assert_int_equal(step("a\0b", 3), SASL_MALFORMED);
	assert_int_equal(backend.asked, 1);
}

static void
cram_md5(void **state)
{
	static const struct saying cases[] = {
	    S("ann 0123456789abcdef0123456789ABCDEF", SASL_END,
		VERDICT_LOGIN_OK),
	    S("ann of x 0123456789abcdef0123456789abcdef", SASL_END,
		VERDICT_LOGIN_FAILED),
	    S("ann", SASL_MALFORMED, 0),
	    S(" 0123456789abcdef0123456789abcdef", SASL_MALFORMED, 0),
	    S("ann 0123456789abcdef0123456789abcde", SASL_MALFORMED, 0),
	    S("ann 0123456789abcdef0123456789abcdex", SASL_MALFORMED, 0),
	    S("a\0n 0123456789abcdef0123456789abcdef", SASL_MALFORMED, 0),
	    S("", SASL_MALFORMED, 0),
	};
	char first[128];

	forget(state);
	for (size_t i = 0; i < SIZE(cases); i++) {
		begin(SASL_CRAM_MD5, &clear);
		assert_int_equal(step(NULL, 0), SASL_MORE);
		assert_non_null(
		    strstr(buf_text(&challenge), "@mail.example.test>"));
		assert_string_not_equal(challenge.data, first);
		strcpy(first, challenge.data);
		assert_int_equal(
		    step(cases[i].octets, cases[i].n), cases[i].step);
		if (cases[i].step == SASL_END)
			assert_int_equal(server.verdict, cases[i].verdict);
	}
	begin(SASL_CRAM_MD5, &clear);
	assert_int_equal(step("", 0), SASL_NOT_INITIAL);
}

/* -- tokens -- */

static void
oauthbearer(void **state)
{
	static const struct saying cases[] = {
	    S("n,,\1auth=Bearer good\1\1", SASL_END, VERDICT_LOGIN_OK),
	    S("y,,\1auth=bearer  good\1\1", SASL_END, VERDICT_LOGIN_OK),
	    /* RFC 7628 section 4.1, shortened */
	    S("n,a=user@example.com,\1host=server.example.com\1port=143\1"
	      "auth=Bearer good\1\1",
		SASL_END, VERDICT_LOGIN_OK),
	    S("n,,\1auth=Bearer wrong\1\1", SASL_MORE, 0),
	    S("n,,\1auth=\1\1", SASL_MORE, 0),
	    S("", SASL_MALFORMED, 0),
	    S("n,,", SASL_MALFORMED, 0),
	    S("n,,\1", SASL_MALFORMED, 0),
	    S("n,,\1\1", SASL_MALFORMED, 0),
	    S("n,,\1host=x\1\1", SASL_MALFORMED, 0),
	    S("n,,\1auth=Bearer good\1", SASL_MALFORMED, 0),
	    S("n,,\1auth=Bearer good\1\1\1", SASL_MALFORMED, 0),
	    S("n,,\1auth=Bearer good\1\1x", SASL_MALFORMED, 0),
	    S("n,,\1auth=Bearer good\1auth=Bearer good\1\1", SASL_MALFORMED, 0),
	    S("n,,\1auth=Basic good\1\1", SASL_MALFORMED, 0),
	    S("n,,\1auth=Bearer go\0od\1\1", SASL_MALFORMED, 0),
	    S("n,,\1auth=Bearer go od\1\1", SASL_MALFORMED, 0),
	    S("n,,\1auth=Bearer =\1\1", SASL_MALFORMED, 0),
	    S("n,a=,\1auth=Bearer good\1\1", SASL_MALFORMED, 0),
	    S("n,b=x,\1auth=Bearer good\1\1", SASL_MALFORMED, 0),
	    S("p=tls-exporter,,\1auth=Bearer good\1\1", SASL_MALFORMED, 0),
	    S("n,,auth=Bearer good\1\1", SASL_MALFORMED, 0),
	    S("n,,\1=x\1auth=Bearer good\1\1", SASL_MALFORMED, 0),
	};

	forget(state);
	each_alone(SASL_OAUTHBEARER, cases, SIZE(cases));
	begin(SASL_OAUTHBEARER, &clear);
	assert_int_equal(
	    step("n,a=a=2Cb,\1auth=Bearer good\1\1", 29), SASL_END);
	assert_string_equal(backend.user, "a,b");
}

static void
xoauth2(void **state)
{
	static const struct saying cases[] = {
	    S("user=ann\1auth=Bearer good\1\1", SASL_END, VERDICT_LOGIN_OK),
	    S("user=ann\1auth=Bearer wrong\1\1", SASL_MORE, 0),
	    S("auth=Bearer good\1\1", SASL_MALFORMED, 0),
	    S("user=\1auth=Bearer good\1\1", SASL_MALFORMED, 0),
	    S("user=ann\1\1", SASL_MALFORMED, 0),
	    S("user=ann\1user=bob\1auth=Bearer good\1\1", SASL_MALFORMED, 0),
	    S("user=ann\1auth=Bearer good\1", SASL_MALFORMED, 0),
	};

	forget(state);
	each_alone(SASL_XOAUTH2, cases, SIZE(cases));
}

/* RFC 7628 section 3.2.3: JSON, a word of no interest, the error. */
static void
refused_tokens_are_told_why(void **state)
{
	static const char *const answers[] = {"\1", "", "whatever"};

	forget(state);
	for (size_t i = 0; i < SIZE(answers); i++) {
		backend.json = i == 0 ? "{\"status\":\"expired\"}" : NULL;
		begin(SASL_OAUTHBEARER, &clear);
		assert_int_equal(
		    step("n,,\1auth=Bearer wrong\1\1", 23), SASL_MORE);
		assert_string_equal(buf_text(&challenge),
		    i == 0 ? backend.json : "{\"status\":\"invalid_token\"}");
		assert_int_equal(
		    step(answers[i], strlen(answers[i])), SASL_END);
		assert_int_equal(server.verdict, VERDICT_LOGIN_FAILED);
	}
	begin(SASL_OAUTHBEARER, &clear);
	assert_int_equal(step("n,,\1auth=\1\1", 11), SASL_MORE);
	assert_int_equal(backend.asked, 3); /* nothing to ask about */
	assert_string_equal(backend.reason, "no token");
}

static void
a_long_token_fits(void **state)
{
	static char message[SASL_RESPONSE_MAX];
	int n = snprintf(message, sizeof(message), "n,,\1auth=Bearer ");

	forget(state);
	memset(message + n, 'a', PROTOCOL_TOKEN_MAX);
	memcpy(message + n + PROTOCOL_TOKEN_MAX, "\1\1", 2);
	begin(SASL_OAUTHBEARER, &clear);
	assert_int_equal(
	    step(message, (size_t)n + PROTOCOL_TOKEN_MAX + 2), SASL_MORE);
	assert_int_equal(strlen(backend.secret), PROTOCOL_TOKEN_MAX);
	memcpy(message + n + PROTOCOL_TOKEN_MAX, "a\1\1", 3);
	begin(SASL_OAUTHBEARER, &clear);
	assert_int_equal(
	    step(message, (size_t)n + PROTOCOL_TOKEN_MAX + 3), SASL_MALFORMED);
}

/* -- both sides together -- */

static enum sasl_step
talk(const struct sasl_client_facts *facts, enum sasl_mechanism mechanism,
    const struct sasl_channel *channel, bool *believed)
{
	struct buf response = BUF_INIT(SASL_RESPONSE_MAX);
	struct sasl_client client;
	enum sasl_step got = SASL_MORE;
	bool first;

	sasl_client_begin(&client, mechanism, facts);
	begin(mechanism, channel);
	server.offered = facts->offered;
	first = sasl_client_is_first(&client);
	if (!first)
		got = step(NULL, 0);
	while (got == SASL_MORE) {
		got = sasl_client_step(&client, first ? NULL : challenge.data,
		    first ? 0 : challenge.len, &response);
		if (got != SASL_MORE)
			break;
		first = false;
		got = step(response.data, response.len);
	}
	*believed = sasl_client_believes(&client);
	sasl_client_end(&client);
	buf_free(&response);
	return got;
}

static struct sasl_client_facts
facts_of(
    const char *user, const char *secret, const struct sasl_channel *channel)
{
	return (struct sasl_client_facts){.offered = ALL,
	    .verified = true,
	    .channel = *channel,
	    .user = user,
	    .secret = secret,
	    .host = "mail.example.test",
	    .port = 587};
}

static void
our_client_gets_in(void **state)
{
	forget(state);
	for (unsigned i = 0; i < SASL_MECHANISMS; i++) {
		bool has_token = i == SASL_OAUTHBEARER || i == SASL_XOAUTH2;
		struct sasl_client_facts right =
		    facts_of("ann", has_token ? "good" : "pencil", &bound);
		struct sasl_client_facts wrong =
		    facts_of("ann", "Pencil", &bound);
		bool believed;

		assert_int_equal(talk(&right, i, &bound, &believed), SASL_END);
		assert_int_equal(server.verdict, VERDICT_LOGIN_OK);
		assert_true(believed);
		if (i == SASL_CRAM_MD5)
			continue;
		assert_int_equal(talk(&wrong, i, &bound, &believed), SASL_END);
		assert_int_equal(server.verdict, VERDICT_LOGIN_FAILED);
	}
	assert_int_equal(backend.open, 0);
}

/* RFC 2195 section 2 */
static void
published_cram_md5(void **state)
{
	static const char said[] = "<1896.697170952@postoffice.reston.mci.net>";
	struct sasl_client_facts facts =
	    facts_of("tim", "tanstaaftanstaaf", &clear);
	struct buf response = BUF_INIT(SASL_RESPONSE_MAX);
	struct sasl_client client;

	forget(state);
	sasl_client_begin(&client, SASL_CRAM_MD5, &facts);
	assert_int_equal(
	    sasl_client_step(&client, said, strlen(said), &response),
	    SASL_MORE);
	assert_string_equal(
	    buf_text(&response), "tim b913a602c7eda7a495b4e6e7334d3890");
	buf_free(&response);
}

static void
names_survive_scram(void **state)
{
	static const char *const names[] = {
	    "ann@example.test", "a,b=c@x", "=2C", "\xc3\xa9t\xc3\xa9@x"};

	forget(state);
	for (size_t i = 0; i < SIZE(names); i++) {
		struct sasl_client_facts facts =
		    facts_of(names[i], "pencil", &clear);
		bool believed;

		facts.offered = SASL_SET(SASL_SCRAM_SHA_256);
		assert_int_equal(
		    talk(&facts, SASL_SCRAM_SHA_256, &clear, &believed),
		    SASL_END);
		assert_int_equal(server.verdict, VERDICT_LOGIN_OK);
		assert_string_equal(backend.user, names[i]);
	}
}

/* -- channel binding (RFC 5802 section 6) -- */

static void
somebody_in_between_is_found_out(void **state)
{
	struct sasl_client_facts facts = facts_of("ann", "pencil", &elsewhere);
	bool believed;

	forget(state);
	assert_int_equal(
	    talk(&facts, SASL_SCRAM_SHA_256_PLUS, &bound, &believed), SASL_END);
	assert_int_equal(server.verdict, VERDICT_LOGIN_FAILED);
	assert_string_equal(backend.reason, "another channel");
	assert_int_equal(backend.asked, 0);
	assert_false(believed);
	sasl_server_end(&server);
	assert_int_equal(backend.cancelled, 1);
	assert_int_equal(backend.open, 0);
}

static void
hiding_the_binding_is_found_out(void **state)
{
	struct sasl_client_facts facts = facts_of("ann", "pencil", &bound);
	bool believed;

	forget(state);
	/* The list was cut on its way, the client says "y". */
	facts.offered = SASL_SET(SASL_SCRAM_SHA_256);
	assert_int_equal(sasl_client_choose(&facts, 0), SASL_SCRAM_SHA_256);
	assert_int_equal(
	    talk(&facts, SASL_SCRAM_SHA_256, &bound, &believed), SASL_END);
	assert_int_equal(server.verdict, VERDICT_LOGIN_OK); /* it was not */
	begin(SASL_SCRAM_SHA_256, &bound);
	assert_int_equal(step("y,,n=ann,r=abc", 14), SASL_END);
	assert_int_equal(server.verdict, VERDICT_LOGIN_FAILED);
	assert_string_equal(
	    backend.reason, "channel binding was hidden from the client");
	begin(SASL_SCRAM_SHA_256, &bound);
	assert_int_equal(step("n,,n=ann,r=abc", 14), SASL_MORE);
	sasl_server_end(&server);
	assert_int_equal(backend.open, 0);
}

static void
bindings_and_mechanisms_agree(void **state)
{
	static const struct {
		enum sasl_mechanism mechanism;
		const char *first, *reason;
	} cases[] = {
	    {SASL_SCRAM_SHA_256_PLUS, "n,,n=ann,r=abc",
		"channel binding without its mechanism"},
	    {SASL_SCRAM_SHA_256, "p=tls-exporter,,n=ann,r=abc",
		"channel binding without its mechanism"},
	    {SASL_SCRAM_SHA_256_PLUS, "p=tls-x,,n=ann,r=abc",
		"unknown channel binding"},
	    {SASL_SCRAM_SHA_256_PLUS, "p=tls-exporter,a=bob,n=ann,r=abc",
		"asked to act as somebody else"},
	};

	forget(state);
	for (size_t i = 0; i < SIZE(cases); i++) {
		begin(cases[i].mechanism, &bound);
		assert_int_equal(
		    step(cases[i].first, strlen(cases[i].first)), SASL_END);
		assert_int_equal(server.verdict, VERDICT_LOGIN_FAILED);
		assert_string_equal(backend.reason, cases[i].reason);
	}
	assert_int_equal(backend.open, 0);
}

static void
the_older_binding_serves_where_the_newer_is_not(void **state)
{
	struct sasl_channel old = {true, only_end_point, "x"};
	struct sasl_client_facts facts = facts_of("ann", "pencil", &old);
	bool believed;

	forget(state);
	assert_int_equal(
	    talk(&facts, SASL_SCRAM_SHA_256_PLUS, &old, &believed), SASL_END);
	assert_int_equal(server.verdict, VERDICT_LOGIN_OK);
	assert_int_equal(server.binding, SASL_TLS_SERVER_END_POINT);
}

static void
plus_needs_tls(void **state)
{
	forget(state);
	assert_int_equal(sasl_server_offer(ALL, &bound), ALL);
	assert_int_equal(sasl_server_offer(ALL, &clear),
	    ALL & ~SASL_SET(SASL_SCRAM_SHA_256_PLUS));
}

/* -- SCRAM's odd ends -- */

static void
broken_scram(void **state)
{
	static const struct {
		const char *before, *behind; /* the nonce */
	} finals[] = {{"", ""}, {"c=biws,r=", ""}, {"c=biws,r=X", ",p=AAAA"},
	    {"c=eSws,r=", ",p=AAAA"}, {"c=!,r=", ",p=AAAA"},
	    {"c=biws,r=", "X,p=AAAA"}, {"r=", ",c=biws,p=AAAA"}};
	char final[1024];

	forget(state);
	for (size_t i = 0; i < SIZE(finals); i++) {
		begin(SASL_SCRAM_SHA_256, &clear);
		assert_int_equal(step("n,,n=ann,r=abc", 14), SASL_MORE);
		snprintf(final, sizeof(final), "%s%s%s", finals[i].before,
		    server.nonce, finals[i].behind);
		assert_int_not_equal(step(final, strlen(final)), SASL_MORE);
		assert_int_not_equal(server.verdict, VERDICT_LOGIN_OK);
		sasl_server_end(&server);
		assert_int_equal(backend.open, 0);
	}
	assert_int_equal(backend.asked, 0);
}

/* Logged in is who has heard server-final, and said nothing more. */
static void
the_last_response_is_empty(void **state)
{
	struct sasl_client_facts facts = facts_of("ann", "pencil", &clear);
	struct buf response = BUF_INIT(SASL_RESPONSE_MAX);
	struct sasl_client client;

	forget(state);
	sasl_client_begin(&client, SASL_SCRAM_SHA_256, &facts);
	begin(SASL_SCRAM_SHA_256, &clear);
	(void)sasl_client_step(&client, NULL, 0, &response);
	assert_int_equal(step(response.data, response.len), SASL_MORE);
	(void)sasl_client_step(
	    &client, challenge.data, challenge.len, &response);
	assert_int_equal(step(response.data, response.len), SASL_MORE);
	assert_memory_equal(challenge.data, "v=", 2);
	assert_int_not_equal(server.verdict, VERDICT_LOGIN_OK);
	assert_int_equal(step("x", 1), SASL_MALFORMED);
	assert_int_not_equal(server.verdict, VERDICT_LOGIN_OK);
	buf_free(&response);
}

/* A server that does not know the password is not believed. */
static void
a_false_server_is_not_believed(void **state)
{
	struct sasl_client_facts facts = facts_of("ann", "pencil", &clear);
	struct buf response = BUF_INIT(SASL_RESPONSE_MAX);
	char first[512];
	struct sasl_client client;
	static const char *const finals[] = {"v=", "e=other-error", "",
	    "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="};

	forget(state);
	for (size_t i = 0; i < SIZE(finals); i++) {
		sasl_client_begin(&client, SASL_SCRAM_SHA_256, &facts);
		assert_int_equal(
		    sasl_client_step(&client, NULL, 0, &response), SASL_MORE);
		assert_false(sasl_client_believes(&client));
		snprintf(first, sizeof(first), "r=%sX,s=QUFB,i=4096",
		    strstr(buf_text(&response), "r=") + 2);
		assert_int_equal(
		    sasl_client_step(&client, first, strlen(first), &response),
		    SASL_MORE);
		assert_false(sasl_client_believes(&client));
		assert_int_equal(sasl_client_step(&client, finals[i],
				     strlen(finals[i]), &response),
		    SASL_MALFORMED);
		assert_false(sasl_client_believes(&client));
		sasl_client_end(&client);
	}
	/* Nor one that has another nonce, or asks too little or too much. */
	sasl_client_begin(&client, SASL_SCRAM_SHA_256, &facts);
	(void)sasl_client_step(&client, NULL, 0, &response);
	assert_int_equal(
	    sasl_client_step(&client, "r=abc,s=QUFB,i=4096", 19, &response),
	    SASL_MALFORMED);
	buf_free(&response);
}

/* -- names and choices -- */

static void
names(void **state)
{
	struct buf line = BUF_INIT(256);

	forget(state);
	assert_int_equal(sasl_named("plain", 5), SASL_PLAIN);
	assert_int_equal(sasl_named("PLAINX", 6), SASL_MECHANISMS);
	assert_int_equal(sasl_named("", 0), SASL_MECHANISMS);
	assert_int_equal(sasl_set("LOGIN  GSSAPI\tplain "),
	    SASL_SET(SASL_LOGIN) | SASL_SET(SASL_PLAIN));
	sasl_list(SASL_SET(SASL_LOGIN) | SASL_SET(SASL_PLAIN), &line);
	assert_string_equal(buf_text(&line), " PLAIN LOGIN");
	buf_reset(&line);
	sasl_list(ALL, &line);
	assert_int_equal(sasl_set(buf_text(&line)), ALL);
	buf_free(&line);
}

static void
the_best_is_chosen(void **state)
{
	static const struct {
		const char *offered;
		bool verified, token, bound;
		enum sasl_mechanism best;
	} cases[] = {
	    {"PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS", true, false, true,
		SASL_SCRAM_SHA_256_PLUS},
	    {"PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS", true, false, false,
		SASL_SCRAM_SHA_256},
	    {"CRAM-MD5 LOGIN PLAIN", true, false, true, SASL_PLAIN},
	    {"CRAM-MD5 LOGIN", true, false, true, SASL_LOGIN},
	    {"CRAM-MD5 LOGIN PLAIN", false, false, true, SASL_CRAM_MD5},
	    {"LOGIN PLAIN", false, false, true, SASL_MECHANISMS},
	    {"PLAIN XOAUTH2 OAUTHBEARER", true, true, true, SASL_OAUTHBEARER},
	    {"PLAIN XOAUTH2", true, true, true, SASL_XOAUTH2},
	    {"PLAIN XOAUTH2", false, true, true, SASL_MECHANISMS},
	    {"PLAIN SCRAM-SHA-256", true, true, true, SASL_MECHANISMS},
	    {"GSSAPI", true, false, true, SASL_MECHANISMS},
	};

	forget(state);
	for (size_t i = 0; i < SIZE(cases); i++) {
		struct sasl_client_facts facts =
		    facts_of("ann", "pencil", cases[i].bound ? &bound : &clear);

		facts.offered = sasl_set(cases[i].offered);
		facts.verified = cases[i].verified;
		facts.token = cases[i].token;
		assert_int_equal(sasl_client_choose(&facts, 0), cases[i].best);
		if (cases[i].best != SASL_MECHANISMS)
			assert_int_not_equal(
			    sasl_client_choose(&facts, SASL_SET(cases[i].best)),
			    cases[i].best);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain),
	    cmocka_unit_test(temporary_failures_are_passed_on),
	    cmocka_unit_test(login),
	    cmocka_unit_test(cram_md5),
	    cmocka_unit_test(oauthbearer),
	    cmocka_unit_test(xoauth2),
	    cmocka_unit_test(refused_tokens_are_told_why),
	    cmocka_unit_test(a_long_token_fits),
	    cmocka_unit_test(our_client_gets_in),
	    cmocka_unit_test(published_cram_md5),
	    cmocka_unit_test(names_survive_scram),
	    cmocka_unit_test(somebody_in_between_is_found_out),
	    cmocka_unit_test(hiding_the_binding_is_found_out),
	    cmocka_unit_test(bindings_and_mechanisms_agree),
	    cmocka_unit_test(the_older_binding_serves_where_the_newer_is_not),
	    cmocka_unit_test(plus_needs_tls),
	    cmocka_unit_test(broken_scram),
	    cmocka_unit_test(the_last_response_is_empty),
	    cmocka_unit_test(a_false_server_is_not_believed),
	    cmocka_unit_test(names),
	    cmocka_unit_test(the_best_is_chosen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
