/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base64.h"
#include "common/saslprep.h"
#include "common/scram.h"

#define SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* -- base64 -- */

static void
base64_is_strict(void **state)
{
	static const struct {
		const char *text, *octets;
		size_t n;
	} good[] = {
	    /* RFC 4648 section 10 */
	    {"", "", 0},
	    {"Zg==", "f", 1},
	    {"Zm8=", "fo", 2},
	    {"Zm9v", "foo", 3},
	    {"Zm9vYg==", "foob", 4},
	    {"Zm9vYmE=", "fooba", 5},
	    {"Zm9vYmFy", "foobar", 6},
	    {"+/+/", "\xfb\xff\xbf", 3},
	    {"AAAA", "\0\0\0", 3},
	};
	static const char *const bad[] = {"Z", "Zg",
	    "Zg=", "Zg===", "====", "Z===", "=Zm9", "Zm9=Zm9v",
	    "Zh==", "Zm9=", "Zm 9", "Zm9v\n", "Zm9-", "Zm9_", "Zg==Zg==", "=",
	    "\xff\xff\xff\xff"};
	char out[16], text[16];
	size_t n;

	(void)state;
	for (size_t i = 0; i < SIZE(good); i++) {
		assert_true(
		    base64_decode(good[i].text, strlen(good[i].text), out, &n));
		assert_int_equal(n, good[i].n);
		assert_memory_equal(out, good[i].octets, n);
		base64_encode(good[i].octets, good[i].n, text);
		assert_string_equal(text, good[i].text);
		assert_int_equal(strlen(text), BASE64_LENGTH(good[i].n));
	}
	for (size_t i = 0; i < SIZE(bad); i++)
		if (base64_decode(bad[i], strlen(bad[i]), out, &n))
			fail_msg("decoded: %s", bad[i]);
	assert_false(base64_decode("Zm\0v", 4, out, &n));
}

/* -- SASLprep -- */

static void
ascii_stays_exact(void **state)
{
	char all[96], out[96];

	(void)state;
	for (int i = 0; i < 95; i++)
		all[i] = (char)(' ' + i);
	assert_true(saslprep(all, 95, out, 95));
	assert_memory_equal(all, out, 95);
	assert_false(saslprep(all, 95, out, 94));
	for (char c = 0; c < ' '; c++)
		assert_false(saslprep(&c, 1, out, 95));
	assert_false(saslprep("\x7f", 1, out, 95));
	assert_false(saslprep("", 0, out, 95));
}

static void
other_text_is_prepared(void **state)
{
	static const struct {
		const char *text, *out; /* NULL: refused */
	} cases[] = {
	    {"I\xc2\xadX", "IX"}, /* RFC 4013 section 3 */
	    {"user", "user"},
	    {"USER", "USER"},
	    {"\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9"},
	    {"a\xc2\xa0"
	     "b\xe3\x80\x80",
		"a b "},
	    {"\xef\xbb\xbf", NULL}, /* nothing is left */
	    {"a\xc2\x85", NULL},
	    {"a\xe2\x80\xae", NULL},
	    {"a\xef\xbf\xbe", NULL},
	    {"a\xee\x80\x80", NULL},
	    {"\xe9t\xe9", NULL},
	    {"a\xc0\x80", NULL},
	};
	char out[32];

	(void)state;
	for (size_t i = 0; i < SIZE(cases); i++) {
		bool fine =
		    saslprep(cases[i].text, strlen(cases[i].text), out, 31);

		assert_int_equal(fine, cases[i].out != NULL);
		if (fine)
			assert_string_equal(out, cases[i].out);
	}
}

/* -- whole conversations -- */

/* RFC 7677 section 3 */
static const char first[] = "n=user,r=rOprNGfwEbeRWgbNEkqO";
static const char half[] = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
static const char server_first[] =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
static const char final[] =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
static const char proof[] = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
static const char signature[] = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

static void
published_client(void **state)
{
	struct scram_answer answer;

	(void)state;
	assert_true(scram_prove("pencil", first, server_first, final, &answer));
	assert_string_equal(answer.proof, proof);
	assert_string_equal(answer.signature, signature);
	assert_true(scram_prove("Pencil", first, server_first, final, &answer));
	assert_string_not_equal(answer.proof, proof);
	assert_false(scram_prove("", first, server_first, final, &answer));
	assert_false(scram_prove("pencil", first, "r=x", final, &answer));
}

/* PostgreSQL's notation; made of "pencil" with the salt above. */
static void
published_verifier(struct scram_verifier *v)
{
	assert_true(scram_read("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
			       "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
			       "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
	    v));
}

static void
published_server(void **state)
{
	struct scram_verifier v;
	char made[SCRAM_KEY_TEXT + 1];
	static const struct {
		const char *first, *nonce, *final, *proof;
	} bad[] = {
	    {"n=user,r=rOprNGfwEbeRWgbNEkqP", half, final, proof},
	    {"n=user", half, final, proof},
	    {first, "x", final, proof},
	    {first, "", final, proof},
	    {first, half, "c=biws,r=rOprNGfwEbeRWgbNEkqO", proof},
	    {first, half, "c=biws", proof},
	    {first, half, "r=rOprNGfwEbeRWgbNEkqO", proof},
	    {first, half, final,
		"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVU="},
	    {first, half, final, "AAAA"},
	    {first, half, final, ""},
	    {first, half, final, "dHzbZapWIk4jUhN"},
	};

	(void)state;
	published_verifier(&v);
	assert_true(scram_verify(&v, first, half, final, proof, made));
	assert_string_equal(made, signature);
	for (size_t i = 0; i < SIZE(bad); i++)
		if (scram_verify(&v, bad[i].first, bad[i].nonce, bad[i].final,
			bad[i].proof, made))
			fail_msg("believed: %zu", i);
	v.stored_key[0] ^= 1;
	assert_false(scram_verify(&v, first, half, final, proof, made));
}

static void
verifiers_are_made_and_kept(void **state)
{
	struct scram_verifier v, again;
	char text[SCRAM_VERIFIER_TEXT_MAX + 1];
	static const char *const bad[] = {"", "SCRAM-SHA-256$",
	    "SCRAM-SHA-1$4096:QUFB$QUFB:QUFB",
	    "SCRAM-SHA-256$4096:QUFB$:", "SCRAM-SHA-256$4096:QUFB$QUFB:QUFB",
	    "SCRAM-SHA-256$1:W22ZaJ0SNY7soEsUEjb6gQ==$"
	    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
	    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
	    "SCRAM-SHA-256$4096:$"
	    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
	    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="};

	(void)state;
	published_verifier(&v);
	assert_true(scram_matches(&v, "pencil"));
	assert_false(scram_matches(&v, "Pencil"));
	assert_true(scram_make(&v, "s\xc3\xa9same", 4096));
	scram_format(&v, text);
	assert_true(scram_read(text, &again));
	assert_memory_equal(&v, &again, sizeof(v));
	assert_true(scram_matches(&again, "s\xc3\xa9same"));
	assert_true(scram_make(&again, "s\xc3\xa9same", 4096));
	assert_memory_not_equal(v.salt, again.salt, SCRAM_SALT);
	assert_false(scram_make(&v, "x", SCRAM_ITERATIONS_LEAST - 1));
	assert_false(scram_make(&v, "x", SCRAM_ITERATIONS_MOST + 1));
	assert_false(scram_make(&v, "a\tb", 4096));
	for (size_t i = 0; i < SIZE(bad); i++)
		if (scram_read(bad[i], &v))
			fail_msg("read: %s", bad[i]);
}

/* -- messages -- */

static void
client_first_is_read(void **state)
{
	static const char *const good[] = {"n,,n=user,r=abc", "y,,n=user,r=abc",
	    "p=tls-exporter,,n=user,r=abc", "n,a=bob,n=user,r=abc",
	    "n,,n=user,r=abc,x=y", "n,,n=a=2Cb=3D,r=abc"};
	static const char *const bad[] = {"", "n", "n,", "n,,", "n,,n=user",
	    "n,,n=,r=abc", "n,,n=user,r=", "n,,m=x,n=user,r=abc",
	    "n,,n=user,r=abc,m=x", "n,,r=abc,n=user", "q,,n=user,r=abc",
	    "p,,n=user,r=abc", "p=,,n=user,r=abc", "nn,,n=user,r=abc",
	    "n,b=x,n=user,r=abc", "n,a=,n=user,r=abc", "n,,n=user,r=a\x01",
	    "n,,n=user,r=a b", "n,,n=user,r=abc,7=x", "n,,n=user,r=abc,x"};
	struct scram_client_first m;

	(void)state;
	for (size_t i = 0; i < SIZE(good); i++)
		if (!scram_read_client_first(good[i], strlen(good[i]), &m))
			fail_msg("not read: %s", good[i]);
	for (size_t i = 0; i < SIZE(bad); i++)
		if (scram_read_client_first(bad[i], strlen(bad[i]), &m))
			fail_msg("read: %s", bad[i]);
	assert_true(scram_read_client_first(good[2], strlen(good[2]), &m));
	assert_int_equal(m.flag, SCRAM_BOUND);
	assert_memory_equal(m.binding.data, "tls-exporter", m.binding.len);
	assert_memory_equal(m.header.data, "p=tls-exporter,,", m.header.len);
	assert_int_equal(m.header.len, 16);
	assert_string_equal(m.bare.data, "n=user,r=abc");
	assert_true(scram_read_client_first(good[3], strlen(good[3]), &m));
	assert_memory_equal(m.authzid.data, "bob", m.authzid.len);
}

static void
client_final_is_read(void **state)
{
	static const char *const bad[] = {"", "c=biws", "c=biws,r=abc",
	    "c=biws,p=eA==", "r=abc,c=biws,p=eA==", "c=biws,r=abc,p=",
	    "c=biws,r=abc,p=eA==,x=y", "c=biws,r=abc,p=eA==,",
	    "c=,r=abc,p=eA==,",
	    "c=biws,r=abc,m=x,p=eA==", "c=biws,r=a b,p=eA=="};
	static const char good[] = "c=biws,r=abc,x=y,p=eA==";
	struct scram_client_final m;

	(void)state;
	for (size_t i = 0; i < SIZE(bad); i++)
		if (scram_read_client_final(bad[i], strlen(bad[i]), &m))
			fail_msg("read: %s", bad[i]);
	assert_false(scram_read_client_final("c=biws,r=abc,p=e\0==", 19, &m));
	assert_true(scram_read_client_final(good, strlen(good), &m));
	assert_int_equal(m.without_proof.len, strlen("c=biws,r=abc,x=y"));
	assert_memory_equal(m.proof.data, "eA==", m.proof.len);
	assert_int_equal(m.proof.len, 4);
}

static void
server_first_is_read(void **state)
{
	static const char *const bad[] = {"", "r=abc,s=QUFB,i=4095",
	    "r=abc,s=QUFB,i=1000001", "r=abc,s=QUFB,i=", "r=abc,s=,i=4096",
	    "r=,s=QUFB,i=4096", "r=abc,s=QUF,i=4096", "r=abc,s=QUFB",
	    "m=x,r=abc,s=QUFB,i=4096", "r=abc,s=QUFB,i=4096x",
	    "r=abc,s=QUFB,i=99999999999999999999999", "e=other-error"};
	static const char good[] = "r=abc,s=QUFB,i=4096,x=y";
	struct scram_server_first m;

	(void)state;
	for (size_t i = 0; i < SIZE(bad); i++)
		if (scram_read_server_first(bad[i], strlen(bad[i]), &m))
			fail_msg("read: %s", bad[i]);
	assert_true(scram_read_server_first(good, strlen(good), &m));
	assert_int_equal(m.iterations, 4096);
	assert_int_equal(m.nsalt, 3);
}

static void
names_are_escaped(void **state)
{
	struct buf out = BUF_INIT(64);
	char name[16];

	(void)state;
	assert_true(scram_escape(&out, "a,b=c"));
	assert_string_equal(buf_text(&out), "a=2Cb=3Dc");
	assert_true(scram_unescape((struct span){out.data, out.len}, name, 15));
	assert_string_equal(name, "a,b=c");
	assert_false(scram_unescape((struct span){"a=2", 3}, name, 15));
	assert_false(scram_unescape((struct span){"a=2cb", 5}, name, 15));
	assert_false(scram_unescape((struct span){"a=", 2}, name, 15));
	assert_false(scram_unescape((struct span){"a\0b", 3}, name, 15));
	assert_false(scram_unescape((struct span){"", 0}, name, 15));
	assert_true(scram_unescape((struct span){"abc", 3}, name, 3));
	assert_false(scram_unescape((struct span){"abcd", 4}, name, 3));
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(base64_is_strict),
	    cmocka_unit_test(ascii_stays_exact),
	    cmocka_unit_test(other_text_is_prepared),
	    cmocka_unit_test(published_client),
	    cmocka_unit_test(published_server),
	    cmocka_unit_test(verifiers_are_made_and_kept),
	    cmocka_unit_test(client_first_is_read),
	    cmocka_unit_test(client_final_is_read),
	    cmocka_unit_test(server_first_is_read),
	    cmocka_unit_test(names_are_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
