/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include <openssl/err.h>
#include <openssl/rsa.h>

#include "common/base64.h"
#include "mailauth/dkim_body.h"
#include "mailauth/dkim_check.h"
#include "mailauth/dkim_header.h"
#include "tests/unit/dkim-zone.h"

enum { NOW = 1764500000 };

static EVP_PKEY *rsa, *ed25519;
static struct buf rsa_record = BUF_INIT(4096), ed25519_record = BUF_INIT(4096);
static struct dkim_zone zone;
static struct dkim_result results[DKIM_SIGNATURES_MAX];

static void
publish(const char *record)
{
	zone = (struct dkim_zone){.status = DNS_FOUND,
	    .n = 1,
	    .records = {{"k._domainkey.example.test", record}}};
}

static int
make_keys(void **state)
{
	(void)state;
	rsa = EVP_RSA_gen(2048);
	ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	assert_true(dkim_key_record(rsa, &rsa_record));
	assert_true(dkim_key_record(ed25519, &ed25519_record));
	return 0;
}

static int
drop_keys(void **state)
{
	(void)state;
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ed25519);
	buf_free(&rsa_record);
	buf_free(&ed25519_record);
	return 0;
}

static int
begin(void **state)
{
	(void)state;
	publish(buf_text(&rsa_record));
	return 0;
}

/* -- a signer that signs whatever it is told to -- */

static void
add_base64(struct buf *out, const unsigned char *octets, size_t n)
{
	char text[BASE64_LENGTH(DKIM_SIGNATURE_MAX) + 1];

	base64_encode(octets, n, text);
	buf_adds(out, text);
}

static void
sign_digest(EVP_PKEY *key, const unsigned char *digest, struct buf *out)
{
	unsigned char octets[DKIM_SIGNATURE_MAX];
	size_t n = sizeof(octets);

	if (EVP_PKEY_is_a(key, "ED25519")) {
		EVP_MD_CTX *c = EVP_MD_CTX_new();

		assert_int_equal(
		    EVP_DigestSignInit(c, NULL, NULL, NULL, key), 1);
		assert_int_equal(
		    EVP_DigestSign(c, octets, &n, digest, DKIM_HASH_SIZE), 1);
		EVP_MD_CTX_free(c);
	} else {
		EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);

		assert_int_equal(EVP_PKEY_sign_init(c), 1);
		EVP_PKEY_CTX_set_signature_md(c, EVP_sha256());
		assert_int_equal(
		    EVP_PKEY_sign(c, octets, &n, digest, DKIM_HASH_SIZE), 1);
		EVP_PKEY_CTX_free(c);
	}
	add_base64(out, octets, n);
}

static void
collect_header(struct header_section *h, const struct buf *message)
{
	header_init(h);
	header_take(h, message->data, message->len);
	header_end(h);
}

/* Of the body with that form and beginning. */
static void
add_body_hash(
    struct buf *field, const char *body, bool relaxed, uint64_t length)
{
	static const unsigned char none[DKIM_HASH_SIZE];
	struct dkim_body b;

	assert_true(dkim_body_init(&b, relaxed));
	dkim_body_want(&b, length);
	dkim_body_take(&b, body, strlen(body));
	dkim_body_end(&b);
	add_base64(field,
	    dkim_body_digest(&b, length) == NULL ? none
						 : dkim_body_digest(&b, length),
	    DKIM_HASH_SIZE);
	dkim_body_free(&b);
}

/*
 * message becomes "DKIM-Signature: tags; bh=...; b=..." before the header
 * and the body.
 */
static void
sign(struct buf *message, const char *tags, const char *header,
    const char *body, EVP_PKEY *key)
{
	unsigned char digest[DKIM_HASH_SIZE];
	struct header_section h;
	struct dkim_signature s;
	const char *added, *l = strstr(tags, "l=");
	struct buf field = BUF_INIT(65536);

	buf_addf(&field, "DKIM-Signature: %s; bh=", tags);
	add_body_hash(&field, body, strstr(tags, "/relaxed") != NULL,
	    l == NULL ? DKIM_WHOLE_BODY : strtoull(l + 2, NULL, 10));
	buf_adds(&field, "; b=");
	*message = BUF_INIT(8 << 20);
	buf_addf(message, "%sAAAA\n%s\n%s", buf_text(&field), header, body);
	collect_header(&h, message);
	assert_true(header_is(&h.fields[0], "DKIM-Signature"));
	assert_null(dkim_signature_parse(&h.fields[0], &s, &results[0]));
	assert_true(dkim_header_hash(&h, &h.fields[0], &s, digest, &added));
	header_free(&h);

	buf_reset(message);
	buf_add(message, field.data, field.len);
	sign_digest(key, digest, message);
	buf_addf(message, "\n%s\n%s", header, body);
	assert_true(buf_ok(message));
	buf_free(&field);
}

static const struct dkim_result *
verify(const struct buf *message)
{
	results[0].result = AUTH_NONE;
	zone_verify(&zone, NOW, message->data, message->len, 777, results);
	/* nothing is left for the next user of the library */
	assert_int_equal(ERR_peek_error(), 0);
	return results;
}

#define TAGS   "v=1; a=rsa-sha256; d=example.test; s=k; h=From:To"
#define HEADER "From: a@example.test\nTo: b@example.test\n"

static const struct dkim_result *
sign_and_verify(const char *tags, EVP_PKEY *key)
{
	struct buf message;
	const struct dkim_result *r;

	sign(&message, tags, HEADER, "Hello  World\n", key);
	r = verify(&message);
	buf_free(&message);
	return r;
}

static void
is(const struct dkim_result *r, enum auth_result result, const char *reason)
{
	assert_string_equal(r->reason, reason);
	assert_int_equal(r->result, result);
}

/* -- what is good -- */

static void
forms_and_algorithms(void **state)
{
	static const char *const forms[][2] = {{"", "simple/simple"},
	    {"; c=simple", "simple/simple"}, {"; c=relaxed", "relaxed/simple"},
	    {"; c=simple/relaxed", "simple/relaxed"},
	    {"; c=Relaxed/relaxed", "relaxed/relaxed"}};
	char tags[200];

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		snprintf(tags, sizeof(tags), TAGS "%s", forms[i][0]);
		is(sign_and_verify(tags, rsa), AUTH_PASS, "");
		assert_string_equal(results[0].canonicalisation, forms[i][1]);
		assert_int_equal(results[0].key_bits, 2048);
	}
	publish(buf_text(&ed25519_record));
	for (size_t i = 0; i < 5; i++) {
		snprintf(tags, sizeof(tags),
		    "v=1; a=ed25519-sha256; d=example.test; s=k; h=from%s",
		    forms[i][0]);
		is(sign_and_verify(tags, ed25519), AUTH_PASS, "");
		assert_string_equal(results[0].algorithm, "ed25519-sha256");
	}
	is(sign_and_verify(TAGS, rsa), AUTH_PERMERROR,
	    "the key is of another type");
}

/* Of fields with one name the last are signed (section 5.4.2). */
static void
fields_from_the_bottom(void **state)
{
	struct buf message, more = BUF_INIT(1 << 20);

	(void)state;
	sign(&message,
	    "v=1; a=rsa-sha256; d=example.test; s=k;"
	    " h=from:x:X:dkim-signature",
	    "X: 3\nFrom: a@example.test\nX: 2\nX: 1\nDKIM-Signature: x\n",
	    "body\n", rsa);
	is(verify(&message), AUTH_PASS, "");
	assert_int_equal(results[1].result, AUTH_PERMERROR);
	buf_adds(&more, "X: 5\nX: 4\n");
	buf_add(&more, message.data, message.len);
	is(verify(&more), AUTH_PASS, "");
	*strstr(buf_text(&more), "X: 3") = 'Y';
	is(verify(&more), AUTH_PASS, "");
	*strstr(buf_text(&more), "X: 2") = 'Y';
	is(verify(&more), AUTH_FAIL, "the signature does not match");
	buf_free(&more);
	buf_free(&message);
}

static void
identities(void **state)
{
	static const struct {
		const char *tags, *identity;
	} good[] = {
	    {TAGS, "@example.test"},
	    {TAGS "; i=@example.test", "@example.test"},
	    {TAGS "; i=joe@Sub.Example.test", "joe@sub.example.test"},
	    {TAGS "; i=a=20b=3B\n =C3=A4@example.test",
		"a b;\xc3\xa4@example.test"},
	    {TAGS "; i=\"a@b\"@example.test", "\"a@b\"@example.test"},
	};
	struct buf record = BUF_INIT(8192);

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		is(sign_and_verify(good[i].tags, rsa), AUTH_PASS, "");
		assert_string_equal(results[0].identity, good[i].identity);
	}
	buf_addf(&record, "t=s:y; %s", strchr(buf_text(&rsa_record), 'k'));
	publish(buf_text(&record));
	is(sign_and_verify(good[0].tags, rsa), AUTH_PASS, "");
	assert_true(results[0].testing);
	is(sign_and_verify(good[2].tags, rsa), AUTH_PERMERROR,
	    "the key is not for sub-domains in i=");
	buf_free(&record);
}

static void
times(void **state)
{
	char tags[200];

	(void)state;
	snprintf(tags, sizeof(tags), TAGS "; t=%d; x=%d", NOW - 9, NOW);
	is(sign_and_verify(tags, rsa), AUTH_PASS, "");
	assert_int_equal(results[0].signed_at, NOW - 9);
	assert_int_equal(results[0].expires, NOW);
	snprintf(tags, sizeof(tags), TAGS "; t=%d; x=%d", NOW - 9, NOW - 1);
	is(sign_and_verify(tags, rsa), AUTH_POLICY,
	    "the signature has expired");
	assert_int_equal(zone.asked, 1);
}

/* -- the DNS -- */

static void
trouble_stays_temporary(void **state)
{
	(void)state;
	zone.status = DNS_TEMPORARY;
	is(sign_and_verify(TAGS, rsa), AUTH_TEMPERROR,
	    "the DNS does not tell the key");
	zone.status = DNS_BROKEN;
	is(sign_and_verify(TAGS, rsa), AUTH_TEMPERROR,
	    "the DNS does not tell the key");
	zone.status = DNS_NO_NAME;
	is(sign_and_verify(TAGS, rsa), AUTH_PERMERROR, "there is no key");
	zone.status = DNS_NO_DATA;
	is(sign_and_verify(TAGS, rsa), AUTH_PERMERROR, "there is no key");
	assert_int_equal(zone.asked, 4);
}

/* Section 6.1.2, step 4; within bounds. */
static void
several_records(void **state)
{
	(void)state;
	zone.n = 4;
	zone.records[3] = zone.records[0];
	zone.records[0].text = "v=spf1 -all";
	zone.records[1] = zone.records[2] = zone.records[3];
	zone.records[1].text = "v=DKIM1; p=";
	zone.records[2].text = buf_text(&ed25519_record);
	is(sign_and_verify(TAGS, rsa), AUTH_PASS, "");
	zone.n = DKIM_RECORDS_MAX + 1;
	zone.records[4] = zone.records[3];
	zone.records[3] = zone.records[0];
	is(sign_and_verify(TAGS, rsa), AUTH_PERMERROR, "unknown version in v=");
}

static void
no_good_keys(void **state)
{
	static const char *const rows[][2] = {
	    {"v=DKIM1; p=", "the key is revoked"},
	    {"v=DKIM1; k=rsa; p=; n=gone", "the key is revoked"},
	    {"v=DKIM1", "p= is missing"},
	    {"v=spf1 -all", "unknown version in v="},
	    {"p=AAAA; v=DKIM1", "v= is not the first tag"},
	    {"x", "tag without value"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		publish(rows[i][0]);
		is(sign_and_verify(TAGS, rsa), AUTH_PERMERROR, rows[i][1]);
	}
}

/* -- A15 -- */

/* What l= leaves out is told, and whoever asks for DMARC sees it. */
static void
beginning_of_the_body(void **state)
{
	struct buf message;

	(void)state;
	sign(&message, TAGS "; c=relaxed/relaxed; l=11", HEADER,
	    "Hello  World\n", rsa);
	is(verify(&message), AUTH_PASS, "");
	assert_true(results[0].partial);
	buf_adds(&message, "<h1>buy this</h1>\n");
	is(verify(&message), AUTH_PASS, "");
	assert_true(results[0].partial);
	buf_free(&message);

	sign(&message, TAGS "; c=relaxed/relaxed; l=13", HEADER,
	    "Hello  World\n", rsa);
	is(verify(&message), AUTH_PASS, "");
	assert_false(results[0].partial);
	buf_adds(&message, "\n\n");
	is(verify(&message), AUTH_PASS, "");
	assert_false(results[0].partial);
	buf_adds(&message, "x");
	is(verify(&message), AUTH_PASS, "");
	assert_true(results[0].partial);
	buf_free(&message);

	is(sign_and_verify(TAGS "; l=0", rsa), AUTH_PASS, "");
	assert_true(results[0].partial);
	is(sign_and_verify(TAGS "; l=15", rsa), AUTH_FAIL,
	    "the body is shorter than l=");
	is(sign_and_verify(TAGS "; l=99999999999999999999999999", rsa),
	    AUTH_FAIL, "the body is shorter than l=");
	is(sign_and_verify(TAGS, rsa), AUTH_PASS, "");
	assert_false(results[0].partial);
}

static void
weak_keys(void **state)
{
	static const struct {
		unsigned bits;
		enum auth_result result;
	} rows[] = {{512, AUTH_POLICY}, {1023, AUTH_POLICY}, {1024, AUTH_PASS},
	    {3072, AUTH_PASS}};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		EVP_PKEY *key = EVP_RSA_gen(rows[i].bits);
		struct buf record = BUF_INIT(8192);

		assert_true(dkim_key_record(key, &record));
		publish(buf_text(&record));
		is(sign_and_verify(TAGS, key), rows[i].result,
		    rows[i].result == AUTH_PASS ? ""
						: "the RSA key is too short");
		assert_int_equal(results[0].key_bits, rows[i].bits);
		EVP_PKEY_free(key);
		buf_free(&record);
	}
}

static void
sha1(void **state)
{
	(void)state;
	is(sign_and_verify("v=1; a=rsa-sha1; d=example.test; s=k; h=from", rsa),
	    AUTH_POLICY, "SHA-1 proves nothing any more");
	assert_string_equal(results[0].algorithm, "rsa-sha1");
	assert_int_equal(zone.asked, 0);
}

/* A second field of those that readers show once. */
static void
added_fields(void **state)
{
	static const char *const names[] = {
	    "From", "SUBJECT", "Date", "To", "Cc", "Reply-To", "Content-Type"};
	struct buf message, more = BUF_INIT(1 << 20);
	char reason[100];

	(void)state;
	sign(&message,
	    "v=1; a=rsa-sha256; d=example.test; s=k; h=from:subject:"
	    "date:to:cc:reply-to:content-type",
	    "From: a@example.test\nSubject: s\nDate: d\nTo: t\nCc: c\n"
	    "Reply-To: r\nContent-Type: text/plain\nSender: s\n",
	    "body\n", rsa);
	is(verify(&message), AUTH_PASS, "");
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		buf_reset(&more);
		buf_addf(&more, "%s : other\n", names[i]);
		buf_add(&more, message.data, message.len);
		verify(&more);
		assert_int_equal(results[0].result, AUTH_POLICY);
		snprintf(reason, sizeof(reason),
		    "there is another field %s, which is not signed",
		    i == 1 ? "Subject" : names[i]);
		assert_string_equal(results[0].reason, reason);
	}
	/* what was never signed is nobody's word */
	buf_reset(&more);
	buf_adds(&more, "Sender: other\nX: y\nX: z\n");
	buf_add(&more, message.data, message.len);
	is(verify(&more), AUTH_PASS, "");
	buf_free(&more);
	buf_free(&message);
}

static void
hundred_signatures(void **state)
{
	struct buf one, many = BUF_INIT(8 << 20);
	size_t end;

	(void)state;
	sign(&one, TAGS, HEADER, "body\n", rsa);
	end = (size_t)(strstr(buf_text(&one), "\nFrom:") - one.data) + 1;
	for (size_t i = 0; i < 99; i++)
		buf_add(&many, one.data, end);
	buf_add(&many, one.data, one.len);
	assert_int_equal(
	    zone_verify(&zone, NOW, many.data, many.len, 4096, results),
	    DKIM_SIGNATURES_MAX);
	assert_int_equal(zone.asked, DKIM_SIGNATURES_MAX);
	for (size_t i = 0; i < DKIM_SIGNATURES_MAX; i++)
		is(&results[i], AUTH_PASS, "");
	buf_free(&many);
	buf_free(&one);
}

/* Each its own beginning of the body: still one pass over it. */
static void
many_beginnings(void **state)
{
	struct buf all = BUF_INIT(1 << 20), one;
	char tags[200];

	(void)state;
	for (size_t i = 0; i < DKIM_SIGNATURES_MAX; i++) {
		snprintf(tags, sizeof(tags), TAGS "; c=%s/%s; l=%zu",
		    i % 3 ? "simple" : "relaxed", i % 2 ? "simple" : "relaxed",
		    14 - i);
		sign(&one, tags, HEADER, "Hello  World\n", rsa);
		buf_add(&all, one.data,
		    (size_t)(strstr(buf_text(&one), "\nFrom:") - one.data) + 1);
		buf_free(&one);
	}
	buf_adds(&all, HEADER "\nHello  World\n");
	assert_int_equal(
	    zone_verify(&zone, NOW, all.data, all.len, 1, results), 8);
	/* the relaxed body has 13 octets, the simple one 14 */
	is(&results[0], AUTH_FAIL, "the body is shorter than l=");
	for (size_t i = 1; i < 8; i++)
		is(&results[i], AUTH_PASS, "");
	assert_true(results[1].partial);
	buf_free(&all);
}

static void
headers_out_of_bounds(void **state)
{
	struct buf message, more = BUF_INIT(8 << 20);

	(void)state;
	sign(&message, TAGS, HEADER, "body\n", rsa);
	buf_add(&more, message.data,
	    (size_t)(strstr(buf_text(&message), "\n\n") + 1 - message.data));
	for (size_t i = 0; i < 15000; i++)
		buf_addf(&more,
		    "%sxxxxxxxx xxxxxxxx xxxxxxxx xxxxxxxx xxxxxxxx"
		    " xxxxxxxx xxxxxxxx xxxxxx\n",
		    i == 0 ? "X-Big:" : "\t");
	assert_true(more.len > 1 << 20);
	buf_adds(&more, "\nbody\n");
	is(verify(&more), AUTH_PERMERROR, "the header section is too big");

	buf_reset(&more);
	for (size_t i = 0; i < HEADER_FIELDS_MAX; i++)
		buf_adds(&more, "X:\n");
	buf_reset(&more);
	buf_add(&more, message.data,
	    (size_t)(strstr(buf_text(&message), "\n\n") + 1 - message.data));
	for (size_t i = 0; i < HEADER_FIELDS_MAX; i++)
		buf_adds(&more, "X:\n");
	buf_adds(&more, "\nbody\n");
	is(verify(&more), AUTH_PERMERROR, "the header section is too big");

	buf_reset(&more);
	buf_add(&more, message.data,
	    (size_t)(strstr(buf_text(&message), "\n\n") + 1 - message.data));
	buf_adds(&more, "this is no field\n\nbody\n");
	is(verify(&more), AUTH_PERMERROR, "the header section is malformed");
	assert_int_equal(zone.asked, 0);
	buf_free(&more);
	buf_free(&message);
}

static void
too_many_names(void **state)
{
	struct buf message = BUF_INIT(1 << 20);

	(void)state;
	buf_adds(&message, "DKIM-Signature: " TAGS);
	for (size_t i = 0; i < DKIM_NAMES_MAX - 1; i++)
		buf_adds(&message, ":x");
	buf_adds(&message, "; bh=AAAA; b=AAAA\n" HEADER "\n");
	is(verify(&message), AUTH_PERMERROR, "too many names in h=");
	assert_int_equal(zone.asked, 0);
	buf_free(&message);
}

/* Much for little: empty lines and blanks, and one octet behind them. */
static void
long_waits_for_nothing(void **state)
{
	const size_t n = 4 << 20;
	struct buf message;
	char *body = malloc(n + 3);

	(void)state;
	assert_non_null(body);
	for (size_t i = 0; i < n; i++)
		body[i] = i % 2 ? '\n' : i < n / 2 ? ' ' : '\t';
	memcpy(body + n, "x\n", 3);
	sign(&message, TAGS "; c=relaxed/relaxed", HEADER, body, rsa);
	is(verify(&message), AUTH_PASS, "");
	buf_free(&message);
	memset(body, ' ', n);
	sign(&message, TAGS "; c=relaxed/relaxed", HEADER, body, rsa);
	is(verify(&message), AUTH_PASS, "");
	buf_free(&message);
	free(body);
}

static void
add_integer(struct buf *der, size_t n)
{
	if (n < 0x80)
		buf_addf(der, "%c%c", 2, (char)n);
	else
		buf_addf(der, "%c%c%c%c", 2, 0x82, (char)(n >> 8), (char)n);
	for (size_t k = 0; k < n; k++)
		buf_addc(der, k == 0 ? 0x35 : (char)0xb5);
}

/* The record of an RSA key whose numbers have so many octets, 0xb5 each. */
static void
publish_odd_key(struct buf *record, size_t modulus, size_t exponent)
{
	struct buf der = BUF_INIT(4096), all = BUF_INIT(4096);

	buf_reset(record);
	buf_adds(record, "v=DKIM1; p=");
	add_integer(&der, modulus);
	add_integer(&der, exponent);
	buf_addf(
	    &all, "%c%c%c%c", 0x30, 0x82, (char)(der.len >> 8), (char)der.len);
	buf_add(&all, der.data, der.len);
	assert_true(buf_reserve(record, BASE64_LENGTH(all.len)));
	base64_encode(all.data, all.len, record->data + record->len);
	record->len += BASE64_LENGTH(all.len);
	buf_free(&all);
	buf_free(&der);
	publish(buf_text(record));
}

/* A record of 64 KiB, and what would take long to calculate. */
static void
hostile_keys(void **state)
{
	struct buf record = BUF_INIT(1 << 20);

	(void)state;
	buf_adds(&record, "v=DKIM1; p=");
	while (record.len < 65000)
		buf_adds(&record, "AAAA");
	publish(buf_text(&record));
	is(sign_and_verify(TAGS, rsa), AUTH_PERMERROR, "p= is no base64");

	publish_odd_key(&record, 512, 8); /* as big as a verifier must take */
	is(sign_and_verify(TAGS, rsa), AUTH_FAIL,
	    "the signature does not match");
	assert_int_equal(results[0].key_bits, 4094);
	publish_odd_key(&record, 512, 9);
	is(sign_and_verify(TAGS, rsa), AUTH_PERMERROR, "p= is no RSA key");
	publish_odd_key(&record, 256, 256);
	is(sign_and_verify(TAGS, rsa), AUTH_PERMERROR, "p= is no RSA key");
	publish_odd_key(&record, 1030, 3);
	is(sign_and_verify(TAGS, rsa), AUTH_PERMERROR,
	    "the RSA key is too long");
	buf_free(&record);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(forms_and_algorithms, begin),
	    cmocka_unit_test_setup(fields_from_the_bottom, begin),
	    cmocka_unit_test_setup(identities, begin),
	    cmocka_unit_test_setup(times, begin),
	    cmocka_unit_test_setup(trouble_stays_temporary, begin),
	    cmocka_unit_test_setup(several_records, begin),
	    cmocka_unit_test_setup(no_good_keys, begin),
	    cmocka_unit_test_setup(beginning_of_the_body, begin),
	    cmocka_unit_test_setup(weak_keys, begin),
	    cmocka_unit_test_setup(sha1, begin),
	    cmocka_unit_test_setup(added_fields, begin),
	    cmocka_unit_test_setup(hundred_signatures, begin),
	    cmocka_unit_test_setup(many_beginnings, begin),
	    cmocka_unit_test_setup(headers_out_of_bounds, begin),
	    cmocka_unit_test_setup(too_many_names, begin),
	    cmocka_unit_test_setup(long_waits_for_nothing, begin),
	    cmocka_unit_test_setup(hostile_keys, begin),
	};

	return cmocka_run_group_tests_name(
	    "dkim-verify", tests, make_keys, drop_keys);
}
