/* SPDX-License-Identifier: ISC */
/* What is demanded of a host, and what follows when it does not meet that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/ipc.h"
#include "deliver/policy.h"
#include "deliver/sts.h"

/* -- the decision -- */

#define NO_DANE    .dane = DANE_NONE
#define ENFORCED   .sts = STS_ENFORCE, .sts_listed = true
#define RELAY(how) .relay = true, .relay_tls = RELAY_TLS_##how

/* Facts, what is demanded, and the steps after the events in their order:
 * not offered, denied, broken, unverified, injected.  Clear, Again (in the
 * clear), Defer. */
static const struct {
	const char *name;
	struct policy_facts facts;
	enum policy_level level;
	const char *source;
	const char *after;
} table[] = {
    {"none", {NO_DANE}, POLICY_ANY, "none", "CCAAD"},
    {"none, port 465", {NO_DANE, .implicit = true}, POLICY_ANY, "none",
	"DDDDD"},
    {"none, broken lately", {NO_DANE, .broken = true}, POLICY_CLEAR, "none",
	"DDDDD"},
    {"none, broken, 465", {NO_DANE, .broken = true, .implicit = true},
	POLICY_ANY, "none", "DDDDD"},
    {"an address", {.dane = DANE_NOT_ASKED}, POLICY_ANY, "none", "CCAAD"},
    {"no trusted resolver", {.dane = DANE_NO_RESOLVER}, POLICY_ANY, "none",
	"CCAAD"},
    {"DANE, MX insecure", {.dane = DANE_MX_INSECURE}, POLICY_ANY, "none",
	"CCAAD"},
    {"DANE, host insecure", {.dane = DANE_HOST_INSECURE}, POLICY_ANY, "none",
	"CCAAD"},
    {"DANE, TLSA insecure", {.dane = DANE_RECORD_INSECURE}, POLICY_ANY, "none",
	"CCAAD"},
    {"DANE usable", {.dane = DANE_USABLE}, POLICY_DANE, "dane", "DDDDD"},
    {"DANE usable, broken", {.dane = DANE_USABLE, .broken = true}, POLICY_DANE,
	"dane", "DDDDD"},
    {"DANE all unusable", {.dane = DANE_UNUSABLE}, POLICY_TLS, "dane", "DDDDD"},
    {"DANE unusable, broken", {.dane = DANE_UNUSABLE, .broken = true},
	POLICY_TLS, "dane", "DDDDD"},
    {"DANE bogus", {.dane = DANE_UNANSWERED}, POLICY_REFUSE, "dane", "DDDDD"},
    {"STS testing", {NO_DANE, .sts = STS_TESTING, .sts_listed = true},
	POLICY_ANY, "sts", "CCAAD"},
    {"STS testing, not named", {NO_DANE, .sts = STS_TESTING}, POLICY_ANY, "sts",
	"CCAAD"},
    {"STS enforce", {NO_DANE, ENFORCED}, POLICY_STS, "sts", "DDDDD"},
    {"STS enforce, broken", {NO_DANE, ENFORCED, .broken = true}, POLICY_STS,
	"sts", "DDDDD"},
    {"STS enforce, not named", {NO_DANE, .sts = STS_ENFORCE}, POLICY_REFUSE,
	"sts", "DDDDD"},
    {"STS out of reach", {NO_DANE, .sts = STS_UNKNOWN}, POLICY_REFUSE, "sts",
	"DDDDD"},
    {"STS expired, none fetched", {NO_DANE, .sts = STS_NONE}, POLICY_ANY,
	"none", "CCAAD"},
    {"DANE and STS", {.dane = DANE_USABLE, ENFORCED}, POLICY_DANE, "dane",
	"DDDDD"},
    {"DANE, STS names others", {.dane = DANE_USABLE, .sts = STS_ENFORCE},
	POLICY_DANE, "dane", "DDDDD"},
    {"DANE unusable and STS", {.dane = DANE_UNUSABLE, ENFORCED}, POLICY_STS,
	"sts", "DDDDD"},
    {"DANE unusable, STS tests", {.dane = DANE_UNUSABLE, .sts = STS_TESTING},
	POLICY_TLS, "dane", "DDDDD"},
    {"DANE bogus and STS", {.dane = DANE_UNANSWERED, ENFORCED}, POLICY_REFUSE,
	"dane", "DDDDD"},
    {"relay opportunistic", {NO_DANE, RELAY(OPPORTUNISTIC)}, POLICY_ANY,
	"relay", "CCAAD"},
    {"relay required", {NO_DANE, RELAY(REQUIRED)}, POLICY_TLS, "relay",
	"DDDDD"},
    {"relay verified", {NO_DANE, RELAY(VERIFIED)}, POLICY_PKIX, "relay",
	"DDDDD"},
    {"relay verified, DANE", {.dane = DANE_USABLE, RELAY(VERIFIED)},
	POLICY_DANE, "dane", "DDDDD"},
    {"relay verified, unusable", {.dane = DANE_UNUSABLE, RELAY(VERIFIED)},
	POLICY_PKIX, "relay", "DDDDD"},
    {"relay verified, bogus", {.dane = DANE_UNANSWERED, RELAY(VERIFIED)},
	POLICY_REFUSE, "dane", "DDDDD"},
};

static const char *const steps[] = {
    [STEP_CLEAR] = "clear", [STEP_AGAIN] = "again", [STEP_DEFER] = "defer"};
static const char *const levels[POLICY_LEVELS] = {
    "refuse", "clear", "any", "tls", "pkix", "sts", "dane"};

static void
decisions(void **state)
{
	(void)state;
	print_message("%-26s %-7s %-8s not offered, denied, broken, "
		      "unverified, injected\n",
	    "facts", "demand", "verified");
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct policy p;

		policy_decide(&table[i].facts, &p);
		print_message("%-26s %-7s %-8s", table[i].name, levels[p.level],
		    policy_verifier(p.level));
		for (int e = 0; e < POLICY_EVENTS; e++)
			print_message(" %s",
			    steps[policy_after(&p, (enum policy_event)e)]);
		print_message("\n");
		assert_int_equal(p.level, table[i].level);
		assert_string_equal(p.source, table[i].source);
		assert_true(strlen(p.reason) > 0);
		for (int e = 0; e < POLICY_EVENTS; e++)
			assert_int_equal(
			    steps[policy_after(&p, (enum policy_event)e)][0] ^
				32,
			    table[i].after[e]);
	}
}

/* Whatever the facts: who has a policy is never sent to in the clear. */
static void
nothing_downgrades(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 9 * 4 * 16; i++) {
		struct policy_facts f = {.dane = (enum policy_dane)(i % 9),
		    .sts = (enum policy_sts)(i / 9 % 4),
		    .sts_listed = i / 36 & 1,
		    .implicit = i / 36 & 2,
		    .broken = i / 36 & 4};
		bool demands = f.dane >= DANE_USABLE || f.sts == STS_ENFORCE ||
		    f.sts == STS_UNKNOWN;
		struct policy p;

		policy_decide(&f, &p);
		if (!demands)
			continue;
		assert_true(p.level != POLICY_ANY && p.level != POLICY_CLEAR);
		for (int e = 0; e < POLICY_EVENTS; e++)
			assert_int_equal(
			    policy_after(&p, (enum policy_event)e), STEP_DEFER);
	}
}

static void
usable_records(void **state)
{
	static const struct {
		uint8_t usage, selector, matching;
		size_t len;
		bool usable;
	} rows[] = {
	    {3, 1, 1, 32, true},
	    {3, 0, 2, 64, true},
	    {2, 0, 1, 32, true},
	    {2, 1, 0, 300, true},
	    {3, 1, 0, 1, true},
	    {0, 1, 1, 32, false},
	    {1, 1, 1, 32, false},
	    {4, 1, 1, 32, false},
	    {255, 1, 1, 32, false},
	    {3, 2, 1, 32, false},
	    {3, 1, 3, 32, false},
	    {3, 1, 255, 32, false},
	    {3, 1, 1, 31, false},
	    {3, 1, 1, 64, false},
	    {3, 1, 2, 32, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dns_tlsa r = {rows[i].usage, rows[i].selector,
		    rows[i].matching, rows[i].len, NULL};

		assert_int_equal(policy_usable(&r), rows[i].usable);
	}
}

/* -- MTA-STS -- */

static void
sts_records(void **state)
{
	static const struct {
		const char *texts[3];
		const char *id;
	} rows[] = {
	    {{"v=STSv1; id=20160831085700Z;"}, "20160831085700Z"},
	    {{"v=STSv1;id=1"}, "1"},
	    {{"v=STSv1 ; x=y ;\tid=abc ; z=1"}, "abc"},
	    {{"v=spf1 -all", "v=STSv1; id=a;", "hello"}, "a"},
	    {{"v=STSv1; id=a;", "v=STSv1; id=b;"}, NULL},
	    {{"v=STSv1; id=;"}, NULL},
	    {{"v=STSv1; id=a b;"}, NULL},
	    {{"v=STSv1; id=a-b;"}, NULL},
	    {{"v=STSv1"}, NULL},
	    {{"v=STSv1; xid=a"}, NULL},
	    {{"v=STSv2; id=a"}, NULL},
	    {{"v=STSv12; id=a"}, NULL},
	    {{" v=STSv1; id=a"}, NULL},
	    {{""}, NULL},
	    {{"v=STSv1; id=12345678901234567890123456789012"},
		"12345678901234567890123456789012"},
	    {{"v=STSv1; id=123456789012345678901234567890123"}, NULL},
	    {{NULL}, NULL},
	};
	char id[STS_ID_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *texts[3];
		size_t n = 0;

		for (; n < 3 && rows[i].texts[n] != NULL; n++)
			texts[n] = (char *)(uintptr_t)rows[i].texts[n];
		assert_int_equal(sts_record(texts, n, id), rows[i].id != NULL);
		if (rows[i].id != NULL)
			assert_string_equal(id, rows[i].id);
	}
}

static void
sts_patterns(void **state)
{
	static const struct {
		const char *pattern, *host;
		bool matches;
	} rows[] = {
	    {"mx.example.org", "mx.example.org", true},
	    {"mx.example.org", "MX.Example.ORG.", true},
	    {"mx.example.org", "mx2.example.org", false},
	    {"example.org", "mx.example.org", false},
	    {"*.example.org", "mx.example.org", true},
	    {"*.example.org", "a.mx.example.org", false},
	    {"*.example.org", "example.org", false},
	    {"*.example.org", ".example.org", false},
	    {"*", "localhost", false},
	    {"*.", "localhost.", false},
	    {"m*.example.org", "mx.example.org", false},
	    {"mx.*.org", "mx.example.org", false},
	    {"", "", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(sts_matches(rows[i].pattern, rows[i].host),
		    rows[i].matches);
}

static void
sts_answers(void **state)
{
	static struct packet p;

	(void)state;
	packet_start(&p, "sts");
	assert_int_equal(sts_mode(&p), STS_NONE);
	assert_false(sts_lists(&p, "mx.example.org"));
	packet_text(&p, "mode", "enforce");
	packet_text(&p, "id", "1");
	packet_text(&p, "mx", "a.example.org");
	packet_text(&p, "mx", "*.example.net");
	assert_int_equal(sts_mode(&p), STS_ENFORCE);
	assert_true(sts_lists(&p, "a.example.org"));
	assert_true(sts_lists(&p, "b.example.net"));
	assert_false(sts_lists(&p, "b.example.org"));
	packet_start(&p, "sts");
	packet_text(&p, "mode", "testing");
	assert_int_equal(sts_mode(&p), STS_TESTING);
	packet_start(&p, "sts");
	packet_text(&p, "mode", "none");
	assert_int_equal(sts_mode(&p), STS_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(decisions),
	    cmocka_unit_test(nothing_downgrades),
	    cmocka_unit_test(usable_records),
	    cmocka_unit_test(sts_records),
	    cmocka_unit_test(sts_patterns),
	    cmocka_unit_test(sts_answers),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
