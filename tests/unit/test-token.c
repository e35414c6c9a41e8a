/* SPDX-License-Identifier: ISC */
/* Tokens: what is let in, and every way to be let in wrongly (RFC 8725). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/hmac.h>
#include <openssl/pem.h>

#include "tests/unit/token-maker.h"
#include "userdb/json.h"
#include "userdb/key_set.h"
#include "userdb/token.h"

#define COUNT(a)   (sizeof(a) / sizeof((a)[0]))
#define NOW        1800000000
#define RSA_HEADER "{\"alg\":\"RS256\",\"kid\":\"r\",\"typ\":\"JWT\"}"
#define EC_HEADER  "{\"alg\":\"ES256\",\"kid\":\"e\"}"
#define CLAIMS(more)                                                           \
	"{\"iss\":\"https://id.test\",\"aud\":\"mail\",\"exp\":1800000600,"    \
	"\"email\":\"ann@example.test\",\"scope\":\"openid mail.read\"" more   \
	"}"

static EVP_PKEY *rsa, *ec, *stranger;
static char set_text[16384];
static struct key_set *set;
static const struct token_demand demand = {
    "https://id.test", "imap mail", "", "email"};

static int
make_keys(void **state)
{
	const char *wrong;

	(void)state;
	rsa = EVP_RSA_gen(2048);
	ec = EVP_EC_gen("P-256");
	stranger = EVP_RSA_gen(2048);
	strcpy(set_text, "{\"keys\":[");
	put_jwk(
	    rsa, ",\"kid\":\"r\",\"alg\":\"RS256\",\"use\":\"sig\"", set_text);
	strcat(set_text, ",");
	put_jwk(ec, ",\"kid\":\"e\",\"key_ops\":[\"verify\"]", set_text);
	strcat(set_text, "]}");
	set = key_set_read((struct span){set_text, strlen(set_text)}, &wrong);
	return set != NULL && key_set_count(set) == 2 ? 0 : -1;
}

static int
free_keys(void **state)
{
	(void)state;
	key_set_free(set);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ec);
	EVP_PKEY_free(stranger);
	return 0;
}

static char user[PROTOCOL_LOGIN_MAX + 1];
static const char *why;

static enum token_result
ask(const char *token, const struct token_demand *d)
{
	user[0] = '\0';
	return token_check(token, set, d, NOW, user, &why);
}

static void
expect(const char *token, enum token_result result, const char *reason)
{
	enum token_result got = ask(token, &demand);

	if (got != result)
		fail_msg("%s: %d (%s)", token, (int)got, why);
	if (reason != NULL && strstr(why, reason) == NULL)
		fail_msg("%s: because \"%s\"", token, why);
	if (result != TOKEN_GOOD)
		assert_string_equal(user, "");
}

static void
expect_made(EVP_PKEY *key, const char *header, const char *claims,
    enum token_result result, const char *reason)
{
	char *token = make_token(key, header, claims);

	expect(token, result, reason);
	free(token);
}

/* -- the good ones -- */

static void
good_tokens_name_their_user(void **state)
{
	static const char *const headers[] = {
	    "{\"alg\":\"RS256\",\"kid\":\"r\"}", "{\"alg\":\"RS256\"}",
	    "{\"typ\":\"at+jwt\",\"alg\":\"RS256\"}",
	    "{\"typ\":\"application/at+JWT\",\"alg\":\"RS256\"}"};

	(void)state;
	for (size_t i = 0; i < COUNT(headers); i++) {
		expect_made(rsa, headers[i], CLAIMS(""), TOKEN_GOOD, NULL);
		assert_string_equal(user, "ann@example.test");
	}
	for (int i = 0; i < 50; i++) /* r and s are short now and then */
		expect_made(ec, EC_HEADER, CLAIMS(""), TOKEN_GOOD, NULL);
}

/* RFC 7515 appendix A.2 and A.3: others' keys, others' signatures. */
static void
published_tokens_are_understood(void **state)
{
	static const char keys[] =
	    "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p"
	    "4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm"
	    "4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb"
	    "_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R"
	    "2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK"
	    "-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
	    "\",\"e\":\"AQAB\"},{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83O"
	    "J3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HL"
	    "N_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";
	static const char claims[] =
	    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGF"
	    "tcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
	static const char *const tokens[][2] = {
	    {"eyJhbGciOiJSUzI1NiJ9",
		"cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZ"
		"mh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjb"
		"KBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHl"
		"b1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZES"
		"c6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AX"
		"LIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},
	    {"eyJhbGciOiJFUzI1NiJ9",
		"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8IS"
		"lSApmWQxfKTUJqPP3-Kg6NU1Q"}};
	const struct token_demand joe = {"joe", "mail", "", "iss"};
	const char *wrong;
	struct key_set *theirs =
	    key_set_read((struct span){keys, sizeof(keys) - 1}, &wrong);
	char token[1024];

	(void)state;
	assert_non_null(theirs);
	for (size_t i = 0; i < COUNT(tokens); i++) {
		snprintf(token, sizeof(token), "%s.%s.%s", tokens[i][0], claims,
		    tokens[i][1]);
		assert_int_equal(
		    token_check(token, theirs, &joe, 1300819300, user, &why),
		    TOKEN_BAD);
		/* The signature holds: only what it says is not for us. */
		assert_string_equal(why, "token for another audience");
		token[strlen(token) - 20]++;
		(void)token_check(token, theirs, &joe, 1300819300, user, &why);
		assert_string_equal(why, "token's signature is wrong");
	}
	key_set_free(theirs);
}

/* -- algorithms and keys -- */

static void
algorithms_are_two(void **state)
{
	static const char *const headers[] = {"{\"alg\":\"none\"}",
	    "{\"alg\":\"None\"}", "{\"alg\":\"\"}", "{}", "{\"alg\":null}",
	    "{\"alg\":[\"RS256\"]}", "{\"alg\":\"HS256\",\"kid\":\"r\"}",
	    "{\"alg\":\"RS512\",\"kid\":\"r\"}",
	    "{\"alg\":\"PS256\",\"kid\":\"r\"}",
	    "{\"alg\":\"rs256\",\"kid\":\"r\"}",
	    "{\"alg\":\"RS256\\u0000\",\"kid\":\"r\"}"};

	(void)state;
	for (size_t i = 0; i < COUNT(headers); i++)
		expect_made(rsa, headers[i], CLAIMS(""), TOKEN_BAD, NULL);
	expect_made(NULL, "{\"alg\":\"none\"}", CLAIMS(""), TOKEN_BAD, NULL);
	expect_made(NULL, RSA_HEADER, CLAIMS(""), TOKEN_BAD, NULL);
	expect_made(rsa, "{\"alg\":\"RS256\",\"alg\":\"none\"}", CLAIMS(""),
	    TOKEN_BAD, NULL);
}

/* The public key, which all know, taken for a shared secret. */
static void
public_keys_are_no_secrets(void **state)
{
	static const char header[] = "{\"alg\":\"HS256\",\"kid\":\"r\"}";
	char *unsigned_token = make_token(NULL, header, CLAIMS(""));
	char token[8192], text[128];
	unsigned char made[32];
	BIO *pem = BIO_new(BIO_s_mem());
	char *octets;
	long n;

	(void)state;
	assert_int_equal(PEM_write_bio_PUBKEY(pem, rsa), 1);
	n = BIO_get_mem_data(pem, &octets);
	unsigned_token[strlen(unsigned_token) - 1] = '\0';
	HMAC(EVP_sha256(), octets, (int)n, (unsigned char *)unsigned_token,
	    strlen(unsigned_token), made, NULL);
	base64url(made, sizeof(made), text);
	snprintf(token, sizeof(token), "%s.%s", unsigned_token, text);
	expect(token, TOKEN_BAD, "algorithm");
	BIO_free(pem);
	free(unsigned_token);
}

static void
keys_go_with_their_algorithm(void **state)
{
	(void)state;
	expect_made(ec, "{\"alg\":\"RS256\",\"kid\":\"e\"}", CLAIMS(""),
	    TOKEN_KEY_MISSING, NULL);
	expect_made(rsa, "{\"alg\":\"ES256\",\"kid\":\"r\"}", CLAIMS(""),
	    TOKEN_KEY_MISSING, NULL);
	expect_made(rsa, "{\"alg\":\"ES256\",\"kid\":\"e\"}", CLAIMS(""),
	    TOKEN_BAD, "signature");
	expect_made(ec, "{\"alg\":\"RS256\",\"kid\":\"r\"}", CLAIMS(""),
	    TOKEN_BAD, "signature");
	expect_made(stranger, RSA_HEADER, CLAIMS(""), TOKEN_BAD, "signature");
	expect_made(rsa, "{\"alg\":\"RS256\",\"kid\":\"other\"}", CLAIMS(""),
	    TOKEN_KEY_MISSING, "not in the set");
	expect_made(rsa, "{\"alg\":\"RS256\",\"kid\":7}", CLAIMS(""), TOKEN_BAD,
	    "key id");
	/* A key that the token brings along is nobody's. */
	expect_made(stranger,
	    "{\"alg\":\"RS256\",\"jwk\":{\"kty\":\"RSA\",\"n\":\"AQAB\","
	    "\"e\":\"AQAB\"},\"jku\":\"https://evil.test\"}",
	    CLAIMS(""), TOKEN_BAD, "signature");
}

/* Without an id the only one that fits is meant, not one of several. */
static void
a_missing_key_id_is_no_choice(void **state)
{
	char text[16384] = "{\"keys\":[";
	char *token = make_token(rsa, "{\"alg\":\"RS256\"}", CLAIMS(""));
	struct key_set *two;

	(void)state;
	assert_int_equal(ask(token, &demand), TOKEN_GOOD);
	put_jwk(rsa, ",\"kid\":\"a\"", text);
	strcat(text, ",");
	put_jwk(stranger, ",\"kid\":\"b\"", text);
	strcat(text, "]}");
	two = key_set_read((struct span){text, strlen(text)}, &why);
	assert_non_null(two);
	assert_int_equal(token_check(token, two, &demand, NOW, user, &why),
	    TOKEN_KEY_MISSING);
	key_set_free(two);
	free(token);
}

/* -- claims -- */

static const struct {
	const char *claims;
	enum token_result result;
	const char *reason;
} claims[] = {
    {CLAIMS(""), TOKEN_GOOD, NULL},
    {"{}", TOKEN_BAD, "issuer"},
    {"{\"iss\":\"https://id.test/\",\"aud\":\"mail\",\"exp\":1800000600,"
     "\"email\":\"a@b.test\"}",
	TOKEN_BAD, "issuer"},
    {"{\"iss\":[\"https://id.test\"],\"aud\":\"mail\",\"exp\":1800000600,"
     "\"email\":\"a@b.test\"}",
	TOKEN_BAD, "issuer"},
    {CLAIMS(",\"iss\":\"https://evil.test\""), TOKEN_BAD, "cannot be read"},
    {"{\"iss\":\"https://id.test\",\"exp\":1800000600,"
     "\"email\":\"a@b.test\"}",
	TOKEN_BAD, "audience"},
    {"{\"iss\":\"https://id.test\",\"aud\":\"web\",\"exp\":1800000600,"
     "\"email\":\"a@b.test\"}",
	TOKEN_BAD, "audience"},
    {"{\"iss\":\"https://id.test\",\"aud\":\"imap mail\",\"exp\":1800000600,"
     "\"email\":\"a@b.test\"}",
	TOKEN_BAD, "audience"},
    {"{\"iss\":\"https://id.test\",\"aud\":\"\",\"exp\":1800000600,"
     "\"email\":\"a@b.test\"}",
	TOKEN_BAD, "audience"},
    {"{\"iss\":\"https://id.test\",\"aud\":[\"web\",\"imap\"],"
     "\"exp\":1800000600,\"email\":\"a@b.test\"}",
	TOKEN_GOOD, NULL},
    {"{\"iss\":\"https://id.test\",\"aud\":[7,null,[\"mail\"]],"
     "\"exp\":1800000600,\"email\":\"a@b.test\"}",
	TOKEN_BAD, "audience"},
    {"{\"iss\":\"https://id.test\",\"aud\":\"mail\",\"email\":\"a@b.test\"}",
	TOKEN_BAD, "without an end"},
    {"{\"iss\":\"https://id.test\",\"aud\":\"mail\",\"exp\":\"1800000600\","
     "\"email\":\"a@b.test\"}",
	TOKEN_BAD, "without an end"},
    {"{\"iss\":\"https://id.test\",\"aud\":\"mail\",\"exp\":1799990000,"
     "\"email\":\"a@b.test\"}",
	TOKEN_BAD, "expired"},
    {"{\"iss\":\"https://id.test\",\"aud\":\"mail\",\"exp\":1799999940,"
     "\"email\":\"a@b.test\"}",
	TOKEN_BAD, "expired"},
    {"{\"iss\":\"https://id.test\",\"aud\":\"mail\",\"exp\":1799999941,"
     "\"email\":\"a@b.test\"}",
	TOKEN_GOOD, NULL},
    {"{\"iss\":\"https://id.test\",\"aud\":\"mail\",\"exp\":1.8000006e9,"
     "\"email\":\"a@b.test\"}",
	TOKEN_GOOD, NULL},
    {"{\"iss\":\"https://id.test\",\"aud\":\"mail\",\"exp\":-1,"
     "\"email\":\"a@b.test\"}",
	TOKEN_BAD, "expired"},
    {"{\"iss\":\"https://id.test\",\"aud\":\"mail\",\"exp\":1e999,"
     "\"email\":\"a@b.test\"}",
	TOKEN_BAD, "cannot be read"},
    {"{\"iss\":\"https://id.test\",\"aud\":\"mail\","
     "\"exp\":99999999999999999999,\"email\":\"a@b.test\"}",
	TOKEN_BAD, "cannot be read"},
    {CLAIMS(",\"nbf\":1800000060"), TOKEN_GOOD, NULL},
    {CLAIMS(",\"nbf\":1800000061"), TOKEN_BAD, "not valid yet"},
    {CLAIMS(",\"nbf\":\"1700000000\""), TOKEN_BAD, "beginning"},
    {CLAIMS(",\"nbf\":null"), TOKEN_BAD, "beginning"},
    {"{\"iss\":\"https://id.test\",\"aud\":\"mail\",\"exp\":1800000600,"
     "\"sub\":\"ann@example.test\"}",
	TOKEN_BAD, "no user"},
    {"{\"iss\":\"https://id.test\",\"aud\":\"mail\",\"exp\":1800000600,"
     "\"email\":\"\"}",
	TOKEN_BAD, "no user"},
    {"{\"iss\":\"https://id.test\",\"aud\":\"mail\",\"exp\":1800000600,"
     "\"email\":[\"ann@example.test\"]}",
	TOKEN_BAD, "no user"},
    {"{\"iss\":\"https://id.test\",\"aud\":\"mail\",\"exp\":1800000600,"
     "\"email\":\"ann@example.test\\u0000.evil\"}",
	TOKEN_BAD, "cannot be read"},
    {CLAIMS(",\"email_verified\":false"), TOKEN_BAD, "not verified"},
    {CLAIMS(",\"email_verified\":\"false\""), TOKEN_BAD, "not verified"},
    {CLAIMS(",\"email_verified\":0"), TOKEN_BAD, "not verified"},
    {CLAIMS(",\"email_verified\":true"), TOKEN_GOOD, NULL},
    {CLAIMS(",\"email_verified\":\"true\""), TOKEN_GOOD, NULL},
    {"[]", TOKEN_BAD, "cannot be read"},
    {"\"text\"", TOKEN_BAD, "cannot be read"},
    {"", TOKEN_BAD, "not a signed token"},
    {CLAIMS("") "x", TOKEN_BAD, "cannot be read"},
    {"\xff", TOKEN_BAD, "cannot be read"},
};

static void
claims_are_what_the_config_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(claims); i++) {
		expect_made(rsa, RSA_HEADER, claims[i].claims, claims[i].result,
		    claims[i].reason);
		/* None of it counts, nor is told, without a signature. */
		expect_made(stranger, RSA_HEADER, claims[i].claims, TOKEN_BAD,
		    claims[i].claims[0] != '\0' ? "signature is wrong" : NULL);
	}
}

static void
scopes_are_needed_all(void **state)
{
	static const struct {
		const char *demanded, *more;
		enum token_result result;
	} rows[] = {
	    {"mail.read", "", TOKEN_GOOD},
	    {"openid mail.read", "", TOKEN_GOOD},
	    {"mail.send", "", TOKEN_NO_SCOPE},
	    {"mail.read mail.send", "", TOKEN_NO_SCOPE},
	    {"mail", "", TOKEN_NO_SCOPE},
	    {"mail.read mail.send", ",\"scp\":\"mail.send\"", TOKEN_GOOD},
	    {"a", ",\"scp\":[\"b\",\"a\"]", TOKEN_GOOD},
	    {"a", ",\"scp\":[\"a b\",7,null]", TOKEN_NO_SCOPE},
	    {"a", ",\"scp\":{\"a\":1}", TOKEN_NO_SCOPE},
	};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct token_demand d = demand;
		char *token;

		snprintf(text, sizeof(text), "%.*s%s}",
		    (int)strlen(CLAIMS("")) - 1, CLAIMS(""), rows[i].more);
		token = make_token(rsa, RSA_HEADER, text);
		d.scopes = rows[i].demanded;
		assert_int_equal(ask(token, &d), rows[i].result);
		free(token);
	}
}

static void
other_kinds_of_token_are_refused(void **state)
{
	static const char *const headers[] = {
	    "{\"alg\":\"RS256\",\"crit\":[\"b64\"],\"b64\":false}",
	    "{\"alg\":\"RS256\",\"crit\":[]}",
	    "{\"alg\":\"RS256\",\"typ\":\"dpop+jwt\"}",
	    "{\"alg\":\"RS256\",\"typ\":\"logout+jwt\"}",
	    "{\"alg\":\"RS256\",\"typ\":7}", "[\"RS256\"]", "RS256"};

	(void)state;
	for (size_t i = 0; i < COUNT(headers); i++)
		expect_made(rsa, headers[i], CLAIMS(""), TOKEN_BAD, NULL);
}

/* -- octets -- */

/* Every change of one octet, every cut, something behind it. */
static void
garbled_tokens_are_refused(void **state)
{
	EVP_PKEY *const keys[] = {rsa, ec};
	static const char *const headers[] = {RSA_HEADER, EC_HEADER};

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		char *token = make_token(keys[k], headers[k], CLAIMS(""));
		size_t n = strlen(token);

		for (size_t i = 0; i < n; i++) {
			char was = token[i];

			token[i] = was == 'A' ? 'B' : 'A';
			assert_int_not_equal(ask(token, &demand), TOKEN_GOOD);
			token[i] = '+';
			assert_int_not_equal(ask(token, &demand), TOKEN_GOOD);
			token[i] = '\0';
			assert_int_not_equal(ask(token, &demand), TOKEN_GOOD);
			token[i] = was;
		}
		token = realloc(token, n + 3);
		for (const char *tail = "A=.\n "; *tail != '\0'; tail++) {
			token[n] = *tail;
			token[n + 1] = '\0';
			assert_int_not_equal(ask(token, &demand), TOKEN_GOOD);
		}
		free(token);
	}
	for (const char *const *odd = (const char *const[]){"", ".", "..",
		 "...", "a.b.c", "e30.e30.", "e30.e30.e30.e30.e30", NULL};
	     *odd != NULL; odd++)
		expect(*odd, TOKEN_BAD, NULL);
}

/* An object with so many lists in each other. */
static void
expect_depth(int lists, bool good)
{
	char text[256] = "{\"a\":";
	json_t *value;

	for (int i = 0; i < lists; i++)
		strcat(text, "[");
	for (int i = 0; i < lists; i++)
		strcat(text, "]");
	strcat(text, "}");
	value = json_read((struct span){text, strlen(text)});
	assert_int_equal(value != NULL, good);
	json_decref(value);
}

static void
deep_and_large_json_is_refused(void **state)
{
	static char text[200000];
	json_t *value;
	char *token;
	size_t n;

	(void)state;
	for (const char *open = "[{"; *open != '\0'; open++) {
		n = 0;
		for (size_t i = 0; i < 30000; i++)
			n += (size_t)sprintf(
			    text + n, "%s", *open == '[' ? "[" : "{\"a\":");
		assert_null(json_read((struct span){text, n}));
		token = make_token(rsa, RSA_HEADER, text);
		expect(token, TOKEN_BAD, "cannot be read");
		free(token);
	}
	/* What ends is told by its depth alone. */
	expect_depth(JSON_DEPTH_MAX - 1, true);
	expect_depth(JSON_DEPTH_MAX, false);
	/* Brackets in a text are none. */
	n = (size_t)sprintf(text, "{\"a\":\"\\\"[[[[[[[[[[[[[[[[[[[[[\"}");
	value = json_read((struct span){text, n});
	assert_non_null(value);
	json_decref(value);
}

/* -- key sets -- */

static void
expect_keys(const char *text, size_t count)
{
	struct key_set *read =
	    key_set_read((struct span){text, strlen(text)}, &why);

	if (count == 0) {
		if (read != NULL)
			fail_msg("taken: %.200s", text);
		assert_non_null(why);
		return;
	}
	assert_non_null(read);
	assert_int_equal(key_set_count(read), count);
	key_set_free(read);
}

static void
what_is_no_key_is_left_out(void **state)
{
	static const char *const bad[] = {"", "{", "[]", "null",
	    "{\"keys\":null}", "{\"keys\":{}}", "{\"keys\":[]}",
	    "{\"keys\":[null,7,[],\"x\",{}]}",
	    "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AQAB\"}]}",
	    "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}",
	    "{\"keys\":[{\"kty\":\"RSA\",\"n\":7,\"e\":\"AQAB\"}]}",
	    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AQAB\","
	    "\"y\":\"AQAB\"}]}",
	    /* not on the curve */
	    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
	    "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\",\"y\":"
	    "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}]}",
	    "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AQAB\"}]"
	    "}"};
	static const char *const uses[] = {",\"use\":\"enc\"",
	    ",\"alg\":\"RS512\"", ",\"alg\":\"ES256\"",
	    ",\"key_ops\":[\"sign\"]", ",\"key_ops\":[]"};
	char text[16384];

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		expect_keys(bad[i], 0);
	for (size_t i = 0; i < COUNT(uses); i++) {
		strcpy(text, "{\"keys\":[");
		put_jwk(rsa, uses[i], text);
		strcat(text, "]}");
		expect_keys(text, 0);
		/* It costs that key alone. */
		text[strlen(text) - 2] = ',';
		text[strlen(text) - 1] = '\0';
		put_jwk(ec, "", text);
		strcat(text, "]}");
		expect_keys(text, 1);
	}
}

static void
weak_keys_are_left_out(void **state)
{
	EVP_PKEY *weak = EVP_RSA_gen(1024), *other = EVP_EC_gen("P-384");
	char text[16384] = "{\"keys\":[", *found;

	(void)state;
	put_jwk(weak, "", text);
	strcat(text, "]}");
	expect_keys(text, 0);
	/* An exponent of 1: every text is its own signature. */
	strcpy(text, "{\"keys\":[");
	put_jwk(rsa, "", text);
	strcat(text, "]}");
	expect_keys(text, 1);
	found = strstr(text, "\"AQAB\"");
	assert_non_null(found);
	memcpy(found, "\"AAAB\"", 6);
	expect_keys(text, 0);
	EVP_PKEY_free(weak);
	EVP_PKEY_free(other);
}

static void
large_sets_are_bounded(void **state)
{
	size_t room = KEY_SET_OCTETS + 4096;
	char *text = malloc(room), one[16384] = "";

	(void)state;
	put_jwk(ec, "", one);
	strcpy(text, "{\"keys\":[");
	for (int i = 0; i < 200; i++) {
		strcat(text, i > 0 ? "," : "");
		strcat(text, one);
	}
	strcat(text, "]}");
	expect_keys(text, KEY_SET_MAX);
	memset(text + strlen(text), ' ', room - strlen(text));
	text[room - 1] = '\0';
	expect_keys(text, 0);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_tokens_name_their_user),
	    cmocka_unit_test(published_tokens_are_understood),
	    cmocka_unit_test(algorithms_are_two),
	    cmocka_unit_test(public_keys_are_no_secrets),
	    cmocka_unit_test(keys_go_with_their_algorithm),
	    cmocka_unit_test(a_missing_key_id_is_no_choice),
	    cmocka_unit_test(claims_are_what_the_config_says),
	    cmocka_unit_test(scopes_are_needed_all),
	    cmocka_unit_test(other_kinds_of_token_are_refused),
	    cmocka_unit_test(garbled_tokens_are_refused),
	    cmocka_unit_test(deep_and_large_json_is_refused),
	    cmocka_unit_test(what_is_no_key_is_left_out),
	    cmocka_unit_test(weak_keys_are_left_out),
	    cmocka_unit_test(large_sets_are_bounded),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
