/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sendmail/caller.h"
#include "sendmail/header.h"
#include "sendmail/intake.h"
#include "sendmail/options.h"
#include "sendmail/recipients.h"

/* -- options -- */

static const struct {
	const char *line; /* words, separated by "|" */
	const char *wrong;
	enum mode mode;
	bool from_headers, whole;
	const char *sender, *full_name, *first;
	size_t nrecipients;
} lines[] = {
    {"sendmail|ann", NULL, MODE_SEND, false, false, NULL, NULL, "ann", 1},
    /* cron */
    {"/usr/sbin/sendmail|-FCronDaemon|-i|-B8BITMIME|-oem|root", NULL, MODE_SEND,
	false, true, NULL, "CronDaemon", "root", 1},
    /* php */
    {"sendmail|-t|-i|-fweb@example.org", NULL, MODE_SEND, true, true,
	"web@example.org", NULL, NULL, 0},
    /* mutt */
    {"sendmail|-oem|-oi|-f|a@b|--|x@y|z@y", NULL, MODE_SEND, false, true, "a@b",
	NULL, "x@y", 2},
    /* git send-email */
    {"sendmail|-f|a@b|-i|x@y", NULL, MODE_SEND, false, true, "a@b", NULL, "x@y",
	1},
    {"sendmail|-ti", NULL, MODE_SEND, true, true, NULL, NULL, NULL, 0},
    {"sendmail|-itfa@b", NULL, MODE_SEND, true, true, "a@b", NULL, NULL, 0},
    {"sendmail|-o|i|-t", NULL, MODE_SEND, true, true, NULL, NULL, NULL, 0},
    {"sendmail|-O|IgnoreDots=True|x", NULL, MODE_SEND, false, true, NULL, NULL,
	"x", 1},
    {"sendmail|-f||x", NULL, MODE_SEND, false, false, "", NULL, "x", 1},
    {"sendmail|-r|a@b|x", NULL, MODE_SEND, false, false, "a@b", NULL, "x", 1},
    {"sendmail|-N|never|-R|hdrs|-V|envid|x", NULL, MODE_SEND, false, false,
	NULL, NULL, "x", 1},
    {"sendmail|-v|-m|-n|-G|-U|-odb|x", NULL, MODE_SEND, false, false, NULL,
	NULL, "x", 1},
    {"sendmail|-h|3|x", NULL, MODE_SEND, false, false, NULL, NULL, "x", 1},
    /* A9: behind the first address and behind -- nothing is an option. */
    {"sendmail|--|-t|-f|a@b", NULL, MODE_SEND, false, false, NULL, NULL, "-t",
	3},
    {"sendmail|x|-t", NULL, MODE_SEND, false, false, NULL, NULL, "x", 2},
    {"sendmail|-i|--|--", NULL, MODE_SEND, false, true, NULL, NULL, "--", 1},
    {"sendmail|-bs", NULL, MODE_SMTP, false, false, NULL, NULL, NULL, 0},
    {"sendmail|-b|s", NULL, MODE_SMTP, false, false, NULL, NULL, NULL, 0},
    {"sendmail|-bp", NULL, MODE_LIST, false, false, NULL, NULL, NULL, 0},
    {"sendmail|-bi", NULL, MODE_ALIASES, false, false, NULL, NULL, NULL, 0},
    {"sendmail|-I", NULL, MODE_ALIASES, false, false, NULL, NULL, NULL, 0},
    {"sendmail|-q", NULL, MODE_FLUSH, false, false, NULL, NULL, NULL, 0},
    {"/usr/bin/mailq", NULL, MODE_LIST, false, false, NULL, NULL, NULL, 0},
    {"newaliases", NULL, MODE_ALIASES, false, false, NULL, NULL, NULL, 0},
    {"sendmail|-V", NULL, MODE_VERSION, false, false, NULL, NULL, NULL, 0},
    {"sendmail|-h", NULL, MODE_HELP, false, false, NULL, NULL, NULL, 0},
    {"sendmail|-N|sometimes|x", "-N: never, or a list of success,failure,delay",
	MODE_SEND, false, false, NULL, NULL, NULL, 0},
    {"sendmail|-R|body|x", "-R: full or hdrs", MODE_SEND, false, false, NULL,
	NULL, NULL, 0},
    {"sendmail|-V|a\nb|x", "-V: at most 100 printable ASCII characters",
	MODE_SEND, false, false, NULL, NULL, NULL, 0},
    {"sendmail|-bd", "-bd: the daemons are started by postrider(8)", MODE_SEND,
	false, false, NULL, NULL, NULL, 0},
    {"sendmail|-bx", "of -b only -bm, -bs, -bp and -bi are supported",
	MODE_SEND, false, false, NULL, NULL, NULL, 0},
    {"sendmail|-f", "-f needs an argument", MODE_SEND, false, false, NULL, NULL,
	NULL, 0},
    {"sendmail|-Z", "unknown option -Z", MODE_SEND, false, false, NULL, NULL,
	NULL, 0},
    {"sendmail|-q5m", "-q: the queue runs by itself; -q alone flushes it",
	MODE_SEND, false, false, NULL, NULL, NULL, 0},
};

static void
same_text(const char *got, const char *want)
{
	if (want == NULL)
		assert_null(got);
	else
		assert_string_equal(got, want);
}

static void
options_as_others_write_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		char text[200], *argv[20], *next = text;
		int argc = 0;
		struct options o;
		const char *wrong;

		snprintf(text, sizeof(text), "%s", lines[i].line);
		while (next != NULL) {
			argv[argc++] = next;
			next = strchr(next, '|');
			if (next != NULL)
				*next++ = '\0';
		}
		argv[argc] = NULL;
		print_message("%s\n", lines[i].line);
		wrong = options_parse(&o, argc, argv);
		same_text(wrong, lines[i].wrong);
		if (wrong != NULL)
			continue;
		assert_int_equal(o.mode, lines[i].mode);
		assert_int_equal(o.from_headers, lines[i].from_headers);
		assert_int_equal(o.whole, lines[i].whole);
		same_text(o.sender, lines[i].sender);
		same_text(o.full_name, lines[i].full_name);
		if (lines[i].mode >= MODE_VERSION)
			continue;
		assert_int_equal(o.nrecipients, lines[i].nrecipients);
		if (lines[i].nrecipients > 0)
			assert_string_equal(o.recipients[0], lines[i].first);
	}
}

static void
options_about_reports(void **state)
{
	char *argv[] = {
	    "sendmail", "-Nsuccess,delay", "-R", "full", "-Vx y", "z", NULL};
	struct options o;

	(void)state;
	assert_null(options_parse(&o, 6, argv));
	assert_int_equal(o.notify, DSN_SUCCESS | DSN_DELAY);
	assert_int_equal(o.ret, DSN_RET_FULL);
	assert_string_equal(o.envid, "x y");
	assert_null(options_parse(&o, 1, argv));
	assert_int_equal(o.notify, 0);
	assert_int_equal(o.ret, DSN_RET_NONE);
	assert_null(o.envid);
}

/* -- what comes in -- */

#define TEXT(t) (t), sizeof(t) - 1

static const struct {
	const char *in;
	size_t n;
	bool whole;
	const char *out;
	size_t longest, nuls;
	bool eight_bit;
} texts[] = {
    {TEXT("a\nb\n"), false, "a\nb\n", 1, 0, false},
    {TEXT("a\r\nb\r\n"), false, "a\nb\n", 1, 0, false},
    {TEXT("a\rb\r"), false, "a\nb\n", 1, 0, false},
    {TEXT("a\r\r\nb"), false, "a\n\nb\n", 1, 0, false},
    {TEXT("a\n\rb"), false, "a\n\nb\n", 1, 0, false},
    {TEXT("last"), false, "last\n", 4, 0, false},
    {TEXT(""), false, "", 0, 0, false},
    {TEXT("a\n.\nb\n"), false, "a\n", 1, 0, false},
    {TEXT("a\n.\nb\n"), true, "a\n.\nb\n", 1, 0, false},
    {TEXT("a\r\n.\r\nb\n"), false, "a\n", 1, 0, false},
    {TEXT("a\n."), false, "a\n", 1, 0, false},
    {TEXT("a\n."), true, "a\n.\n", 1, 0, false},
    {TEXT("..\n.x\n...\n"), false, "..\n.x\n...\n", 3, 0, false},
    {TEXT("a\0b\0\n\0"), false, "ab\n", 2, 3, false},
    {TEXT("gr\xc3\xbc\xc3\x9f\n"), false, "gr\xc3\xbc\xc3\x9f\n", 6, 0, true},
};

static void
intake_makes_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		/* Whole, and cut at every place. */
		for (size_t cut = 0; cut <= texts[i].n; cut++) {
			struct intake in = {.whole = texts[i].whole};
			struct buf out = BUF_INIT(100);

			if (intake_add(&in, texts[i].in, cut, &out))
				intake_add(&in, texts[i].in + cut,
				    texts[i].n - cut, &out);
			assert_true(intake_end(&in, &out));
			assert_string_equal(buf_text(&out), texts[i].out);
			assert_int_equal(in.longest, texts[i].longest);
			assert_int_equal(in.nuls, texts[i].nuls);
			assert_int_equal(in.eight_bit, texts[i].eight_bit);
			buf_free(&out);
		}
	}
}

static void
intake_has_a_bound(void **state)
{
	struct intake in = {.whole = true};
	struct buf out = BUF_INIT(3);

	(void)state;
	assert_false(intake_add(&in, "abcd", 4, &out));
	assert_false(intake_end(&in, &out));
	buf_free(&out);
}

/* -- the header -- */

#define MINE "From: Ann Example <ann@example.org>\n"
#define DATE "Date: Thu, 1 Jan 1970 00:00:00 +0000\n"
#define ID   "Message-ID: <1@example.org>\n"

static const struct {
	const char *in, *out;
	size_t body;
	uint64_t received;
} headers[] = {
    {"Subject: x\n\nbody\n", "Subject: x\n" MINE DATE ID "\n", 12, 0},
    {"", MINE DATE ID "\n", 0, 0},
    {"\nbody\n", MINE DATE ID "\n", 1, 0},
    {"no header\nat all\n", MINE DATE ID "\n", 0, 0},
    {"From: a@b\nDate: x\nMessage-Id: <i>\n\n",
	"From: a@b\nDate: x\nMessage-Id: <i>\n\n", 35, 0},
    {"FROM : a@b\ndate:x\nMESSAGE-ID:i\n",
	"FROM : a@b\ndate:x\nMESSAGE-ID:i\n\n", 31, 0},
    {"From: a@b\nDate: x\nMessage-Id: <i>",
	"From: a@b\nDate: x\nMessage-Id: <i>\n\n", 33, 0},
    /* What is no field begins the body. */
    {"Subject: x\nThis is text\n", "Subject: x\n" MINE DATE ID "\n", 11, 0},
    {" folded: x\n", MINE DATE ID "\n", 0, 0},
    {": x\n", MINE DATE ID "\n", 0, 0},
    {"From ann Thu Jan  1 00:00:00 1970\nSubject: x\n\nb",
	"Subject: x\n" MINE DATE ID "\n", 46, 0},
    /* Folded lines belong together, also where they are dropped. */
    {"Subject: a\n b\n\tc\nBcc: x@y,\n z@y\nReturn-Path: <x>\nX: y\n\n",
	"Subject: a\n b\n\tc\nX: y\n" MINE DATE ID "\n", 55, 0},
    {"Resent-Bcc: x@y\nResent-To: z@y\nresent-bcc : a@y\n\n",
	"Resent-To: z@y\nResent-" MINE "Resent-" DATE "Resent-" ID "\n", 49,
	0},
    {"Authentication-Results: mail.example.org;\n dkim=pass\n"
     "Authentication-Results: other.test; spf=none\n"
     "authentication-results : (x) MAIL.example.org 1; none\n\n",
	"Authentication-Results: other.test; spf=none\n" MINE DATE ID "\n",
	153, 0},
    {"Received: a\n b\nReceived: c\nX: y\n\n",
	"Received: a\n b\nReceived: c\nX: y\n" MINE DATE ID "\n", 33, 2},
    {"To: root, Bob <bob>\n\n",
	"To: root@example.org, Bob <bob@example.org>\n" MINE DATE ID "\n", 21,
	0},
    {"From: a@b\nResent-To: x\n\n",
	"From: a@b\nResent-To: x@example.org\n"
	"Resent-" MINE "Resent-" DATE "Resent-" ID "\n",
	24, 0},
};

static void
header_is_made_whole(void **state)
{
	const struct header_facts facts = {.full_name = "Ann Example",
	    .address = "ann@example.org",
	    .domain = "example.org",
	    .hostname = "mail.example.org",
	    .date = "Thu, 1 Jan 1970 00:00:00 +0000",
	    .message_id = "<1@example.org>"};

	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		struct header_result result;
		struct buf out = BUF_INIT(4096);

		assert_true(header_rewrite(headers[i].in, strlen(headers[i].in),
		    &facts, &result, &out));
		assert_string_equal(buf_text(&out), headers[i].out);
		assert_int_equal(result.body, headers[i].body);
		assert_int_equal(result.received, headers[i].received);
		buf_free(&out);
	}
}

static const struct {
	const char *in, *out;
} lists[] = {
    {"root", "root@d"},
    {" root", " root@d"},
    {"a@b", "a@b"},
    {"a, b@c ,c", "a@d, b@c ,c@d"},
    {"Bob <bob>", "Bob <bob@d>"},
    {"Bob <bob@x>", "Bob <bob@x>"},
    {"\"a, b\" <bob>", "\"a, b\" <bob@d>"},
    {"\"a@b\" <bob>", "\"a@b\" <bob@d>"},
    {"a@b <bob>", "a@b <bob@d>"},
    {"root (Cron Daemon)", "root@d (Cron Daemon)"},
    {"(x, @y) root", "(x, @y) root@d"},
    {"\"o b\"", "\"o b\"@d"},
    {"a.b", "a.b@d"},
    {"staff: a, b@c;, d", "staff: a@d, b@c;, d@d"},
    {"undisclosed-recipients:;", "undisclosed-recipients:;"},
    {"<>", "<>"},
    {"", ""},
    {",,", ",,"},
    {"<@x,@y:a@b>", "<@x,@y:a@b>"},
    {"u@[127.0.0.1]", "u@[127.0.0.1]"},
    {"two words", "two words"},
    {"\"no end", "\"no end"},
    {"(no end", "(no end"},
    {"<no end", "<no end"},
    {"(a (nested) b) r", "(a (nested) b) r@d"},
    {"a\\", "a\\@d"},
    {"\"\\", "\"\\"},
    {"(\\", "(\\"},
    {"a,\n b", "a@d,\n b@d"},
};

static void
bare_addresses_get_a_domain(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		struct buf out = BUF_INIT(200);

		header_qualify(lists[i].in, strlen(lists[i].in), "d", &out);
		assert_string_equal(buf_text(&out), lists[i].out);
		buf_free(&out);
	}
}

static const struct {
	const char *name, *phrase;
} phrases[] = {
    {"Ann Example", "Ann Example"},
    {"", ""},
    {"J. \"Joe\" Doe", "\"J. \\\"Joe\\\" Doe\""},
    {"root <root@x>", "\"root <root@x>\""},
    {"=?utf-8?B?eA==?=", "\"=?utf-8?B?eA==?=\""},
    {"J\xc3\xbcrgen", "=?utf-8?B?SsO8cmdlbg==?="},
    {"\xff", ""},
    {"a\nBcc: x", ""},
    {"a\rb", ""},
};

static void
names_become_phrases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(phrases) / sizeof(*phrases); i++) {
		struct buf out = BUF_INIT(1000);

		header_phrase(phrases[i].name, &out);
		assert_string_equal(buf_text(&out), phrases[i].phrase);
		buf_free(&out);
	}
}

static void
long_names_are_cut_between_characters(void **state)
{
	struct buf out = BUF_INIT(1000), name = BUF_INIT(200);

	(void)state;
	for (int i = 0; i < 60; i++)
		buf_adds(&name, "\xe2\x82\xac");
	header_phrase(buf_text(&name), &out);
	assert_non_null(strstr(buf_text(&out), "?= =?utf-8?B?4oKs"));
	buf_free(&out);
	buf_free(&name);
}

/* -- recipients -- */

static const struct {
	const char *header, *recipients; /* joined by spaces */
} named[] = {
    {"To: a@b\nCc: c\nBcc: d@e\nFrom: x@y\n\nTo: no@body\n", "a@b c@d d@e"},
    {"To: a@b, A@b, a@B\n\n", "a@b A@b"},
    {"To: a@b\nResent-To: c@d\nResent-Bcc: e@f\n\n", "c@d e@f"},
    {"To: Bob <b@c>,\n\t\"x, y\" <e@f>\n\n", "b@c e@f"},
    {"To: staff: a@b, c;\n\n", "a@b c@d"},
    {"To: undisclosed-recipients:;\n\n", ""},
    {"Subject: none\n\n", ""},
};

static void
header_names_recipients(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++) {
		struct recipients r = {.domain = "d"};
		struct buf all = BUF_INIT(400);

		assert_null(header_recipients(named[i].header,
		    strlen(named[i].header), recipients_add, &r));
		for (size_t k = 0; k < r.n; k++)
			buf_addf(&all, k > 0 ? " %s" : "%s", r.items[k]);
		assert_string_equal(buf_text(&all), named[i].recipients);
		buf_free(&all);
		recipients_free(&r);
	}
}

static void
bad_recipients_are_told(void **state)
{
	struct recipients r = {.domain = "d"};

	(void)state;
	assert_non_null(
	    header_recipients(TEXT("To: a@@b\n\n"), recipients_add, &r));
	assert_non_null(recipients_add_text(&r, ""));
	assert_non_null(recipients_add_text(&r, "a b"));
	assert_non_null(recipients_add_text(&r, "<"));
	assert_int_equal(r.n, 0);
	assert_null(recipients_add_text(&r, "-oQ/tmp"));
	assert_null(recipients_add_text(&r, "|/bin/sh"));
	assert_string_equal(r.items[0], "-oQ/tmp@d");
	recipients_remove(&r, "-oQ/tmp@d");
	assert_int_equal(r.n, 1);
	assert_string_equal(r.items[0], "|/bin/sh@d");
	recipients_free(&r);
}

static void
full_names_from_gecos(void **state)
{
	char name[16];

	(void)state;
	caller_full_name("Ann Example,Room 1,,", "ann", name, sizeof(name));
	assert_string_equal(name, "Ann Example");
	caller_full_name("& Example", "ann", name, sizeof(name));
	assert_string_equal(name, "Ann Example");
	caller_full_name(",,,", "ann", name, sizeof(name));
	assert_string_equal(name, "");
	caller_full_name("&&&&&&&&&&", "ann", name, sizeof(name));
	assert_int_equal(strlen(name), 15);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(options_as_others_write_them),
	    cmocka_unit_test(options_about_reports),
	    cmocka_unit_test(intake_makes_lines),
	    cmocka_unit_test(intake_has_a_bound),
	    cmocka_unit_test(header_is_made_whole),
	    cmocka_unit_test(bare_addresses_get_a_domain),
	    cmocka_unit_test(names_become_phrases),
	    cmocka_unit_test(long_names_are_cut_between_characters),
	    cmocka_unit_test(header_names_recipients),
	    cmocka_unit_test(bad_recipients_are_told),
	    cmocka_unit_test(full_names_from_gecos),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
