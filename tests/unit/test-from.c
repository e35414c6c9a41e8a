/* SPDX-License-Identifier: ISC */
/* From that two readers may understand differently (A16). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "build.h"
#include "mailauth/dmarc.h"
#include "mailauth/from.h"

static const char *
read_section(const char *octets, size_t n, char domain[DNS_NAME_MAX + 1])
{
	struct header_section h;
	const char *wrong;

	header_init(&h);
	header_take(&h, octets, n);
	header_end(&h);
	wrong = dmarc_from(&h, domain);
	header_free(&h);
	return wrong;
}

struct row {
	const char *octets;
	size_t n;
	const char *expected; /* domain, or what is wrong */
};

#define ROW(octets, expected)                                                  \
	{                                                                      \
		octets, sizeof(octets) - 1, expected                           \
	}

static void
run(const struct row *rows, size_t n, bool good)
{
	for (size_t i = 0; i < n; i++) {
		char domain[DNS_NAME_MAX + 1];
		const char *wrong =
		    read_section(rows[i].octets, rows[i].n, domain);

		if ((wrong == NULL) != good ||
		    strcmp(good ? domain : wrong, rows[i].expected) != 0)
			fail_msg("%s: %s \"%s\", not \"%s\"", rows[i].octets,
			    wrong == NULL ? "good" : wrong, domain,
			    rows[i].expected);
		if (!good)
			assert_string_equal(domain, "");
	}
}

#define RUN(rows, good) run(rows, sizeof(rows) / sizeof(*(rows)), good)

static void
plain(void **state)
{
	static const struct row rows[] = {
	    ROW("From: joe@example.test\n", "example.test"),
	    ROW("from:joe@EXAMPLE.Test", "example.test"),
	    ROW("Subject: x\nFrom: <joe@example.test>\nTo: y\n",
		"example.test"),
	    ROW("From: Joe Q. Public <joe@example.test>", "example.test"),
	    ROW("From: joe@example.test (Joe (Q.) Public)", "example.test"),
	    ROW("From: (Joe) joe@example.test", "example.test"),
	    ROW("From: Joe (at work) <joe@example.test>", "example.test"),
	    ROW("From: \"Public, Joe\" <joe@example.test>", "example.test"),
	    ROW("From: \"Joe \\\"Q\\\" Public\" <joe@example.test>",
		"example.test"),
	    ROW("From: Joe [staff] < joe@example.test >", "example.test"),
	    ROW("From: \"Joe\" [at work] <joe@example.test>", "example.test"),
	    ROW("From: [x] \"joe@work\" <joe@example.test>", "example.test"),
	    ROW("From: =?utf-8?q?J=C3=B6?= [x] <joe@example.test>",
		"example.test"),
	    ROW("From: =?utf-8?b?SsO2?= [x] <joe@example.test>",
		"example.test"),
	    ROW("From:\n Joe\n\t<joe@example.test>", "example.test"),
	    ROW("From: =?utf-8?q?J=C3=B6=2C_x?= <joe@example.test>",
		"example.test"),
	    ROW("From: =?utf-8?Q?P,_J:;?= <joe@example.test>", "example.test"),
	    ROW("From: \"joe q\"@example.test", "example.test"),
	    ROW("From: j..oe.@example.test", "example.test"),
	    ROW("From: =joe?=@example.test", "example.test"),
	    ROW("From: reply+0123456789012345678901234567890123456789"
		"012345678901234567890123456789@example.test",
		"example.test"),
#ifdef HAVE_IDN2
	    ROW("From: J\xc3\xb6 <j\xc3\xb6@b\xc3\xbc"
		"cher.test>",
		"xn--bcher-kva.test"),
#endif
	    ROW("From: J\xf6 <joe@example.test>", "example.test"),
	    ROW("From joe Mon Jan 1\nFrom: joe@example.test", "example.test"),
	    /* the name may say what it likes */
	    ROW("From: \"admin@victim.test\" <joe@example.test>",
		"example.test"),
	    ROW("From: \"<admin@victim.test>\" <joe@example.test>",
		"example.test"),
	    ROW("From: \"Joe, admin@victim.test via list\" <l@example.test>",
		"example.test"),
	    ROW("From: joe@example.test <JOE@example.test>", "example.test"),
#ifdef HAVE_IDN2
	    /* look-alikes are who they are: Cyrillic */
	    ROW("From: a@\xd0\xb5xample.test", "xn--xample-2of.test"),
#endif
	};

	(void)state;
	RUN(rows, true);
}

static void
which_field(void **state)
{
	static const struct row rows[] = {
	    ROW("", "no From field"),
	    ROW("Subject: x\nSender: a@b.test\n", "no From field"),
	    ROW("From: a@b.test\nFrom: a@b.test\n", "several From fields"),
	    ROW("From: a@b.test\nSubject: x\nFROM: v@victim.test\n",
		"several From fields"),
	    ROW("From: a@b.test\nFrom : v@victim.test\n",
		"several From fields"),
	    ROW("From : a@b.test\n", "blank before the colon of From"),
	    ROW("From\t: a@b.test\n", "blank before the colon of From"),
	    /* seen by some, and no field for others */
	    ROW(" From: v@victim.test\nFrom: a@b.test\n",
		"several From fields"),
	    ROW("From\n : v@victim.test\nFrom: a@b.test\n",
		"several From fields"),
	    ROW("From: a@b.test\nFrom\n : v@victim.test\n",
		"several From fields"),
	    ROW("From: a@b.test\nFrom\0: v@victim.test\n",
		"several From fields"),
	    ROW("From: a@b.test\n\0From: v@victim.test\n",
		"several From fields"),
	    ROW("From: a@b.test\nFr om: v@victim.test\n",
		"several From fields"),
	    ROW("From: a@b.test\n\xef\xbb\xbf"
		"From: v@victim.test\n",
		"several From fields"),
	    ROW(" From: v@victim.test\nTo: a@b.test\n",
		"From that is no field"),
	    ROW("To: a@b.test\nFrom\n : v@victim.test\n",
		"blank before the colon of From"),
	    ROW("no field\nFrom: a@b.test\n",
		"From behind a line that is no field"),
	    ROW("From x\nno field\nFrom: a@b.test\n",
		"From behind a line that is no field"),
	};
	static const struct row good[] = {
	    ROW("From: a@b.test\nno field\nX: y\n", "b.test"),
	    ROW("From x\nFrom: a@b.test\nno field\n", "b.test"),
	    ROW("From: a@b.test\nno field\nFromage: y\n", "b.test"),
	};

	(void)state;
	RUN(rows, false);
	RUN(good, true);
}

static void
several_mailboxes(void **state)
{
	static const char several[] = "several mailboxes in From";
	static const struct row rows[] = {
	    ROW("From: a@b.test, v@victim.test", several),
	    ROW("From: <a@b.test>,<v@victim.test>", several),
	    ROW("From: a@b.test, a@b.test", several),
	    ROW("From: , a@b.test", several),
	    ROW("From: <a@b.test>,", several),
	    ROW("From: admin, <a@b.test>", several),
	    ROW("From: a@b.test (Joe), v@victim.test", several),
	    ROW("From: \"Joe\", a@b.test", several),
	    ROW("From: =?utf-8?q?a?=, a@b.test", several),
	    ROW("From: =?utf-8?q?v@victim.test,?= <a@b.test>", several),
	    ROW("From: <a@b.test> <v@victim.test>",
		"something behind the address in From"),
	    ROW("From: <a@b.test> v@victim.test",
		"something behind the address in From"),
	    ROW("From: v@victim.test <a@b.test>", "two addresses in From"),
	    ROW("From: a@b.test Joe <a@b.test>", "two addresses in From"),
	    ROW("From: =?utf-8?q?v@victim.test?= <a@b.test>",
		"two addresses in From"),
	    ROW("From: nobody:;", "group in From"),
	    ROW("From: x: a@b.test;", "group in From"),
	    ROW("From: a@b.test;", "group in From"),
	    ROW("From: Re: x <a@b.test>", "group in From"),
	};

	(void)state;
	RUN(rows, false);
}

static void
odd_addresses(void **state)
{
	static const char bad[] = "bad address in From";
	static const struct row rows[] = {
	    ROW("From:", "no address in From"),
	    ROW("From: \t ", "no address in From"),
	    ROW("From: <>", "no address in From"),
	    ROW("From: (Joe)", "no address in From"),
	    ROW("From: root", "no domain in From"),
	    ROW("From: Joe <joe>", "no domain in From"),
	    ROW("From: =?utf-8?b?YWRtaW5AdmljdGltLnRlc3Q=?=",
		"encoded word in the address of From"),
	    ROW("From: <=?utf-8?q?v=40victim.test=3e?=@b.test>",
		"encoded word in the address of From"),
	    ROW("From: a@=?utf-8?q?b.test?=",
		"encoded word in the address of From"),
	    ROW("From: @b.test", bad),
	    ROW("From: a@", bad),
	    ROW("From: a@b.test.", bad),
	    ROW("From: a@.b.test", bad),
	    ROW("From: a@b..test", bad),
	    ROW("From: a@b.test@victim.test", bad),
	    ROW("From: <a@b.test@victim.test>", bad),
	    ROW("From: \"v@victim.test\"@b.test", bad),
	    ROW("From: \"v\\\"@victim.test>\"@b.test",
		"address behind a backslash in From"),
	    ROW("From: \"\"@b.test", bad),
	    ROW("From: <@victim.test:a@b.test>", bad),
	    ROW("From: <@a.test,@victim.test:a@b.test>", bad),
	    ROW("From: a @b.test", bad),
	    ROW("From: a@ b.test", bad),
	    ROW("From: <a@b.test\n .victim.test>", bad),
	    ROW("From: a@b\n .test", bad),
	    ROW("From: a@b.test(.victim.test)x", bad),
	    ROW("From: a(x)@b.test", bad),
	    ROW("From: Joe a@b.test", bad),
	    ROW("From: <a%victim.test@>", bad),
	    ROW("From: <a@b.test/victim.test>", bad),
	    ROW("From: <v@victim.test<a@b.test>", bad),
	    ROW("From: a@[192.0.2.1]", "address literal in From"),
	    /* a full stop and letters of full width, an invisible one */
	    ROW("From: a@b\xef\xbc\x8etest", bad),
	    ROW("From: a@\xef\xbd\x82.test", bad),
	    ROW("From: a@b\xe2\x80\x8b.test", bad),
	    ROW("From: a@b\xfc.test", bad),
	};

	(void)state;
	RUN(rows, false);
}

static void
quotes_comments_and_octets(void **state)
{
	static const char control[] = "control character in From";
	static const struct row rows[] = {
	    ROW("From: \"Joe <a@b.test>",
		"quoted string without its end in From"),
	    ROW("From: \"Joe\\\" <a@b.test>",
		"quoted string without its end in From"),
	    ROW("From: \"x\\\" <v@victim.test> \\\"\" <a@b.test>",
		"address behind a backslash in From"),
	    ROW("From: Joe <a@b.test", "no > behind the address in From"),
	    ROW("From: \"v@victim.test\"[x]<a@b.test>",
		"bracket behind an address in From"),
	    ROW("From: \"v@victim.test\" x ] <a@b.test>",
		"bracket behind an address in From"),
	    ROW("From: =?utf-8?q?v=40victim.test?= [x] <a@b.test>",
		"bracket behind an address in From"),
	    ROW("From: =?utf-8?B?dkB2aWN0aW0udGVzdA==?=[x] <a@b.test>",
		"bracket behind an address in From"),
	    ROW("From: =?utf-8?b?dkB2aWN0aW0udGVzdA?= [x] <a@b.test>",
		"bracket behind an address in From"),
	    ROW("From: Joe a@b.test>", "unreadable From"),
	    ROW("From: Joe\\ <a@b.test>", "unreadable From"),
	    ROW("From: a@b.test )", "unreadable From"),
	    ROW("From: a@b.test (x", "comment without its end in From"),
	    ROW("From: a@b.test ((x)", "comment without its end in From"),
	    ROW("From: (v@victim.test) <a@b.test>",
		"address in a comment of From"),
	    ROW("From: <v@victim.test>(<a@b.test>)",
		"address in a comment of From"),
	    ROW("From: <a@b.test> (x\\)", "address in a comment of From"),
	    ROW("From: <v@victim.test>\0<a@b.test>", control),
	    ROW("From: v@victim.test\0.b.test", control),
	    ROW("From: a@b.test\r", control),
	    ROW("From: \x1b$B<a@b.test>", control),
	    ROW("From: a@b.test\x7f", control),
	    ROW("From:\n \n a@b.test", "blank line in From"),
	    ROW("From: v@victim.test\n \n a@b.test", "blank line in From"),
	    ROW("From: a@b.test\n  ", "blank line in From"),
	    ROW("From: \"\x83\\\" <a@b.test>", "unreadable From"),
	};

	(void)state;
	RUN(rows, false);
}

static void
too_big(void **state)
{
	size_t n = HEADER_SECTION_MAX + 100;
	char *octets = malloc(n), domain[DNS_NAME_MAX + 1];

	(void)state;
	assert_non_null(octets);
	memset(octets, 'a', n);
	memcpy(octets, "From: a@b.test\nX: ", 18);
	assert_string_equal(
	    read_section(octets, n, domain), "header section too big");
	free(octets);
}

static bool
join(const struct address *address, void *context)
{
	char text[ADDRESS_TEXT_MAX + 1];

	address_format(address, text);
	buf_addf(context, "%s|", text);
	return true;
}

/* What is said of each of several, where several are right. */
static void
each_of_a_list(void **state)
{
	static const struct {
		const char *value, *found;
		bool good;
	} rows[] = {
	    {"a@b.test", "a@b.test|", true},
	    {" Joe <Joe@B.test> (at home)", "Joe@b.test|", true},
	    {"a@b.test, Joe <c@d.test>,\n \"x, y\" <e@f.test>",
		"a@b.test|c@d.test|e@f.test|", true},
	    {"=?utf-8?q?a,b?= <a@b.test>, c@d.test", "a@b.test|c@d.test|",
		true},
	    {"\"a b\"@c.test", "\"a b\"@c.test|", true},
	    {"a@b.test,", "a@b.test|", false},
	    {",a@b.test", "", false},
	    {"a@b.test c@d.test", "", false},
	    {"a@b.test <c@d.test>", "", false},
	    {"a@b.test, v@victim.test <c@d.test>", "a@b.test|", false},
	    {"a@b.test (v@victim.test), c@d.test", "", false},
	    {"<@v.test,@w.test:a@b.test>", "", false},
	    {"Friends: a@b.test, c@d.test;", "", false},
	    {"Nobody:;", "", false},
	    {"<a@b.test> <c@d.test>", "", false},
	    {"a@b.test; c@d.test", "", false},
	    {"\"a@b.test", "", false},
	    {"", "", false},
	    /* a long local part is nobody's */
	    {"0123456789012345678901234567890123456789012345678901234567890123"
	     "4@b.test",
		"", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct buf found = BUF_INIT(4096);
		struct span value = {rows[i].value, strlen(rows[i].value)};
		const char *wrong = from_each(value, join, &found);

		if ((wrong == NULL) != rows[i].good ||
		    strcmp(buf_text(&found), rows[i].found) != 0)
			fail_msg("%s: %s, %s", rows[i].value,
			    wrong != NULL ? wrong : "good", buf_text(&found));
		buf_free(&found);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain),
	    cmocka_unit_test(which_field),
	    cmocka_unit_test(several_mailboxes),
	    cmocka_unit_test(odd_addresses),
	    cmocka_unit_test(quotes_comments_and_octets),
	    cmocka_unit_test(too_big),
	    cmocka_unit_test(each_of_a_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
