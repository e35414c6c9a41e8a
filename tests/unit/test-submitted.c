/* SPDX-License-Identifier: ISC */
/* Whom a message that is handed in is from, and what it lacks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "smtpd/strip.h"
#include "smtpd/submitted.h"

static void
read_text(const char *text, struct header_section *h)
{
	header_init(h);
	header_take(h, text, strlen(text));
	header_end(h);
}

static const struct row {
	const char *header;
	enum policy_from from;
	const char *authors; /* field address| */
} rows[] = {
    {"From: A <a@b.test>\n", FROM_CLEAR, "From a@b.test|"},
    {"Subject: x\n", FROM_ABSENT, ""},
    {"", FROM_ABSENT, ""},
    {"From: a@b.test, c@d.test\nSender: e@f.test\n", FROM_CLEAR,
	"From a@b.test|From c@d.test|Sender e@f.test|"},
    /* every one of them, whoever shows which */
    {"From: a@b.test\nSubject: x\nFROM: v@victim.test\n", FROM_CLEAR,
	"From a@b.test|From v@victim.test|"},
    {"From: a@b.test\nFrom : v@victim.test\n", FROM_CLEAR,
	"From a@b.test|From v@victim.test|"},
    {"From:\n a@b.test,\n\tv@victim.test\n", FROM_CLEAR,
	"From a@b.test|From v@victim.test|"},
    {"From: a@b.test\nFrom: (comment\n", FROM_UNCLEAR, "From a@b.test|"},
    {"From: G: a@b.test;\n", FROM_UNCLEAR, ""},
    {"From: a@b.test <v@victim.test>\n", FROM_UNCLEAR, ""},
    /* lines that are no fields, for us */
    {"From: a@b.test\nno field\nFrom: v@victim.test\n", FROM_CLEAR,
	"From a@b.test|From v@victim.test|"},
    {" From: v@victim.test\nFrom: a@b.test\n", FROM_UNCLEAR, "From a@b.test|"},
    {"From: a@b.test\nFr\x01om: v@victim.test\n", FROM_UNCLEAR,
	"From a@b.test|"},
    {"From: a@b.test\nFrom\n : v@victim.test\n", FROM_CLEAR,
	"From a@b.test|From v@victim.test|"},
    {"no field\nSubject: x\n", FROM_ABSENT, ""},
    {"\tFrom: v@victim.test\nSubject: x\n", FROM_UNCLEAR, ""},
    /* sent on: whoever sent it first, and the newest block */
    {"Resent-From: a@b.test\nResent-To: c@d.test\nFrom: v@victim.test\n"
     "Sender: w@victim.test\n",
	FROM_CLEAR,
	"From v@victim.test|Sender w@victim.test|Resent-From a@b.test|"},
    {"Resent-From: v@victim.test\nFrom: a@b.test\n", FROM_CLEAR,
	"From a@b.test|Resent-From v@victim.test|"},
    {"Resent-From: nonsense\nFrom: a@b.test\n", FROM_UNCLEAR,
	"From a@b.test|"},
    {"Resent-From: a@b.test\n", FROM_ABSENT, "Resent-From a@b.test|"},
    /* where not all see the same fields, nothing more is */
    {"no field\nResent-From: a@b.test\nFrom: v@victim.test\n", FROM_CLEAR,
	"From v@victim.test|"},
}, resent_rows[] = {
    /* sent on: the newest block */
    {"Resent-From: a@b.test\nResent-To: c@d.test\nFrom: v@victim.test\n",
	FROM_CLEAR, "Resent-From a@b.test|"},
    {"Received: x\nResent-Date: x\nresent-sender: s@b.test\n"
     "Resent-From: a@b.test\nReceived: y\nResent-From: v@victim.test\n"
     "From: w@victim.test\n",
	FROM_CLEAR, "Resent-From a@b.test|Resent-Sender s@b.test|"},
    {"Resent-From: a@b.test\nResent-From: v@victim.test\nFrom: w@v.test\n",
	FROM_CLEAR, "Resent-From a@b.test|"},
    {"Resent-To: c@d.test\nFrom: v@victim.test\n", FROM_CLEAR,
	"From v@victim.test|"},
    {"Resent-To: c@d.test\nReceived: y\nResent-From: a@b.test\n"
     "From: v@victim.test\n",
	FROM_CLEAR, "From v@victim.test|"},
    {"Resent-From: v@victim.test, a@b.test\nFrom: a@b.test\n", FROM_CLEAR,
	"Resent-From v@victim.test|Resent-From a@b.test|"},
    {"Resent-From: nonsense\nFrom: a@b.test\n", FROM_UNCLEAR, ""},
    /* where not all see the same fields, nothing stands in for From */
    {"no field\nResent-From: a@b.test\nFrom: v@victim.test\n", FROM_CLEAR,
	"From v@victim.test|"},
};

static void
check_rows(const struct row *r, size_t n, bool sent_on)
{
	for (size_t i = 0; i < n; i++) {
		struct header_section h;
		struct submitted said;
		struct buf found = BUF_INIT(4096);

		read_text(r[i].header, &h);
		submitted_read(&h, sent_on, &said);
		for (size_t j = 0; j < said.n; j++)
			buf_addf(&found, "%s %s|", said.authors[j].field,
			    said.authors[j].address);
		if (said.from != r[i].from ||
		    strcmp(buf_text(&found), r[i].authors) != 0)
			fail_msg("%zu: %s: %d, %s", i, r[i].header,
			    said.from, buf_text(&found));
		buf_free(&found);
		header_free(&h);
	}
}

static void
who_is_meant(void **state)
{
	(void)state;
	check_rows(rows, sizeof(rows) / sizeof(*rows), false);
	check_rows(
	    resent_rows, sizeof(resent_rows) / sizeof(*resent_rows), true);
}

static void
so_many_and_no_more(void **state)
{
	struct buf text = BUF_INIT(4096);
	struct header_section h;
	struct submitted said;
	struct policy_author author = {.said = &said, .field = "From"};
	char why[200];

	(void)state;
	buf_adds(&text, "From: a0@b.test, a0@b.test");
	for (int i = 1; i < 100; i++)
		buf_addf(&text, ", a%d@b.test", i);
	buf_adds(&text, "\n");
	read_text(buf_text(&text), &h);
	submitted_read(&h, false, &said);
	assert_int_equal(said.from, FROM_CLEAR);
	assert_int_equal(said.n, SUBMITTED_AUTHORS_MAX + 1);
	assert_string_equal(said.authors[1].address, "a1@b.test");
	author.address = said.authors[SUBMITTED_AUTHORS_MAX].address;
	submitted_explain(&author, "x@b.test", why, sizeof(why));
	assert_string_equal(why, "more than 16 addresses in From");
	author.address = said.authors[0].address;
	submitted_explain(&author, "\xc3\xa4@b.test", why, sizeof(why));
	assert_string_equal(why,
	    "<a0@b.test> in From is no address that ??@b.test may send as");
	header_free(&h);
	buf_free(&text);
}

#define DATE "Date: Thu, 1 Jan 1970 00:00:00 +0000\n"
#define ID   "Message-ID: <1@h.test>\n"

static const struct {
	const char *header, *own, *added;
} lacks[] = {
    {"From: a@b.test\n", "a@b.test", DATE ID},
    {"From: a@b.test\ndate : x\n", "a@b.test", ID},
    {"From: a@b.test\nDate: x\nMESSAGE-id: x\n", "a@b.test", ""},
    {"Subject: x\n", "a@b.test", "From: <a@b.test>\n" DATE ID},
    {"no field\n", "a@b.test", "From: <a@b.test>\n" DATE ID},
    /* whom a client of relay-from is from, only that knows */
    {"From: x@y.test\n", NULL, DATE ID},
    {"Subject: x\n", NULL, ""},
    {"From: a@b.test\nno field\n", "a@b.test", ""},
    {" From: v@victim.test\n", "a@b.test", ""},
};

static void
what_is_missing(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lacks) / sizeof(*lacks); i++) {
		struct header_section h;
		struct buf added = BUF_INIT(4096);

		read_text(lacks[i].header, &h);
		submitted_complete(&h, lacks[i].own, "1", 0, "h.test", &added);
		assert_string_equal(buf_text(&added), lacks[i].added);
		buf_free(&added);
		header_free(&h);
	}
}

static void
what_is_cut_out(void **state)
{
	static const char *const names[] = {
	    "Bcc: x@y.test\n", "bcc : x\n", "Resent-BCC:\n x@y.test\n"};
	const struct policy_client login = {.logged_in = true};
	const struct policy_client relay = {.relay_from = true};
	struct header_section h;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		read_text(names[i], &h);
		assert_int_equal(h.n, 1);
		assert_true(strip_field(h.fields, "h.test", &login, false));
		assert_false(strip_field(h.fields, "h.test", &relay, false));
		header_free(&h);
	}
	read_text("Bccx: x@y.test\n", &h);
	assert_false(strip_field(h.fields, "h.test", &login, false));
	header_free(&h);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_is_meant),
	    cmocka_unit_test(so_many_and_no_more),
	    cmocka_unit_test(what_is_missing),
	    cmocka_unit_test(what_is_cut_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
