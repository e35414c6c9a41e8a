/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "build.h"
#include "mailauth/dkim_body.h"
#include "mailauth/dkim_header.h"
#include "mailauth/dkim_signature.h"
#include "mailauth/tags.h"

static struct dkim_signature signature;
static struct dkim_result result;

static const char *
parse(const char *value)
{
	struct header_section h;
	const char *wrong;
	char text[4096];

	snprintf(text, sizeof(text), "DKIM-Signature:%s\n", value);
	header_init(&h);
	header_take(&h, text, strlen(text));
	header_end(&h);
	assert_int_equal(h.n, 1);
	memset(&result, 0, sizeof(result));
	wrong = dkim_signature_parse(&h.fields[0], &signature, &result);
	header_free(&h);
	return wrong;
}

#define BH   "bh=LjkN2rUhrS3zKXfH2vNgUzz5ERRJkgP9CURXBX0JP0Q="
#define REST "h=from; b=dGVzdAo=; " BH
#define GOOD "v=1; a=rsa-sha256; d=example.test; s=k; " REST

/* DKIM-Signature (RFC 6376 section 3.5). */
static void
good_signature(void **state)
{
	(void)state;
	assert_null(parse("v = 1 ; a=RSA-SHA256;\n s = K1.b_2;d=Example.TEST;\n"
			  "\th=from : to:\n x-y ; b= dGVz\n dAo= ; " BH
			  ";c=relaxed;l=10;i=joe@sub.example.test;"
			  "q=x/y:dns/txt;t=10;x=100;z=From:<a=40b>|X:y;"
			  "unknown=is ignored;"));
	assert_string_equal(result.domain, "example.test");
	assert_string_equal(result.selector, "k1.b_2");
	assert_string_equal(result.identity, "joe@sub.example.test");
	assert_string_equal(result.algorithm, "rsa-sha256");
	assert_string_equal(result.canonicalisation, "relaxed/simple");
	assert_string_equal(result.begin, "dGVzdAo=");
	assert_int_equal(result.signed_at, 10);
	assert_int_equal(result.expires, 100);
	assert_string_equal(
	    signature.key_name, "k1.b_2._domainkey.example.test");
	assert_int_equal(signature.length, 10);
	assert_false(signature.same_domain);
	assert_int_equal(signature.n, 5);
	assert_memory_equal(signature.octets, "test\n", 5);

	assert_null(parse(GOOD));
	assert_string_equal(result.canonicalisation, "simple/simple");
	assert_string_equal(result.identity, "@example.test");
	assert_int_equal(result.signed_at, -1);
	assert_int_equal(result.expires, -1);
	assert_true(signature.same_domain);
	assert_true(signature.length == DKIM_WHOLE_BODY);
}

static void
bad_signatures(void **state)
{
	static const char *const rows[][2] = {
	    {"", "empty tag"},
	    {"v=2", "unknown version in v="},
	    {"v=01; a=rsa-sha256", "unknown version in v="},
	    {"a=rsa-sha256; d=example.test; s=k; " REST, "v= is missing"},
	    {"v=1; d=example.test; s=k; " REST, "a= is missing"},
	    {"v=1; a=rsa-sha256; s=k; " REST, "d= is missing"},
	    {"v=1; a=rsa-sha256; d=example.test; " REST, "s= is missing"},
	    {"v=1; a=rsa-sha256; d=example.test; s=k; b=dGVz; " BH,
		"h= is missing"},
	    {"v=1; a=rsa-sha256; d=example.test; s=k; h=from; b=dGVz",
		"bh= is missing"},
	    {"v=1; a=rsa-sha256; d=example.test; s=k; h=from; " BH,
		"b= is missing"},
	    {GOOD "; v=1", "tag twice"},
	    {GOOD "; ;", "empty tag"},
	    {"v=1; a=rsa-md5; d=example.test; s=k; " REST,
		"unknown algorithm in a="},
	    {"v=1; a=; d=example.test; s=k; " REST, "unknown algorithm in a="},
	    {GOOD "; c=nofws", "unknown canonicalisation in c="},
	    {GOOD "; c=relaxed/", "unknown canonicalisation in c="},
	    {GOOD "; c=relaxed/simple/simple",
		"unknown canonicalisation in c="},
	    {"v=1; a=rsa-sha256; d=test; s=k; " REST, "no domain name in d="},
	    {"v=1; a=rsa-sha256; d=; s=k; " REST, "no domain name in d="},
	    {"v=1; a=rsa-sha256; d=a..test; s=k; " REST,
		"no domain name in d="},
	    {"v=1; a=rsa-sha256; d=a.test.; s=k; " REST,
		"no domain name in d="},
	    {"v=1; a=rsa-sha256; d=a/b.test; s=k; " REST,
		"no domain name in d="},
	    {"v=1; a=rsa-sha256; d=a b.test; s=k; " REST,
		"no domain name in d="},
	    {"v=1; a=rsa-sha256; d=\xff.test; s=k; " REST,
		"no domain name in d="},
	    {"v=1; a=rsa-sha256; d=a.test; s=; " REST, "no selector in s="},
	    {"v=1; a=rsa-sha256; d=a.test; s=k.; " REST, "no selector in s="},
	    {"v=1; a=rsa-sha256; d=a.test; s=k;z; " REST, "tag without value"},
	    {GOOD "; i=", "no domain name in i="},
	    {GOOD "; i=joe", "no domain name in i="},
	    {GOOD "; i=joe@other.test", "i= is outside of d="},
	    {GOOD "; i=joe@badexample.test", "i= is outside of d="},
	    {GOOD "; i=joe@test", "i= is outside of d="},
	    {GOOD "; i==0A@example.test", "bad identity in i="},
	    {GOOD "; i==4@example.test", "bad identity in i="},
	    {GOOD "; i==C3@example.test", "bad identity in i="},
	    {"v=1; a=rsa-sha256; d=a.test; s=k; h=; b=dGVz; " BH,
		"no field name in h="},
	    {"v=1; a=rsa-sha256; d=a.test; s=k; h=from:; b=dGVz; " BH,
		"no field name in h="},
	    {"v=1; a=rsa-sha256; d=a.test; s=k; h=fr om; b=dGVz; " BH,
		"no field name in h="},
	    {"v=1; a=rsa-sha256; d=a.test; s=k; h=to:fromm; b=dGVz; " BH,
		"From is not in h="},
	    {"v=1; a=rsa-sha256; d=a.test; s=k; h=from; b=dGVz; bh=dGVzdAo=",
		"no hash in bh="},
	    {"v=1; a=rsa-sha256; d=a.test; s=k; h=from; b=dGVz; bh=",
		"no hash in bh="},
	    {"v=1; a=rsa-sha256; d=a.test; s=k; h=from; b=; " BH,
		"no signature in b="},
	    {"v=1; a=rsa-sha256; d=a.test; s=k; h=from; b=dGVz!; " BH,
		"no signature in b="},
	    {GOOD "; l=", "no number in l="},
	    {GOOD "; l=-1", "no number in l="},
	    {GOOD "; l=1 0", "no number in l="},
	    {GOOD "; t=1e3", "no time in t="},
	    {GOOD "; t=1234567890123", "no time in t="},
	    {GOOD "; x=", "no time in x="},
	    {GOOD "; t=10; x=9", "x= is not after t="},
	    {GOOD "; t=10; x=10", "x= is not after t="},
	    {GOOD "; q=dns", "no known method in q="},
	    {GOOD "; q=", "no known method in q="},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *wrong = parse(rows[i][0]);

		assert_non_null(wrong);
		assert_string_equal(wrong, rows[i][1]);
	}
}

static void
names_too_long(void **state)
{
	char label[64], text[1024];

	(void)state;
	memset(label, 'x', 63);
	label[63] = '\0';
	snprintf(text, sizeof(text),
	    "v=1; a=rsa-sha256; d=%s.%s.%s.test; s=%.45s; " REST, label, label,
	    label, label);
	assert_null(parse(text));
	assert_int_equal(strlen(signature.key_name), 253);
	snprintf(text, sizeof(text),
	    "v=1; a=rsa-sha256; d=%s.%s.%s.test; s=%.46s; " REST, label, label,
	    label, label);
	assert_string_equal(parse(text), "selector and domain are too long");
	snprintf(text, sizeof(text),
	    "v=1; a=rsa-sha256; d=x%s.test; s=k; " REST, label);
	assert_string_equal(parse(text), "no domain name in d=");
}

/* RFC 8616 section 5: U-labels in fields, A-labels in the DNS. */
static void
internationalised(void **state)
{
	(void)state;
#ifdef HAVE_IDN2
	assert_null(parse("v=1; a=rsa-sha256; d=B\xc3\xbc"
			  "cher.test; s=s\xc3\xa9; i=\xc3\xa4@"
			  "xn--bcher-kva.test; " REST));
	assert_string_equal(result.domain, "xn--bcher-kva.test");
	assert_string_equal(result.identity, "\xc3\xa4@xn--bcher-kva.test");
	assert_string_equal(
	    signature.key_name, "xn--s-bga._domainkey.xn--bcher-kva.test");
#else
	skip();
#endif
}

/* -- what a signature is over (section 3.7) -- */

static void
is_over(const char *header, const char *octets)
{
	unsigned char digest[DKIM_HASH_SIZE], expected[DKIM_HASH_SIZE];
	struct header_section h;
	const char *added;

	header_init(&h);
	header_take(&h, header, strlen(header));
	header_end(&h);
	assert_null(dkim_signature_parse(&h.fields[1], &signature, &result));
	assert_true(
	    dkim_header_hash(&h, &h.fields[1], &signature, digest, &added));
	assert_int_equal(EVP_Digest(octets, strlen(octets), expected, NULL,
			     dkim_sha256(), NULL),
	    1);
	assert_memory_equal(digest, expected, DKIM_HASH_SIZE);
	header_free(&h);
}

#define SIGNED "v=1; a=rsa-sha256; d=a.test; s=k; " BH ";"
#define NAMES  " h=x:From:DKIM-signature:dkim-signature:X:x:to;"

static void
what_is_signed(void **state)
{
	(void)state;
	is_over("X:  1\nDKIM-Signature:  " SIGNED NAMES "\n b= AA\n AA ;z=\n"
		"FROM : a\nDKIM-Signature: old; b=c\n\tx\nX: 2 \n\n",
	    "X: 2 \r\nFROM : a\r\nDKIM-Signature: old; b=c\r\n\tx\r\n"
	    "X:  1\r\nDKIM-Signature:  " SIGNED NAMES "\r\n b=;z=");
	is_over("X:  1\nDKIM-Signature:  " SIGNED NAMES
		" c=relaxed;\n b= AA\n AA \n"
		"FROM : a\nDKIM-Signature: old; b=c\n\tx\nX: 2 \n\n",
	    "x:2\r\nfrom:a\r\ndkim-signature:old; b=c x\r\nx:1\r\n"
	    "dkim-signature:" SIGNED NAMES " c=relaxed; b=");
}

/* -- key records (section 3.6.1) -- */

#define ED25519 "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define RSA                                                                    \
	"p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/"      \
	"DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v"    \
	"/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWTo"    \
	"IMmPSPDdQPNUYckcQ2QIDAQAB"
/* the same without SubjectPublicKeyInfo around it */
#define BARE_RSA                                                               \
	"p=MIGJAoGBAPAhE/9QLdIGwSYapn1klbf8OQygZ4udCDV9afv/Ni0jE3ZKcUKPE4I"    \
	"ob2/dviNh9xM2HmKNKyrrfW4Ei0truh36/9G10LZTMnWVZP3jupH5FxpzaBu2j80y"    \
	"onR/N9WMfg64qGK11j21/qZzAaNo0FxZOggyY9I8N1A81RhyRxDZAgMBAAE="

static void
good_keys(void **state)
{
	static const struct {
		const char *record;
		unsigned bits;
		bool testing, same_only;
	} rows[] = {
	    {RSA, 1024, false, false},
	    {BARE_RSA, 1024, false, false},
	    {"v=DKIM1;k=RSA;" RSA ";", 1024, false, false},
	    {"v=DKIM1; k=ed25519; " ED25519 " ; ", 256, false, false},
	    {"v = DKIM1; h = sha1 : SHA256:x; s=email:tlsrpt; t = y : s; "
	     "n=a note; g=; " RSA,
		1024, true, true},
	    {"s=*; t=yes:Y; " RSA, 1024, true, false},
	    {"t=x; " RSA, 1024, false, false},
	    {"p=", 0, false, false},
	    {"v=DKIM1; p= ; t=s", 0, false, true},
	    {"V=DKIM2; p=;", 0, false, false},
	    {"k=ed25519; p=11qYAYKx CrfVS/7TyWQH\tOg7hcvPapiMlrwIaaPcHURo=",
		256, false, false},
	    /* the padding may be left out (section 2.10) */
	    {"k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo", 256,
		false, false},
	};
	struct dkim_key k;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_null(dkim_key_parse(rows[i].record, &k));
		assert_int_equal(k.bits, rows[i].bits);
		assert_int_equal(k.testing, rows[i].testing);
		assert_int_equal(k.same_only, rows[i].same_only);
		assert_int_equal(k.key != NULL, k.bits > 0);
		EVP_PKEY_free(k.key);
	}
}

static void
bad_keys(void **state)
{
	static const char *const rows[][2] = {
	    {"", "empty tag"},
	    {"v=DKIM1", "p= is missing"},
	    {"p=; v=DKIM1", "v= is not the first tag"},
	    {"v=dkim1; p=", "unknown version in v="},
	    {"v=DKIM1.0; p=", "unknown version in v="},
	    {"v=DKIM2; " RSA, "unknown version in v="},
	    {"v=DKIM1; p=; p=", "tag twice"},
	    {"v=DKIM1; k=unknown; p=", "unknown key type in k="},
	    {"v=DKIM1; k=; " RSA, "unknown key type in k="},
	    {"v=DKIM1; h=sha1; " RSA, "sha256 is not in h="},
	    {"v=DKIM1; h=; " RSA, "sha256 is not in h="},
	    {"v=DKIM1; s=other; " RSA, "email is not in s="},
	    {"v=DKIM1; s=; " RSA, "email is not in s="},
	    {"p=JDcbZ0Hpba5NKXI4UAW3G0IDhhFOxhJTDybZEwe1FeA=",
		"p= is no RSA key"},
	    {"k=ed25519; p=HbawiMnQXTCopHTkR0jlKQ==", "p= is no Ed25519 key"},
	    {"k=ed25519; " RSA, "p= is no Ed25519 key"},
	    {ED25519, "p= is no RSA key"},
	    {"p=####", "p= is no base64"},
	    {"p=MIE", "p= is no RSA key"},
	    {"p=M", "p= is no base64"},
	    {"p=MI=f", "p= is no base64"},
	    {"p=MIGf=", "p= is no base64"},
	};
	struct dkim_key k;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *wrong = dkim_key_parse(rows[i][0], &k);

		assert_non_null(wrong);
		assert_string_equal(wrong, rows[i][1]);
		assert_null(k.key);
	}
}

/* Whatever octet of the key is another: no crash, and never the same key. */
static void
damaged_keys(void **state)
{
	char record[] = RSA;
	struct dkim_key good, k;

	(void)state;
	assert_null(dkim_key_parse(record, &good));
	for (size_t i = 2; i < sizeof(record) - 1; i++) {
		const char kept = record[i];

		record[i] = kept == 'A' ? 'B' : 'A';
		if (dkim_key_parse(record, &k) == NULL)
			assert_int_not_equal(EVP_PKEY_eq(good.key, k.key), 1);
		EVP_PKEY_free(k.key);
		record[i] = '\0';
		if (dkim_key_parse(record, &k) == NULL)
			assert_null(k.key);
		record[i] = kept;
	}
	EVP_PKEY_free(good.key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_signature),
	    cmocka_unit_test(bad_signatures),
	    cmocka_unit_test(names_too_long),
	    cmocka_unit_test(internationalised),
	    cmocka_unit_test(what_is_signed),
	    cmocka_unit_test(good_keys),
	    cmocka_unit_test(bad_keys),
	    cmocka_unit_test(damaged_keys),
	};

	return cmocka_run_group_tests_name("dkim-fields", tests, NULL, NULL);
}
