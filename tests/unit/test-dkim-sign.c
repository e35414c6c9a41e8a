/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include <openssl/ec.h>
#include <openssl/rsa.h>

#include "mailauth/dkim_fields.h"
#include "tests/unit/dkim-zone.h"

enum { NOW = 1764500000 };

static EVP_PKEY *rsa, *ed25519;
static struct buf rsa_record = BUF_INIT(4096), ed25519_record = BUF_INIT(4096);
static struct dkim_zone zone;

static int
make_keys(void **state)
{
	(void)state;
	rsa = EVP_RSA_gen(2048);
	ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	assert_true(dkim_key_record(rsa, &rsa_record));
	assert_true(dkim_key_record(ed25519, &ed25519_record));
	zone = (struct dkim_zone){.status = DNS_FOUND,
	    .n = 2,
	    .records = {{"r._domainkey.example.test", buf_text(&rsa_record)},
		{"e._domainkey.example.test", buf_text(&ed25519_record)}}};
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

static const char *
facts_of(const char *message, size_t n, struct dkim_facts *facts)
{
	struct dkim_signer *s = dkim_sign_begin();
	struct header_section h;
	const char *wrong;
	size_t used;

	assert_non_null(s);
	header_init(&h);
	used = header_take(&h, message, n);
	header_end(&h);
	for (size_t at = used; at < n; at += 100)
		dkim_sign_body(s, message + at, n - at < 100 ? n - at : 100);
	wrong = dkim_sign_end(s, &h, facts);
	dkim_sign_free(s);
	header_free(&h);
	return wrong;
}

/* Both signatures, above the message. */
static void
sign(struct buf *out, const char *message, size_t n)
{
	struct dkim_facts facts;

	*out = BUF_INIT(1 << 20);
	assert_null(facts_of(message, n, &facts));
	assert_true(dkim_sign(&facts, "example.test", "r", NOW, rsa, out));
	assert_true(dkim_sign(&facts, "Example.TEST", "e", NOW, ed25519, out));
	assert_true(buf_add(out, message, n));
	buf_free(&facts.fields);
}

static void
all_are(const struct buf *message, enum auth_result result)
{
	struct dkim_result results[DKIM_SIGNATURES_MAX];

	assert_int_equal(zone_verify(&zone, NOW + 1, message->data,
			     message->len, 1000, results),
	    2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(results[i].result, result);
		assert_string_equal(results[i].domain, "example.test");
		assert_int_equal(results[i].signed_at, NOW);
		assert_int_equal(results[i].expires, -1);
		assert_false(results[i].partial);
		assert_string_equal(
		    results[i].canonicalisation, "relaxed/relaxed");
	}
	assert_string_equal(results[0].algorithm, "rsa-sha256");
	assert_string_equal(results[1].algorithm, "ed25519-sha256");
}

static const char plain[] = "Received: from a by b\n"
			    "From: Ann <ann@example.test>\n"
			    "To: bob@example.net\n"
			    "Subject: Words\n and more\n"
			    "Date: Mon, 30 Nov 2026 10:00:00 +0000\n"
			    "Message-ID: <1@example.test>\n"
			    "X-Other: x\n"
			    "\n"
			    "Hello,\n\nthis is  it.\n";

static void
round_trip(void **state)
{
	struct dkim_result results[DKIM_SIGNATURES_MAX];
	struct buf out;

	(void)state;
	sign(&out, plain, sizeof(plain) - 1);
	all_are(&out, AUTH_PASS);
	zone_verify(&zone, NOW, out.data, out.len, 1, results);
	assert_int_equal(results[0].key_bits, 2048);
	assert_int_equal(results[1].key_bits, 256);
	assert_string_equal(results[0].identity, "@example.test");
	assert_int_equal(strlen(results[0].begin), 8);
	buf_free(&out);
}

/* No line is longer than 76 columns, and each begins as a fold must. */
static void
folding(void **state)
{
	struct buf out;
	const char *p, *end;

	(void)state;
	sign(&out, plain, sizeof(plain) - 1);
	assert_memory_equal(out.data, "DKIM-Signature: v=1; a=rsa-sha256;", 34);
	end = strstr(buf_text(&out), "Received:");
	for (p = out.data; p < end;) {
		const char *lf = strchr(p, '\n');
		size_t columns = (size_t)(lf - p) + (*p == '\t' ? 7 : 0);

		assert_true(columns <= 76);
		assert_true(*p == '\t' || memcmp(p, "DKIM-Sig", 8) == 0);
		assert_null(memchr(p + 1, '\t', (size_t)(lf - p - 1)));
		p = lf + 1;
	}
	assert_non_null(strstr(out.data, "h=from:from:reply-to:to:to:cc:"));
	assert_null(strstr(out.data, "l="));
	buf_free(&out);
}

/* What a relay does on the way harms nothing. */
static void
what_is_allowed(void **state)
{
	static const char *const edits[][2] = {
	    {"Received: from a by b\n",
		"Received: from b by c\nReceived: from"
		" a by b\nX-New: y\nList-Id: <l.test>\n"
		"Sender: l@l.test\nResent-To: c@l.test\n"},
	    {"Subject: Words\n and more\n", "SUBJECT:Words\n\t  and\n more \n"},
	    {"X-Other: x\n", ""},
	    {"this is  it.\n", "this is\tit. \n\n\n"},
	};
	struct buf out, edited = BUF_INIT(1 << 20);

	(void)state;
	sign(&out, plain, sizeof(plain) - 1);
	for (size_t i = 0; i < sizeof(edits) / sizeof(*edits); i++) {
		const char *at = strstr(buf_text(&out), edits[i][0]);

		assert_non_null(at);
		buf_reset(&edited);
		buf_add(&edited, out.data, (size_t)(at - out.data));
		buf_adds(&edited, edits[i][1]);
		buf_adds(&edited, at + strlen(edits[i][0]));
		all_are(&edited, AUTH_PASS);
	}
	buf_free(&edited);
	buf_free(&out);
}

/* A15: nothing that a reader sees can be changed or added. */
static void
what_is_not(void **state)
{
	static const char *const edits[][2] = {
	    {"Ann <", "Bob <"},
	    {"bob@", "eve@"},
	    {"Words", "words"},
	    {"2026", "2027"},
	    {"<1@", "<2@"},
	    {"this", "that"},
	    {"it.\n", "it.\nP.S.\n"},
	    {"Hello,\n\n", "Hello,\n"},
	    {"From: Ann", "From: Eve <eve@example.test>\nFrom: Ann"},
	    {"X-Other: x\n", "From: eve@example.test\n"},
	    {"X-Other: x\n", "Subject: other\n"},
	    {"Received:", "Subject: other\nReceived:"},
	    {"X-Other: x\n", "To: other@example.test\n"},
	    {"X-Other: x\n", "Cc: other@example.test\n"},
	    {"X-Other: x\n", "Date: Mon, 30 Nov 2026 10:00:00 +0000\n"},
	    {"X-Other: x\n", "Reply-To: eve@example.test\n"},
	    {"X-Other: x\n", "Message-ID: <3@example.test>\n"},
	    {"X-Other: x\n", "Content-Type: text/html\n"},
	    {"X-Other: x\n", "MIME-Version: 1.0\n"},
	    {"X-Other: x\n", "Content-Transfer-Encoding: base64\n"},
	    {"bh=", "bh=A"},
	    {"t=17", "t=16"},
	    {"h=from:from:", "h=from:"},
	};
	struct dkim_result results[DKIM_SIGNATURES_MAX];
	struct buf out, edited = BUF_INIT(1 << 20);

	(void)state;
	sign(&out, plain, sizeof(plain) - 1);
	for (size_t i = 0; i < sizeof(edits) / sizeof(*edits); i++) {
		const char *at = strstr(buf_text(&out), edits[i][0]);

		assert_non_null(at);
		buf_reset(&edited);
		buf_add(&edited, out.data, (size_t)(at - out.data));
		buf_adds(&edited, edits[i][1]);
		buf_adds(&edited, at + strlen(edits[i][0]));
		zone_verify(&zone, NOW, edited.data, edited.len, 4096, results);
		assert_int_not_equal(results[0].result, AUTH_PASS);
	}
	buf_free(&edited);
	buf_free(&out);
}

/* -- what cannot be signed -- */

static void
no_facts(void **state)
{
	static const char *const rows[][2] = {
	    {"To: a@b.test\n\n", "no From field"},
	    {"From: a@b.test\nFrom: a@b.test\n\n", "several From fields"},
	    {"From: a@b.test, c@d.test\n\n", "several mailboxes in From"},
	    {"From: friends: ;\n\n", "no mailbox in From"},
	    {"From:\n\n", "no mailbox in From"},
	    {"From: root\n\n", "no domain in From"},
	    {"From: a@b.test\nnonsense\n\n", "the header section is malformed"},
	    {"From: a@@b.test\n\n", "From cannot be read"},
	    {"From: a@b.test\nSubject: a\rb\n\n",
		"a bare CR or NUL in the header section"},
	};
	struct dkim_facts facts;
	struct buf big = BUF_INIT(1 << 20);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_string_equal(
		    facts_of(rows[i][0], strlen(rows[i][0]), &facts),
		    rows[i][1]);
		buf_free(&facts.fields);
	}
	buf_adds(&big, "From: a@b.test\nTo: ");
	for (size_t i = 0; i < 4000; i++)
		buf_adds(&big, "somebody@b.test,\n ");
	buf_adds(&big, "somebody@b.test\n\n");
	assert_string_equal(facts_of(big.data, big.len, &facts),
	    "the header fields are too big to be signed");
	buf_free(&facts.fields);
	buf_reset(&big);
	buf_adds(&big, "From: a@b.test\n");
	for (size_t i = 0; i < 250; i++)
		buf_adds(&big, "To: a@b.test\n");
	assert_string_equal(
	    facts_of(big.data, big.len, &facts), "too many fields");
	buf_free(&facts.fields);
	buf_free(&big);
}

/* What somebody else says are facts: nothing but what we make ourselves. */
static void
false_facts(void **state)
{
	static const char *const edits[][3] = {
	    {"from:Ann", "from:Eve <eve@example.test>\r\nfrom:Ann",
		"several From fields"},
	    {"from:Ann <ann@example.test>\r\n", "", "no From field"},
	    {"\r\nfrom\r\n", "\r\n", "a field could be added"},
	    {"subject\r\n", "", "a field could be added"},
	    {"subject\r\n", "subject\r\nsubject\r\n", "a field could be added"},
	    {"from:Ann <ann", "from:Ann <eve", "From is another"},
	    {"from:Ann <ann@example.test>", "from:a@b.test, ann@example.test",
		"several mailboxes in From"},
	    {"from:Ann", "From:Ann", "a field could be added"},
	    {"from:Ann", "from: Ann", "a field is not in its canonical form"},
	    {"from:Ann ", "from:Ann  ", "a field is not in its canonical form"},
	    {"from:Ann ", "from:Ann\t", "a field is not in its canonical form"},
	    {"from:Ann ", "from:Ann\n ",
		"a field is not in its canonical form"},
	    {"more\r\n", "more \r\n", "a field is not in its canonical form"},
	    {"subject:", "subject :", "a field could be added"},
	    {"content-type\r\n", "content-type\r\nsender\r\n",
		"a field could be added"},
	    {"content-transfer-encoding\r\n",
		"content-transfer-encoding\r\nlist-id\r\n",
		"a field's absence is signed that may be added"},
	    {"content-transfer-encoding\r\n",
		"content-transfer-encoding\r\nx-other:y\r\n",
		"something else among the fields"},
	    {"content-transfer-encoding\r\n",
		"content-transfer-encoding\r\ndkim-signature:y\r\n",
		"something else among the fields"},
	    {"content-transfer-encoding\r\n",
		"content-transfer-encoding\r\nsubject:y\r\n",
		"something else among the fields"},
	    {"content-transfer-encoding\r\n", "content-transfer-encoding\n",
		"a field could be added"},
	};
	struct dkim_facts facts;
	struct buf good, out = BUF_INIT(4096);

	(void)state;
	assert_null(facts_of(plain, sizeof(plain) - 1, &facts));
	assert_null(dkim_facts_check(&facts));
	good = facts.fields;
	for (size_t i = 0; i < sizeof(edits) / sizeof(*edits); i++) {
		const char *at = strstr(buf_text(&good), edits[i][0]);
		const char *wrong;

		assert_non_null(at);
		facts.fields = BUF_INIT(DKIM_FIELDS_MAX);
		buf_add(&facts.fields, good.data, (size_t)(at - good.data));
		buf_adds(&facts.fields, edits[i][1]);
		buf_adds(&facts.fields, at + strlen(edits[i][0]));
		wrong = dkim_facts_check(&facts);
		assert_non_null(wrong);
		assert_string_equal(wrong, edits[i][2]);
		assert_false(
		    dkim_sign(&facts, "example.test", "r", NOW, rsa, &out));
		buf_free(&facts.fields);
	}
	assert_int_equal(out.len, 0);
	buf_free(&out);
	buf_free(&good);
}

static void
domains_and_keys(void **state)
{
	static const struct {
		const char *from, *domain, *selector;
		bool good;
	} rows[] = {
	    {"a@example.test", "example.test", "s", true},
	    {"a@EXAMPLE.test", "Example.Test", "a.b_c-1", true},
	    {"a@x.example.test", "example.test", "s", true},
	    {"a@x.example.test", "y.example.test", "s", false},
	    {"a@badexample.test", "example.test", "s", false},
	    {"a@example.test", "x.example.test", "s", false},
	    {"a@example.test", "test", "s", false},
	    {"a@example.test", "", "s", false},
	    {"a@example.test", "example.test", "", false},
	    {"a@example.test", "example.test", "s; i=x", false},
	    {"a@[192.0.2.1]", "192.0.2.1", "s", false},
	};
	EVP_PKEY *weak = EVP_RSA_gen(1016), *other = EVP_EC_gen("P-256");
	struct dkim_facts facts;
	struct buf out = BUF_INIT(8192);
	char message[200];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		snprintf(
		    message, sizeof(message), "From: %s\n\nx\n", rows[i].from);
		assert_null(facts_of(message, strlen(message), &facts));
		buf_reset(&out);
		assert_int_equal(dkim_sign(&facts, rows[i].domain,
				     rows[i].selector, NOW, rsa, &out),
		    rows[i].good);
		assert_int_equal(out.len > 0, rows[i].good);
		assert_false(dkim_sign(
		    &facts, rows[i].domain, rows[i].selector, NOW, weak, &out));
		assert_false(dkim_sign(&facts, rows[i].domain, rows[i].selector,
		    NOW, other, &out));
		buf_free(&facts.fields);
	}
	assert_false(dkim_key_record(other, &out));
	EVP_PKEY_free(weak);
	EVP_PKEY_free(other);
	buf_free(&out);
}

/* -- whatever the message is, both its signatures are good -- */

static void
add_random(struct buf *b, size_t n, const char *octets)
{
	size_t kinds = strlen(octets);

	for (size_t i = 0; i < n; i++)
		buf_addc(b, octets[(size_t)rand() % kinds]);
}

static void
random_message(struct buf *b)
{
	static const char *const names[] = {"To", "Subject", "CC", "x-y",
	    "References", "Reply-To", "Content-Type", "List-Id", "Received"};

	buf_reset(b);
	for (size_t n = (size_t)rand() % 8; n > 0; n--) {
		buf_adds(b, names[(size_t)rand() % 9]);
		add_random(b, (size_t)rand() % 3, " \t");
		buf_addc(b, ':');
		for (size_t k = (size_t)rand() % 4; k > 0; k--) {
			add_random(b, (size_t)rand() % 90,
			    "ab \t,;=\"\xc3\xa4:<>\x1b");
			buf_adds(b, "\n ");
		}
		add_random(b, (size_t)rand() % 40, "ab  c");
		buf_addc(b, '\n');
	}
	buf_adds(b, "FROM : \"A\" <a@sub.example.test> \n\n");
	add_random(b, (size_t)rand() % 3000, "abcdefgh  \t\n.\xe4\r");
	add_random(b, (size_t)rand() % 6, "\n ");
}

static void
random_messages(void **state)
{
	struct buf message = BUF_INIT(1 << 20), out;

	(void)state;
	srand(8463);
	for (size_t i = 0; i < 300; i++) {
		random_message(&message);
		sign(&out, message.data, message.len);
		all_are(&out, AUTH_PASS);
		buf_free(&out);
	}
	buf_free(&message);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(round_trip),
	    cmocka_unit_test(folding),
	    cmocka_unit_test(what_is_allowed),
	    cmocka_unit_test(what_is_not),
	    cmocka_unit_test(no_facts),
	    cmocka_unit_test(false_facts),
	    cmocka_unit_test(domains_and_keys),
	    cmocka_unit_test(random_messages),
	};

	return cmocka_run_group_tests_name(
	    "dkim-sign", tests, make_keys, drop_keys);
}
