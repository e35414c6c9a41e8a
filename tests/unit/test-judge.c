/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "mailauth/judge.h"
#include "tests/unit/dkim-zone.h"

enum { NOW = 1764500000 };

static const char message[] = "From: Ann <ann@example.test>\n"
			      "To: bob@example.net\n"
			      "Subject: Words\n"
			      "\n"
			      "Hello,\nthis is it.\n";

static EVP_PKEY *key;
static struct buf record = BUF_INIT(4096);
static struct buf signature = BUF_INIT(4096); /* of the message */
static struct dkim_zone zone;
static struct judgement judgement;

static struct dkim_zone
fresh_zone(void)
{
	return (struct dkim_zone){.status = DNS_FOUND,
	    .n = 4,
	    .records = {{"k._domainkey.example.test", buf_text(&record)},
		{"mail.example.test", "v=spf1 ip4:192.0.2.1 -all"},
		{"_dmarc.example.test", "v=DMARC1; p=quarantine"},
		{"list.test", "v=spf1 ip4:192.0.2.0/24 -all"}}};
}

static int
make_key_and_signature(void **state)
{
	struct dkim_signer *s = dkim_sign_begin();
	struct dkim_facts facts;
	struct header_section h;
	size_t used;

	(void)state;
	key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	assert_true(dkim_key_record(key, &record));
	header_init(&h);
	used = header_take(&h, message, sizeof(message) - 1);
	dkim_sign_body(s, message + used, sizeof(message) - 1 - used);
	assert_null(dkim_sign_end(s, &h, &facts));
	assert_true(
	    dkim_sign(&facts, "example.test", "k", NOW, key, &signature));
	dkim_sign_free(s);
	buf_free(&facts.fields);
	header_free(&h);
	return 0;
}

static int
drop(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	buf_free(&record);
	buf_free(&signature);
	judgement_free(&judgement);
	return 0;
}

static enum dns_status
no_alias(void *context, const char *name, char target[DNS_NAME_MAX + 1])
{
	(void)context;
	(void)name;
	(void)target;
	return DNS_NO_DATA;
}

/* What is signed, with or without a signature, from such an envelope. */
static void
judge_text(const char *text, bool with_signature, const char *client,
    const char *sender)
{
	const struct resolver resolver = {
	    .txt = zone_txt, .alias = no_alias, .context = &zone};
	const struct mailauth m = {.resolver = &resolver, .now = NOW + 1};
	struct spf_query spf = {.helo = "mail.example.test",
	    .sender = sender,
	    .receiver = "mx.example.net"};
	struct sockaddr_in *address = (struct sockaddr_in *)&spf.client;
	struct buf all = BUF_INIT(1 << 16);
	struct header_section h;
	struct judge *j;
	size_t used;

	address->sin_family = AF_INET;
	assert_int_equal(inet_pton(AF_INET, client, &address->sin_addr), 1);
	if (with_signature)
		buf_add(&all, signature.data, signature.len);
	assert_true(buf_adds(&all, text));
	header_init(&h);
	used = header_take(&h, all.data, all.len);
	header_end(&h);
	j = judge_begin(&m, &spf, &h);
	assert_non_null(j);
	for (size_t at = used; at < all.len; at++)
		judge_body(j, all.data + at, 1);
	judgement_free(&judgement);
	judge_end(j, &judgement);
	judge_free(j);
	header_free(&h);
	buf_free(&all);
}

static void
expect(enum auth_result helo, enum auth_result sender, enum auth_result dkim,
    enum auth_result dmarc, enum dmarc_policy disposition)
{
	enum auth_result signed_by = judgement.nsignatures == 0
	    ? AUTH_NONE
	    : judgement.signatures[0].result;

	if (judgement.helo.result != helo ||
	    judgement.sender.result != sender || signed_by != dkim ||
	    judgement.dmarc.result != dmarc ||
	    judgement.dmarc.disposition != disposition)
		fail_msg("helo=%s mailfrom=%s dkim=%s dmarc=%s (%s) %s",
		    auth_result_name(judgement.helo.result),
		    auth_result_name(judgement.sender.result),
		    auth_result_name(signed_by),
		    auth_result_name(judgement.dmarc.result),
		    judgement.dmarc.reason,
		    dmarc_policy_name(judgement.dmarc.disposition));
}

static void
straight(void **state)
{
	(void)state;
	zone = fresh_zone();
	judge_text(message, true, "192.0.2.1", "ann@mail.example.test");
	expect(AUTH_PASS, AUTH_PASS, AUTH_PASS, AUTH_PASS, DMARC_QUARANTINE);
	assert_true(judgement.dmarc.spf_aligned);
	assert_true(judgement.dmarc.dkim_aligned);
	assert_null(judgement.no_author);
	judge_text(message, false, "192.0.2.1", "ann@mail.example.test");
	expect(AUTH_PASS, AUTH_PASS, AUTH_NONE, AUTH_PASS, DMARC_QUARANTINE);
	assert_false(judgement.dmarc.dkim_aligned);
}

static void
forwarded(void **state)
{
	(void)state;
	zone = fresh_zone();
	judge_text(message, true, "198.51.100.1", "ann@mail.example.test");
	expect(AUTH_FAIL, AUTH_FAIL, AUTH_PASS, AUTH_PASS, DMARC_QUARANTINE);
	assert_false(judgement.dmarc.spf_aligned);
}

static void
through_a_list(void **state)
{
	static const char altered[] = "From: Ann <ann@example.test>\n"
				      "To: bob@example.net\n"
				      "Subject: [list] Words\n"
				      "\n"
				      "Hello,\nthis is it.\n-- \nlist\n";

	(void)state;
	zone = fresh_zone();
	judge_text(altered, true, "192.0.2.9", "bounce@list.test");
	expect(AUTH_FAIL, AUTH_PASS, AUTH_FAIL, AUTH_FAIL, DMARC_QUARANTINE);
	assert_string_equal(judgement.dmarc.domain, "example.test");
}

/* HELO counts for DMARC with the null path alone (RFC 9989 section 3.2.4). */
static void
null_path(void **state)
{
	(void)state;
	zone = fresh_zone();
	judge_text(message, false, "192.0.2.1", "");
	expect(AUTH_PASS, AUTH_PASS, AUTH_NONE, AUTH_PASS, DMARC_QUARANTINE);
	assert_true(judgement.null_sender && judgement.dmarc.spf_aligned);
	assert_string_equal(judgement.sender.domain, "mail.example.test");
	/* HELO, _dmarc of example.test and test, of mail.example.test */
	assert_int_equal(zone.asked, 4);
	judge_text(message, false, "192.0.2.1", "x@list.test");
	expect(AUTH_PASS, AUTH_PASS, AUTH_NONE, AUTH_FAIL, DMARC_QUARANTINE);
	assert_false(judgement.null_sender);
}

/* What nothing depends on takes no time from the rest. */
static void
helo_is_asked_about_last(void **state)
{
	(void)state;
	zone = fresh_zone();
	judge_text(message, true, "192.0.2.1", "x@list.test");
	expect(AUTH_PASS, AUTH_PASS, AUTH_PASS, AUTH_PASS, DMARC_QUARANTINE);
	assert_string_equal(judgement.helo.domain, "mail.example.test");
	assert_string_equal(zone.last, "mail.example.test");
}

static void
no_author(void **state)
{
	(void)state;
	zone = fresh_zone();
	judge_text("Subject: x\n\n", false, "192.0.2.1", "a@list.test");
	expect(AUTH_PASS, AUTH_PASS, AUTH_NONE, AUTH_FAIL, DMARC_QUARANTINE);
	assert_ptr_equal(judgement.no_author, dmarc_no_from);
	assert_string_equal(judgement.dmarc.reason, "no From field");
	assert_string_equal(judgement.dmarc.domain, "");
	assert_string_equal(judgement.dmarc.policy_domain, "");
	judge_text("From: ann@example.test\nFrom: eve@list.test\n\n", false,
	    "192.0.2.1", "ann@mail.example.test");
	expect(AUTH_PASS, AUTH_PASS, AUTH_NONE, AUTH_FAIL, DMARC_REJECT);
	assert_string_equal(judgement.no_author, "several From fields");
}

static void
dead_dns(void **state)
{
	(void)state;
	zone = fresh_zone();
	zone.status = DNS_TEMPORARY;
	judge_text(message, true, "192.0.2.1", "ann@mail.example.test");
	expect(AUTH_TEMPERROR, AUTH_TEMPERROR, AUTH_TEMPERROR, AUTH_TEMPERROR,
	    DMARC_NONE);
	assert_string_equal(judgement.dmarc.policy_domain, "");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(straight),
	    cmocka_unit_test(forwarded),
	    cmocka_unit_test(through_a_list),
	    cmocka_unit_test(null_path),
	    cmocka_unit_test(helo_is_asked_about_last),
	    cmocka_unit_test(no_author),
	    cmocka_unit_test(dead_dns),
	};

	return cmocka_run_group_tests(tests, make_key_and_signature, drop);
}
