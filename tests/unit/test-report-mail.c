/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tools/report-mail.h"
#include "tools/report-uri.h"

/* Reports on their way out: addresses, XML, the message. */

/* -- URIs -- */

static const struct {
	const char *uri, *address; /* NULL: none */
} uris[] = {
    {"mailto:a@b.test", "a@b.test"},
    {" \tMailTo:a@B.test ", "a@b.test"},
    {"mailto:a@b.test!10m", "a@b.test"},
    {"mailto:a@b.test?subject=x&body=y", "a@b.test"},
    {"mailto:a%21b@b.test", "a!b@b.test"},
    {"mailto:a%", NULL},
    {"mailto:a%4@b.test", NULL},
    {"mailto:a%00@b.test", NULL},
    {"mailto:a%0ab@b.test", NULL},
    {"mailto:a@[192.0.2.1]", NULL},
    {"mailto:a@b c.test", NULL},
    {"mailto:@b.test", NULL},
    {"mailto:", NULL},
    {"mailto", NULL},
    {"https://b.test/a@b.test", NULL},
    {"", NULL},
};

static void
addresses_in_uris(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(uris) / sizeof(*uris); i++) {
		char text[ADDRESS_TEXT_MAX + 1] = "none";
		struct address a;

		if (uri_read(uris[i].uri, strlen(uris[i].uri), &a))
			address_format(&a, text);
		if (strcmp(text,
			uris[i].address != NULL ? uris[i].address : "none") !=
		    0)
			fail_msg("%s: %s", uris[i].uri, text);
	}
}

/* -- XML -- */

static void
texts_are_escaped(void **state)
{
	struct buf out = BUF_INIT(1000);

	(void)state;
	xml_element(&out, "x", "a<b>&\"c\xc3\xbc");
	assert_string_equal(
	    buf_text(&out), "<x>a&lt;b&gt;&amp;&quot;c\xc3\xbc</x>\n");
	buf_reset(&out);
	xml_element(&out, "x", "\1\n\x7f\xc2\x85\xef\xbf\xbe\xff\xed\xa0\x80");
	assert_string_equal(buf_text(&out), "<x>???????\?\?</x>\n");
	buf_free(&out);
}

/* -- the message -- */

static void
ids_are_letters_and_digits(void **state)
{
	char id[REPORT_ID_SIZE], again[REPORT_ID_SIZE], other[REPORT_ID_SIZE];

	(void)state;
	report_id(id, "mx.test", "a.test", 20000);
	report_id(again, "mx.test", "a.test", 20000);
	assert_string_equal(id, again);
	assert_int_equal(strspn(id, "0123456789abcdefx"), strlen(id));
	report_id(other, "mx.testa", ".test", 20000);
	assert_string_not_equal(id, other);
	report_id(other, "mx.test", "a.test", 20001);
	assert_string_not_equal(id, other);
}

static void
a_message(void **state)
{
	struct config config = {.hostname = (char *)(uintptr_t) "mx.test"};
	struct report_facts facts = {.id = "20000x1",
	    .domain = "a.test",
	    .begin = 1728000000,
	    .end = 1728086399};
	struct buf xml = BUF_INIT(1000), out = BUF_INIT(10000);
	struct report_mail mail = {.config = &config,
	    .facts = &facts,
	    .from = "f@mx.test",
	    .to = "t@a.test",
	    .xml = &xml};
	const char *text;

	(void)state;
	for (int i = 0; i < 100; i++)
		buf_adds(&xml, "<x/>");
	assert_true(mail_write(&mail, &out));
	text = buf_text(&out);
	assert_non_null(strstr(text,
	    "\nSubject: Report Domain: a.test\n\tSubmitter: mx.test\n"
	    "\tReport-ID: <20000x1>\n"));
	assert_non_null(strstr(text,
	    "\tfilename=\"mx.test!a.test!1728000000!1728086399!20000x1.xml\""));
	assert_non_null(strstr(text, "came in on 2024-10-04 (UTC)"));
	while (text != NULL && *text != '\0') {
		assert_true(strcspn(text, "\n") <= 78);
		text = strchr(text, '\n') + 1;
	}
	buf_free(&xml);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses_in_uris),
	    cmocka_unit_test(texts_are_escaped),
	    cmocka_unit_test(ids_are_letters_and_digits),
	    cmocka_unit_test(a_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
