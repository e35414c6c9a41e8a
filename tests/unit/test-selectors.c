/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/dkim_facts.h"
#include "common/selectors.h"
#include "common/signature.h"

/* DKIM keys' lists, and what is said about signing in packets. */

static bool
parse(const char *text, struct selectors *s)
{
	return selectors_parse(text, strlen(text), s);
}

static void
lists(void **state)
{
	static const char *const bad[] = {"a rsa active 1", "a rsa active\n",
	    "a dsa active 1\n", "a rsa used 1\n", "a rsa active -1\n",
	    "a rsa active 1 \n", "a  rsa active 1\n", "A rsa active 1\n",
	    "../a rsa active 1\n", "-a rsa active 1\n", "a.b rsa active 1\n",
	    "\n", "a rsa active 99999999999999999999\n",
	    "a rsa active 1\na rsa waiting 1\n",
	    "a rsa active 1\nb rsa active 1\n"};
	struct selectors s;

	(void)state;
	assert_true(parse("", &s) && s.n == 0);
	assert_true(parse("2026-11-rsa rsa retired 5\n"
			  "2026-11-ed25519 ed25519 active 6\n"
			  "b rsa active 7\nc rsa waiting 8\n",
	    &s));
	assert_int_equal(s.n, 4);
	assert_string_equal(selectors_active(&s, SELECTOR_RSA)->name, "b");
	assert_string_equal(
	    selectors_active(&s, SELECTOR_ED25519)->name, "2026-11-ed25519");
	assert_int_equal(selectors_find(&s, "c")->state, SELECTOR_WAITING);
	assert_int_equal(selectors_find(&s, "2026-11-rsa")->since, 5);
	assert_null(selectors_find(&s, "d"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse(bad[i], &s))
			fail_msg("\"%s\" was taken", bad[i]);
}

static void
too_many(void **state)
{
	char text[1024] = "";
	struct selectors s;

	(void)state;
	for (int i = 0; i < SELECTORS_MAX; i++)
		sprintf(text + strlen(text), "s%d rsa retired 1\n", i);
	assert_true(parse(text, &s));
	strcat(text, "t rsa retired 1\n");
	assert_false(parse(text, &s));
}

static void
domains(void **state)
{
	static const char *const bad[] = {"", ".", "..", "../x", "a..b", "a.",
	    ".a", "a/b", "a b", "-a.test", "[127.0.0.1]", "a\nb", "a\\b",
	    "a*.test"};
	char out[DNS_NAME_MAX + 1], label[80];

	(void)state;
	assert_true(selectors_domain("Lists.Example.TEST", out));
	assert_string_equal(out, "lists.example.test");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (selectors_domain(bad[i], out))
			fail_msg("\"%s\" was taken", bad[i]);
	memset(label, 'a', 64);
	label[64] = '\0';
	assert_false(selectors_domain(label, out));
	label[63] = '\0';
	assert_true(selectors_domain(label, out));
}

static void
files_come_back(void **state)
{
	char folder[] = "/tmp/test-selectors-XXXXXX";
	char record[SELECTOR_RECORD_MAX + 1], name[64];
	struct selectors s, again;
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), *read;
	int dkim, domain;

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_true((dkim = selectors_open(folder, true)) >= 0);
	assert_int_equal(selectors_open_domain(dkim, "b.test", false), -1);
	domain = selectors_open_domain(dkim, "b.test", true);
	assert_true(domain >= 0);
	assert_int_equal(selectors_read(domain, &s), 0);
	assert_int_equal(s.n, 0);
	assert_true(parse("a rsa active 5\nb ed25519 waiting 6\n", &s));
	assert_int_equal(selectors_write(domain, &s), 0);
	assert_int_equal(selectors_read(domain, &again), 0);
	assert_memory_equal(&again.items[1], &s.items[1], sizeof(s.items[1]));
	assert_int_equal(selectors_write_key(domain, "b", key), 0);
	assert_non_null(read = selectors_read_key(domain, "b"));
	assert_int_equal(EVP_PKEY_eq(key, read), 1);
	assert_null(selectors_read_key(domain, "a"));
	assert_int_equal(selectors_write_record(domain, "b", "v=DKIM1"), 0);
	assert_int_equal(selectors_read_record(domain, "b", record), 0);
	assert_string_equal(record, "v=DKIM1");
	/* It is printed between quotes. */
	assert_int_equal(selectors_write_record(domain, "b", "a\"b"), 0);
	assert_int_equal(selectors_read_record(domain, "b", record), -1);
	assert_int_equal(selectors_remove_files(domain, "b"), 0);
	assert_int_equal(selectors_remove_files(domain, "b"), 0);
	assert_null(selectors_read_key(domain, "b"));
	unlinkat(domain, "selectors", 0);
	close(domain);
	close(dkim);
	EVP_PKEY_free(key);
	EVP_PKEY_free(read);
	snprintf(name, sizeof(name), "%s/dkim/b.test", folder);
	rmdir(name);
	snprintf(name, sizeof(name), "%s/dkim", folder);
	rmdir(name);
	assert_int_equal(rmdir(folder), 0);
}

/* In parts of any number: what is read is what was written. */
static void
facts_in_packets(void **state)
{
	static struct packet p;
	const size_t sizes[] = {
	    1, DKIM_FIELDS_PART, DKIM_FIELDS_PART + 1, DKIM_FIELDS_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct dkim_facts f = {.from = "a@b.test",
				      .body = {0, 255, 16},
				      .fields = BUF_INIT(DKIM_FIELDS_MAX)},
				  again;
		const char *from, *body, *fields;
		uint64_t more;
		size_t at, parts = 1;
		const struct attribute first[] = {
		    ATTRIBUTE_TEXT("from", 400, &from),
		    ATTRIBUTE_TEXT("body", DKIM_HASH_HEX, &body),
		    ATTRIBUTE_TEXT("fields", DKIM_FIELDS_PART, &fields),
		    ATTRIBUTE_NUMBER_OPTIONAL("more", &more)};

		for (size_t n = 0; n < sizes[i]; n++)
			buf_addc(&f.fields, (char)(n % 255 + 1));
		packet_start(&p, "x");
		at = dkim_facts_write(&p, &f, 0);
		assert_true(packet_read(&p, "x", first, 4, 0));
		assert_true(dkim_facts_begin(&again, from, body, fields));
		for (; at > 0; parts++) {
			packet_start(&p, "x");
			at = dkim_facts_write(&p, &f, at);
			assert_true(packet_read(&p, "x", first + 2, 2, 0));
			assert_true(dkim_facts_more(&again, fields));
			assert_int_equal(more, at > 0);
		}
		assert_int_equal(parts,
		    (sizes[i] + DKIM_FIELDS_PART - 1) / DKIM_FIELDS_PART);
		assert_string_equal(again.from, f.from);
		assert_memory_equal(again.body, f.body, DKIM_HASH_SIZE);
		assert_int_equal(again.fields.len, f.fields.len);
		assert_memory_equal(
		    again.fields.data, f.fields.data, f.fields.len);
		assert_int_equal(
		    dkim_facts_more(&again, "x"), sizes[i] < DKIM_FIELDS_MAX);
		buf_free(&f.fields);
		buf_free(&again.fields);
	}
}

static void
tags_of_a_signature(void **state)
{
	static const char field[] =
	    "DKIM-Signature: v=1; a=rsa-sha256; ad=no;\n"
	    "\td =\n b.test ; s=x y; b=d=e;h";
	char out[SIGNATURE_TAG_MAX + 1];

	(void)state;
	assert_true(signature_is_field(field));
	signature_tag(field, "d", out);
	assert_string_equal(out, "b.test");
	signature_tag(field, "s", out);
	assert_string_equal(out, "xy");
	signature_tag(field, "b", out);
	assert_string_equal(out, "d=e");
	signature_tag(field, "h", out);
	assert_string_equal(out, "");
	signature_tag(field, "z", out);
	assert_string_equal(out, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lists),
	    cmocka_unit_test(too_many),
	    cmocka_unit_test(domains),
	    cmocka_unit_test(files_come_back),
	    cmocka_unit_test(facts_in_packets),
	    cmocka_unit_test(tags_of_a_signature),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
