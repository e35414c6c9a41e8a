/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "build.h"
#include "mailauth/authres.h"

/* -- whose field it is (A17) -- */

struct row {
	const char *octets;
	size_t n;
};

#define ROW(octets)                                                            \
	{                                                                      \
		octets, sizeof(octets) - 1                                     \
	}

static void
run(const struct row *rows, size_t n, const char *host, bool expected)
{
	for (size_t i = 0; i < n; i++) {
		struct header_section h;

		header_init(&h);
		header_take(&h, rows[i].octets, rows[i].n);
		header_end(&h);
		assert_int_equal(h.n, 1);
		if (authres_claims(&h.fields[0], host) != expected)
			fail_msg("%s: %s", rows[i].octets,
			    expected ? "is let pass" : "is cut out");
		header_free(&h);
	}
}

#define RUN(rows, host, expected)                                              \
	run(rows, sizeof(rows) / sizeof(*(rows)), host, expected)

static void
ours(void **state)
{
	static const struct row rows[] = {
	    ROW("Authentication-Results: mx.example.org; none"),
	    ROW("Authentication-Results: mx.example.org"),
	    ROW("Authentication-Results:mx.example.org;spf=pass\n"),
	    ROW("AUTHENTICATION-results: MX.Example.ORG; dmarc=pass\n"),
	    ROW("Authentication-Results : mx.example.org; none"),
	    ROW("Authentication-Results:\n mx.example.org\n ; none"),
	    ROW("Authentication-Results: (a) mx.example.org (b) ; none"),
	    ROW("Authentication-Results: (a(b)\\)c)\n\tmx.example.org;"),
	    ROW("Authentication-Results: \"mx.example.org\"; none"),
	    ROW("Authentication-Results: \"mx\\.exa\\mple.org\"; none"),
	    ROW("Authentication-Results: mx.example.org 1; none"),
	    ROW("Authentication-Results: mx.example.org (x) 99 (y); none"),
	    ROW("Authentication-Results: mx.example.org.; none"),
	    ROW("Authentication-Results: \"mx.example.org.\" 1; none"),
	    /* letters of full width, which IDNA takes for the plain ones */
	    ROW("Authentication-Results: \"mx.e\xef\xbd\x98"
		"ample.org\"; none"),
	    ROW("Authentication-Results: mx\xef\xbc\x8e"
		"example.org; none"),
	};

	(void)state;
	RUN(rows, "mx.example.org", true);
	RUN(rows, "MX.example.org.", true);
}

/* What cannot be read may be taken for ours by somebody. */
static void
unreadable(void **state)
{
	static const struct row rows[] = {
	    ROW("Authentication-Results:"),
	    ROW("Authentication-Results: ; spf=pass"),
	    ROW("Authentication-Results: \"\"; spf=pass"),
	    ROW("Authentication-Results: spf=pass smtp.mailfrom=a.test"),
	    ROW("Authentication-Results: (mx.example.org; none"),
	    ROW("Authentication-Results: \"mx.example.org; none"),
	    ROW("Authentication-Results: other.test x; none"),
	    ROW("Authentication-Results: other.test mx.example.org; none"),
	    ROW("Authentication-Results: other.test, mx.example.org; none"),
	    ROW("Authentication-Results: other.test/1; none"),
	    ROW("Authentication-Results: other.test\"x\"; none"),
	    ROW("Authentication-Results: mx.(x)example.org; none"),
	    ROW("Authentication-Results: mx.\n example.org; none"),
	    ROW("Authentication-Results: other.test2 1x; none"),
	    ROW("Authentication-Results: mx.example.org..; none"),
	    ROW("Authentication-Results: =?utf-8?q?mx.example.org?=; none"),
	    ROW("Authentication-Results: mx.example.org\0; none"),
	    ROW("Authentication-Results: \0mx.example.org; none"),
	    ROW("Authentication-Results: \"mx.example.org\0\"; none"),
	    ROW("Authentication-Results: mx.example.org\x1b; none"),
	    ROW("Authentication-Results: mx.ex\xff"
		"ample.org; none"),
	    ROW("Authentication-Results: mx%2eexample.org; none"),
	};

	(void)state;
	RUN(rows, "mx.example.org", true);
	RUN(rows, "elsewhere.test", true);
}

static void
not_ours(void **state)
{
	static const struct row rows[] = {
	    ROW("Authentication-Results: other.test; none"),
	    ROW("Authentication-Results: other.test 1; none"),
	    ROW("Authentication-Results: \"other.test\" (mx.example.org);"),
	    ROW("Authentication-Results: a.mx.example.org; none"),
	    ROW("Authentication-Results: example.org; none"),
	    ROW("Authentication-Results: notmx.example.org; none"),
#ifdef HAVE_IDN2
	    ROW("Authentication-Results: b\xc3\xbc"
		"cher.test; none"),
#endif
	    ROW("ARC-Authentication-Results: mx.example.org; none"),
	    ROW("X-Authentication-Results: mx.example.org; none"),
	    ROW("Subject: mx.example.org"),
	};

	(void)state;
	RUN(rows, "mx.example.org", false);
}

static void
internationalised(void **state)
{
#ifdef HAVE_IDN2
	static const struct row rows[] = {
	    ROW("Authentication-Results: \"b\xc3\xbc"
		"cher.test\"; none"),
	    ROW("Authentication-Results: B\xc3\x9c"
		"CHER.test; none"),
	    ROW("Authentication-Results: xn--bcher-KVA.test; none"),
	};

	(void)state;
	RUN(rows, "xn--bcher-kva.test", true);
	RUN(rows,
	    "b\xc3\xbc"
	    "cher.test",
	    true);
	RUN(rows, "bucher.test", false);
#else
	/* What cannot be read may be ours. */
	static const struct row rows[] = {
	    ROW("Authentication-Results: b\xc3\xbc"
		"cher.test; none"),
	};

	(void)state;
	RUN(rows, "elsewhere.test", true);
#endif
}

/* -- ours, as we write it -- */

static void
write(const struct judgement *judgement, const char *expected)
{
	struct buf out = BUF_INIT(64 * 1024);

	assert_true(authres_write(&out, "mx.example.org", judgement));
	assert_string_equal(buf_text(&out), expected);
	buf_free(&out);
}

static void
all_is_well(void **state)
{
	static const struct judgement judgement = {
	    .helo = {.result = AUTH_NONE, .domain = "out.example.com"},
	    .sender = {.result = AUTH_PASS, .domain = "example.com"},
	    .nsignatures = 2,
	    .signatures = {{.result = AUTH_PASS,
			       .domain = "example.com",
			       .selector = "s1",
			       .algorithm = "rsa-sha256",
			       .begin = "AbC+/=12"},
		{.result = AUTH_FAIL,
		    .reason = "the body hash does not match",
		    .domain = "list.example.net",
		    .selector = "k._x",
		    .algorithm = "ed25519-sha256",
		    .begin = "abcd"}},
	    .dmarc = {.result = AUTH_PASS,
		.domain = "example.com",
		.policy_domain = "example.com",
		.policy = DMARC_REJECT,
		.disposition = DMARC_QUARANTINE},
	};

	(void)state;
	write(&judgement,
	    "Authentication-Results: mx.example.org;\n"
	    "\tspf=none smtp.helo=out.example.com;\n"
	    "\tspf=pass smtp.mailfrom=example.com;\n"
	    "\tdkim=pass header.d=example.com header.s=s1 "
	    "header.a=rsa-sha256\n"
	    "\theader.b=\"AbC+/=12\";\n"
	    "\tdkim=fail reason=\"the body hash does not match\"\n"
	    "\theader.d=list.example.net header.s=k._x "
	    "header.a=ed25519-sha256\n"
	    "\theader.b=abcd;\n"
	    "\tdmarc=pass header.from=example.com policy.dmarc=quarantine\n");
}

static void
nothing_is_there(void **state)
{
	static const struct judgement judgement = {
	    .dmarc = {.result = AUTH_FAIL,
		.reason = "several From fields",
		.disposition = DMARC_REJECT},
	};

	(void)state;
	write(&judgement,
	    "Authentication-Results: mx.example.org;\n"
	    "\tdkim=none;\n"
	    "\tdmarc=fail reason=\"several From fields\"\n");
}

static void
bounce(void **state)
{
	static const struct judgement judgement = {
	    .helo = {.result = AUTH_PASS, .domain = "out.example.com"},
	    .sender = {.result = AUTH_PASS, .domain = "out.example.com"},
	    .null_sender = true,
	    .dmarc = {.result = AUTH_NONE,
		.domain = "example.com",
		.reason = "no policy is published"},
	};

	(void)state;
	write(&judgement,
	    "Authentication-Results: mx.example.org;\n"
	    "\tspf=pass smtp.helo=out.example.com;\n"
	    "\tdkim=none;\n"
	    "\tdmarc=none reason=\"no policy is published\" "
	    "header.from=example.com\n");
}

/* What peers wrote: quoted, or left out (A8). */
static void
nothing_stands_raw(void **state)
{
	static const struct judgement judgement = {
	    .sender = {.result = AUTH_PERMERROR,
		.domain = "a.test; dmarc=pass",
		.reason = "unknown term \"x\\\""},
	    .nsignatures = 2,
	    .signatures = {{.result = AUTH_PERMERROR,
			       .reason = "bad\r\nX-Evil: 1",
			       .domain = "a\nb.test",
			       .selector = "(s)",
			       .algorithm = "\x1b[1m",
			       .begin = "\xff"},
		{.result = AUTH_PASS, .partial = true, .domain = "b.test"}},
	    .dmarc = {.result = AUTH_NONE, .domain = ""},
	};

	(void)state;
	write(&judgement,
	    "Authentication-Results: mx.example.org;\n"
	    "\tspf=permerror reason=\"unknown term \\\"x\\\\\\\"\"\n"
	    "\tsmtp.mailfrom=\"a.test; dmarc=pass\";\n"
	    "\tdkim=permerror header.s=\"(s)\";\n"
	    "\tdkim=pass reason=\"a part of the body is not signed\" "
	    "header.d=b.test;\n"
	    "\tdmarc=none\n");
}

static void
long_ones(void **state)
{
	static struct judgement judgement;
	struct buf out = BUF_INIT(64 * 1024), small = BUF_INIT(100);
	size_t column = 0;

	(void)state;
	judgement.nsignatures = DKIM_SIGNATURES_MAX;
	for (size_t i = 0; i < DKIM_SIGNATURES_MAX; i++) {
		struct dkim_result *r = &judgement.signatures[i];

		memset(r->domain, '"', sizeof(r->domain) - 1);
		memset(r->selector, '\\', sizeof(r->selector) - 1);
		memset(r->reason, '\\', sizeof(r->reason) - 1);
		memset(r->algorithm, '"', sizeof(r->algorithm) - 1);
		memset(r->begin, '"', sizeof(r->begin) - 1);
	}
	assert_true(authres_write(&out, "mx.example.org", &judgement));
	for (size_t i = 0; i < out.len; i++) {
		column = out.data[i] == '\n' ? 0 : column + 1;
		assert_true(column <= 998);
	}
	assert_true(out.len < 16 * 1024);
	assert_false(authres_write(&small, "mx.example.org", &judgement));
	buf_free(&out);
	buf_free(&small);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ours),
	    cmocka_unit_test(unreadable),
	    cmocka_unit_test(not_ours),
	    cmocka_unit_test(internationalised),
	    cmocka_unit_test(all_is_well),
	    cmocka_unit_test(nothing_is_there),
	    cmocka_unit_test(bounce),
	    cmocka_unit_test(nothing_stands_raw),
	    cmocka_unit_test(long_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
