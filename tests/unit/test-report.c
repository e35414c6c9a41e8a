/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "queue/notice.h"
#include "queue/report.h"

static const char header[] = "Received: x\nSubject: hi\n\nbody\n";

static void
make_envelope(struct envelope *e, const char *text)
{
	struct outcome o = {.state = RECIPIENT_FAILED,
	    .when = 1700000000,
	    .dsn = "5.1.1",
	    .relay = "mx.example.test[192.0.2.1]:25",
	    .text = text};

	envelope_init(e);
	e->sender = strdup("ann@example.test");
	e->helo = strdup("client.test");
	assert_true(e->sender != NULL && e->helo != NULL);
	assert_true(envelope_add_recipient(e, "bob@example.test", 0));
	assert_true(envelope_add_recipient(e, "gone@example.test", 1));
	assert_true(envelope_note(e, 0, &o));
}

static struct report
about(const struct envelope *e, enum report_kind kind, const char *octets,
    size_t n)
{
	return (struct report){.e = e,
	    .kind = kind,
	    .to = e->sender,
	    .id = "00000000000000aa",
	    .own_id = "00000000000000bb",
	    .hostname = "mail.example.test",
	    .expires = 1700432000,
	    .now = 1700000000,
	    .octets = octets,
	    .n = n};
}

static void
compose(
    struct report *r, const struct envelope *e, const char *octets, size_t n)
{
	*r = about(e, REPORT_FAILURE, octets, n);
	assert_true(report_compose(r));
	assert_non_null(buf_text(&r->text));
}

static void
says_what_must_be_said(void **state)
{
	struct envelope e;
	struct report r;
	const char *text;

	(void)state;
	make_envelope(&e, "550 5.1.1 no such user");
	compose(&r, &e, header, strlen(header));
	text = r.text.data;
	assert_non_null(strstr(text, "Auto-Submitted: auto-replied\n"));
	assert_non_null(strstr(text, "report-type=delivery-status;"));
	assert_non_null(strstr(text, "\nAction: failed\nStatus: 5.1.1\n"));
	assert_non_null(
	    strstr(text, "\nFinal-Recipient: rfc822; bob@example.test\n"));
	assert_non_null(strstr(text, "\nRemote-MTA: dns; mx.example.test\n"));
	assert_non_null(
	    strstr(text, "\nDiagnostic-Code: smtp; 550 5.1.1 no such user\n"));
	assert_non_null(strstr(text, "\nReceived: x\nSubject: hi\n"));
	assert_non_null(
	    strstr(text, "\nReceived-From-MTA: dns; client.test\n"));
	assert_null(strstr(text, "body\n"));
	assert_null(strstr(text, "gone@example.test"));
	assert_null(strstr(text, "Original-"));
	assert_null(strstr(text, "Will-Retry-Until"));
	assert_null(strstr(text, "In-Reply-To"));
	assert_memory_equal(text + r.start, "Date: ", 6);
	assert_false(r.eight_bit || r.utf8);
	buf_free(&r.text);
	envelope_free(&e);
}

/* RFC 3461 section 6.3: what the sender named it by comes back. */
static void
repeats_the_senders_names(void **state)
{
	const struct dsn_recipient asked = {
	    DSN_FAILURE, "utf-8;b\xc3\xbc b+@first.test"};
	struct envelope e;
	struct report r;

	(void)state;
	make_envelope(&e, "no");
	e.envid = strdup("QQ 314");
	assert_true(envelope_ask(&e, 0, &asked));
	compose(&r, &e, header, strlen(header));
	assert_non_null(
	    strstr(r.text.data, "\nOriginal-Envelope-Id: QQ 314\n"));
	assert_non_null(strstr(r.text.data,
	    "\nOriginal-Recipient: utf-8; "
	    "b\\x{FC}\\x{20}b\\x{2B}@first.test\nFinal-Recipient: rfc822;"));
	buf_free(&r.text);
	e.utf8 = true;
	compose(&r, &e, header, strlen(header));
	assert_non_null(strstr(r.text.data,
	    "\nOriginal-Recipient: utf-8; b\xc3\xbc b+@first.test\n"));
	buf_free(&r.text);
	envelope_free(&e);
}

static void
delays_are_no_failures(void **state)
{
	struct outcome later = {.state = RECIPIENT_PENDING,
	    .when = 1700000000,
	    .dsn = "4.4.1",
	    .text = "no connection"};
	struct envelope e;
	struct report r;
	const char *text;

	(void)state;
	make_envelope(&e, "no");
	assert_true(envelope_note(&e, 1, &later));
	e.ret = DSN_RET_FULL;
	r = about(&e, REPORT_DELAY, header, strlen(header));
	r.whole = true;
	assert_true(report_compose(&r));
	text = buf_text(&r.text);
	assert_non_null(strstr(text, "\nSubject: Your message is delayed\n"));
	assert_non_null(strstr(text, "\nAction: delayed\nStatus: 4.4.1\n"));
	assert_non_null(
	    strstr(text, "\nDiagnostic-Code: x-postrider; no connection\n"));
	assert_non_null(strstr(text, "\nWill-Retry-Until: Sun, 19 Nov 2023 "));
	assert_null(strstr(text, "bob@example.test"));
	assert_null(strstr(text, "fail"));
	assert_null(strstr(text, "could not"));
	assert_null(strstr(text, "\nbody\n"));
	buf_free(&r.text);
	envelope_free(&e);
}

static void
tells_of_success(void **state)
{
	const struct dsn_recipient asked = {DSN_SUCCESS, NULL};
	struct outcome here = {.state = RECIPIENT_DELIVERED,
	    .when = 1700000000,
	    .dsn = "2.0.0",
	    .relay = "mailbox:bob@example.test",
	    .text = "ok"};
	struct outcome there = {.state = RECIPIENT_DELIVERED,
	    .when = 1700000000,
	    .dsn = "2.1.5",
	    .relay = "mx.example.test[192.0.2.1]:25",
	    .text = "250 fine",
	    .relayed = true};
	struct outcome list = {.state = RECIPIENT_EXPANDED, .when = 1700000000};
	struct envelope e;
	struct report r;

	(void)state;
	make_envelope(&e, "no");
	for (size_t i = 0; i < 2; i++)
		assert_true(envelope_ask(&e, i, &asked));
	assert_true(envelope_add_recipient(&e, "list@example.test", 2));
	assert_true(envelope_ask(&e, 2, &asked));
	assert_true(envelope_note(&e, 0, &here));
	r = about(&e, REPORT_SUCCESS, header, strlen(header));
	assert_true(report_compose(&r));
	assert_non_null(strstr(
	    buf_text(&r.text), "\nSubject: Your message was delivered\n"));
	assert_non_null(
	    strstr(r.text.data, "\nAction: delivered\nStatus: 2.0.0\nLast-"));
	buf_free(&r.text);
	assert_true(envelope_note(&e, 1, &there));
	assert_true(envelope_note(&e, 2, &list));
	assert_true(report_compose(&r));
	assert_non_null(strstr(
	    buf_text(&r.text), "\nSubject: Your message was passed on\n"));
	assert_non_null(strstr(r.text.data,
	    "\nAction: relayed\nStatus: 2.1.5\n"
	    "Remote-MTA: dns; mx.example.test\n"
	    "Diagnostic-Code: smtp; 250 fine\n"));
	assert_non_null(
	    strstr(r.text.data, "\nAction: expanded\nStatus: 2.0.0\n"));
	buf_free(&r.text);
	envelope_free(&e);
}

/* Which reports are owed: NOTIFY by what became of the recipient. */
static void
owes_what_was_asked_for(void **state)
{
	static const struct {
		unsigned notify;
		bool failure, delay, delivered, passed, relayed;
	} rows[] = {
	    {0, true, true, false, false, false},
	    {DSN_NEVER, false, false, false, false, false},
	    {DSN_SUCCESS, false, false, true, false, true},
	    {DSN_FAILURE, true, false, false, false, false},
	    {DSN_DELAY, false, true, false, false, false},
	    {DSN_SUCCESS | DSN_FAILURE | DSN_DELAY, true, true, true, false,
		true},
	};
	struct outcome o = {.when = 1, .dsn = "2.0.0"};
	struct dsn_recipient asked = {0};
	struct envelope e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make_envelope(&e, "no");
		asked.notify = rows[i].notify;
		assert_true(envelope_ask(&e, 0, &asked));
		assert_int_equal(
		    owed_about(&e, 0, REPORT_FAILURE), rows[i].failure);
		assert_int_equal(owed_silence(&e, 0), !rows[i].failure);
		assert_false(owed_about(&e, 0, REPORT_DELAY));
		assert_false(owed_about(&e, 0, REPORT_SUCCESS));
		assert_true(envelope_ask(&e, 1, &asked));
		assert_int_equal(
		    owed_about(&e, 1, REPORT_DELAY), rows[i].delay);
		assert_int_equal(
		    owed_delay_in(&e, 10, 100), rows[i].delay ? 90 : -1);
		assert_int_equal(
		    owed_delay_in(&e, 110, 100), rows[i].delay ? 0 : -1);
		assert_int_equal(owed_delay_in(&e, 110, 0), -1);
		e.recipients[1].warned = true;
		assert_false(owed_about(&e, 1, REPORT_DELAY));
		o.state = RECIPIENT_DELIVERED;
		o.relay = "system:bob";
		assert_true(envelope_note(&e, 0, &o));
		assert_int_equal(
		    owed_about(&e, 0, REPORT_SUCCESS), rows[i].delivered);
		o.relay = "mx.test[192.0.2.1]:25";
		assert_true(envelope_note(&e, 0, &o));
		assert_int_equal(
		    owed_about(&e, 0, REPORT_SUCCESS), rows[i].passed);
		o.relayed = true;
		assert_true(envelope_note(&e, 0, &o));
		assert_int_equal(
		    owed_about(&e, 0, REPORT_SUCCESS), rows[i].relayed);
		o.relayed = false;
		e.recipients[0].told = true;
		assert_int_equal(owed_count(&e, REPORT_SUCCESS), 0);
		e.sender[0] = '\0';
		assert_int_equal(owed_count(&e, REPORT_FAILURE), 0);
		envelope_free(&e);
	}
}

static void
aliases_of_several_are_expanded(void **state)
{
	const struct dsn_recipient asked = {DSN_SUCCESS | DSN_FAILURE, NULL};
	struct outcome o = {.state = RECIPIENT_EXPANDED, .when = 1};
	struct envelope e;

	(void)state;
	make_envelope(&e, "no");
	assert_true(envelope_ask(&e, 0, &asked));
	assert_true(envelope_note(&e, 0, &o));
	assert_true(owed_about(&e, 0, REPORT_SUCCESS)); /* no new members */
	assert_true(envelope_add_recipient(&e, "one@example.test", 0));
	assert_false(owed_about(&e, 0, REPORT_SUCCESS));
	o = (struct outcome){.state = RECIPIENT_DELIVERED,
	    .dsn = "2.0.0",
	    .relay = "mailbox:one@example.test"};
	assert_true(envelope_note(&e, 2, &o));
	assert_true(owed_about(&e, 2, REPORT_SUCCESS));
	assert_true(envelope_add_recipient(&e, "two@example.test", 0));
	assert_true(owed_about(&e, 0, REPORT_SUCCESS));
	assert_string_equal(owed_action(&e, 0, REPORT_SUCCESS), "expanded");
	assert_false(owed_about(&e, 2, REPORT_SUCCESS));
	o.state = RECIPIENT_FAILED;
	assert_true(envelope_note(&e, 3, &o));
	assert_true(owed_about(&e, 3, REPORT_FAILURE));
	envelope_free(&e);
}

static size_t
count(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)) != NULL; text += strlen(what))
		n++;
	return n;
}

static void
returns_the_whole_message(void **state)
{
	static const char plain[] = "Subject: hi\n\n"
				    "--=_00000000000000bb\n"
				    "--=_00000000000000bbx--\n.\n\nbody";
	static char longest[2000];
	struct envelope e;
	struct report r;

	(void)state;
	make_envelope(&e, "no");
	e.ret = DSN_RET_FULL;
	r = about(&e, REPORT_FAILURE, plain, strlen(plain));
	r.whole = true;
	assert_true(report_compose(&r));
	/* It looks like our boundary: so that is another one. */
	assert_int_equal(
	    count(buf_text(&r.text), "--=_00000000000000bbxx\n"), 3);
	assert_non_null(strstr(r.text.data,
	    "\n--=_00000000000000bbxx\nContent-Type: message/rfc822\n\n"
	    "Subject: hi\n\n--=_00000000000000bb\n"));
	assert_non_null(
	    strstr(r.text.data, "\n.\n\nbody\n\n--=_00000000000000bbxx--\n"));
	assert_non_null(strstr(r.text.data, "  It is attached.\n"));
	assert_false(r.eight_bit);
	buf_free(&r.text);
	r.octets = "Subject: hi\n\n\xc3\xbc\n";
	r.n = strlen(r.octets);
	assert_true(report_compose(&r));
	assert_true(r.eight_bit);
	assert_non_null(strstr(buf_text(&r.text),
	    "\nContent-Type: message/rfc822\n"
	    "Content-Transfer-Encoding: 8bit\n\nSubject: hi\n\n\xc3\xbc\n"));
	assert_non_null(
	    strstr(r.text.data, "\"\nContent-Transfer-Encoding: 8bit\n\nThis"));
	buf_free(&r.text);
	e.utf8 = true;
	assert_true(report_compose(&r));
	assert_non_null(
	    strstr(buf_text(&r.text), "\nContent-Type: message/global\n"));
	buf_free(&r.text);
	e.utf8 = false;
	/* No part may hold these as they are: the header alone. */
	memset(longest, 'x', sizeof(longest) - 1);
	memcpy(longest, "Subject: hi\n\n", 13);
	r.octets = longest;
	r.n = sizeof(longest) - 1;
	assert_false(report_returns_all(&r));
	r.octets = "a: b\n\n\0\n";
	r.n = 8;
	assert_false(report_returns_all(&r));
	r.octets = "a: b\n\nc\rd\n";
	r.n = 10;
	assert_false(report_returns_all(&r));
	/* Nor the postmaster, nor who did not ask, nor a part of it. */
	r.octets = plain;
	r.n = strlen(plain);
	assert_true(report_returns_all(&r));
	r.copy = true;
	assert_false(report_returns_all(&r));
	r.copy = false;
	r.whole = false;
	assert_false(report_returns_all(&r));
	r.whole = true;
	e.ret = DSN_RET_HDRS;
	assert_false(report_returns_all(&r));
	envelope_free(&e);
}

/* Of very many, the first and the last. */
static void
long_threads_are_cut(void **state)
{
	struct buf octets = BUF_INIT(100000);
	struct envelope e;
	struct report r;

	(void)state;
	make_envelope(&e, "no");
	buf_adds(&octets, "References:");
	for (int i = 0; i < 1000; i++)
		buf_addf(&octets, " <%d@x>", i);
	buf_adds(&octets, "\nMessage-ID: <a@b>\n\n");
	compose(&r, &e, octets.data, octets.len);
	assert_non_null(strstr(r.text.data,
	    "\nReferences: <0@x>\n <982@x>\n <983@x>\n"));
	assert_non_null(strstr(r.text.data, "\n <999@x>\n <a@b>\nA"));
	buf_free(&r.text);
	buf_free(&octets);
	envelope_free(&e);
}

static void
nobody_waits_for_it(void **state)
{
	static const struct {
		const char *octets;
		bool unattended;
	} rows[] = {
	    {"Subject: x\n\nList-Id: x\n", false},
	    {"list-id: Friends <f.test>\n\n", true},
	    {"List-Post: <mailto:x@y>\n\n", true},
	    {"Precedence:  Bulk\n\n", true},
	    {"Precedence:\n junk\n\n", true},
	    {"Precedence: first-class\n\n", false},
	    {"Auto-Submitted: auto-generated (x)\n\n", true},
	    {"Auto-Submitted: NO\n\n", false},
	    {"X-Auto-Submitted: auto-replied\n\n", false},
	};
	struct report r = {.kind = REPORT_DELAY};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		r.octets = rows[i].octets;
		r.n = strlen(r.octets);
		if (report_is_unattended(&r) != rows[i].unattended)
			fail_msg("%s", rows[i].octets);
	}
}

/* Where a login wrote from is not told in what goes to his address. */
static void
a_login_is_not_placed(void **state)
{
	static const struct {
		const char *protocol;
		bool told;
	} rows[] = {{"ESMTP", true}, {"ESMTPS", true}, {"ESMTPA", false},
	    {"ESMTPSA", false}, {"UTF8SMTPSA", false}, {"local", true}};
	struct envelope e;
	struct report r;

	(void)state;
	make_envelope(&e, "no");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		free(e.protocol);
		e.protocol = strdup(rows[i].protocol);
		compose(&r, &e, header, strlen(header));
		assert_int_equal(
		    strstr(r.text.data, "client.test") != NULL, rows[i].told);
		buf_free(&r.text);
	}
	envelope_free(&e);
}

static void
answers_the_message(void **state)
{
	static const struct {
		const char *octets, *field; /* NULL: none */
	} rows[] = {
	    {"Message-ID: <a@b>\n\n",
		"\nIn-Reply-To: <a@b>\nReferences: <a@b>"},
	    {"a: b\nmessage-id:<a@b>\n\n", "\nIn-Reply-To: <a@b>\n"},
	    {"Message-ID: <a@b>\n", "\nIn-Reply-To: <a@b>\n"},
	    {"Message-ID: <a@b> <c@d>\n\n", NULL},
	    {"Message-ID: <a@b\n\n", NULL},
	    {"Message-ID: <a\r\n\tb>\n\n", NULL},
	    {"Message-ID: <a\xc3\xbc@b>\n\n", NULL},
	    {"Message-ID:\n <a@b>\n\n", "\nIn-Reply-To: <a@b>\n"},
	    {"References: <1@x>\n\t<2@x>\nMessage-ID : <a@b>\n\n",
		"\nIn-Reply-To: <a@b>\nReferences: <1@x>\n <2@x>\n <a@b>\nA"},
	    {"In-Reply-To: <1@x>\nMessage-ID: <a@b>\n\n",
		"\nReferences: <1@x>\n <a@b>\nA"},
	    {"In-Reply-To: <1@x> <2@x>\nMessage-ID: <a@b>\n\n",
		"\nReferences: <a@b>\nA"},
	    {"References: <1@x> xy <2@x\nMessage-ID: <a@b>\n\n",
		"\nReferences: <1@x>\n <a@b>\nA"},
	    {"Message-IDs: <1@x>\nMessage-ID: <a@b>\n\n",
		"\nReferences: <a@b>\nA"},
	    {"Message-ID:", NULL},
	    {"\nMessage-ID: <a@b>\n", NULL},
	};
	struct envelope e;
	struct report r;

	(void)state;
	make_envelope(&e, "no");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *head;

		compose(&r, &e, rows[i].octets, strlen(rows[i].octets));
		head = strstr(r.text.data,
		    rows[i].field != NULL ? rows[i].field : "\nIn-Reply-To");
		if ((head != NULL) != (rows[i].field != NULL))
			fail_msg("%s", rows[i].octets);
		buf_free(&r.text);
	}
	envelope_free(&e);
}

static void
copies_are_for_the_postmaster(void **state)
{
	struct envelope e;
	struct report r;

	(void)state;
	make_envelope(&e, "no");
	r = about(&e, REPORT_FAILURE, header, strlen(header));
	r.copy = true;
	r.to = "copies@example.test";
	assert_true(report_compose(&r));
	assert_non_null(
	    strstr(buf_text(&r.text), "\nTo: <copies@example.test>\n"));
	assert_non_null(
	    strstr(r.text.data, "\nSubject: Postmaster's copy: a message"));
	assert_non_null(
	    strstr(r.text.data, "\nAuto-Submitted: auto-generated\n"));
	assert_non_null(strstr(r.text.data, "A message of <ann@example.test>"));
	buf_free(&r.text);
	/* A report that could not be delivered. */
	e.sender[0] = '\0';
	assert_true(report_compose(&r));
	assert_non_null(strstr(buf_text(&r.text),
	    "\nFinal-Recipient: rfc822; bob@example.test\n"));
	assert_non_null(strstr(r.text.data, "nobody else is told"));
	buf_free(&r.text);
	envelope_free(&e);
}

/* Whatever a remote server said, the report stays mail (A8). */
static void
strangers_words_do_no_harm(void **state)
{
	char text[2000], octets[5000];
	struct envelope e;
	struct report r;
	size_t line, longest;

	(void)state;
	srand(4);
	for (int round = 0; round < 200; round++) {
		longest = line = 0;
		for (size_t i = 0; i < sizeof(text) - 1; i++)
			text[i] = (char)(rand() % 255 + 1);
		text[sizeof(text) - 1] = '\0';
		if (round == 0)
			memset(text, 'x', sizeof(text) - 1);
		for (size_t i = 0; i < sizeof(octets); i++)
			octets[i] = (char)(rand() % 256);
		if (round < 5)
			memset(octets, 'h', sizeof(octets) - 1);
		octets[sizeof(octets) - 1] = '\n';
		make_envelope(&e, text);
		free(e.helo);
		e.helo = strdup(text);
		e.utf8 = round % 2 == 1;
		compose(&r, &e, octets, (size_t)round * 25);
		for (size_t i = 0; i < r.text.len; i++) {
			char c = r.text.data[i];

			assert_true(c != '\0' && c != '\r');
			line = c == '\n' ? 0 : line + 1;
			longest = line > longest ? line : longest;
			if (!r.eight_bit)
				assert_true((unsigned char)c < 0x80);
		}
		assert_true(longest <= 998);
		assert_int_equal(r.text.data[r.text.len - 1], '\n');
		buf_free(&r.text);
		envelope_free(&e);
	}
}

static void
counts_the_wire(void **state)
{
	struct envelope e;
	struct report r;
	size_t lines = 0;

	(void)state;
	make_envelope(&e, "no");
	compose(&r, &e, header, 0);
	for (size_t i = 0; i < r.text.len; i++)
		lines += r.text.data[i] == '\n';
	assert_int_equal(r.wire, r.text.len + lines);
	buf_free(&r.text);
	envelope_free(&e);
}

/* -- to the postmaster, about a login -- */

static struct notice
notice_about(const char *login)
{
	return (struct notice){.hostname = "mail.example.test",
	    .to = "postmaster@mail.example.test",
	    .own_id = "00000000000000bb",
	    .now = 1700000000,
	    .login = login,
	    .reason = "budget: 4 messages, limit 3 (login-messages)",
	    .since = 1700000000,
	    .most = 1000};
}

static void
assert_has(const struct notice *n, const char *text)
{
	if (strstr(n->text.data, text) == NULL)
		fail_msg("no \"%s\" in: %s", text, n->text.data);
}

static void
a_notice_says_what_to_do(void **state)
{
	struct notice n = notice_about("ann@example.test");
	uint64_t ends = 0;

	(void)state;
	n.app = "phone";
	n.client = "host[192.0.2.1]";
	n.message = "00000000000000aa";
	assert_true(notice_compose(&n));
	assert_non_null(buf_text(&n.text));
	assert_has(&n, "\nAuto-Submitted: auto-generated\n");
	assert_has(&n, "Subject: Mail is held: ann@example.test\n");
	assert_has(&n, "4 messages, limit 3");
	assert_has(&n, "host[192.0.2.1]");
	assert_has(&n, "passwd --revoke --app phone ann@example.test\n");
	assert_has(&n, "postrider-queue release --login ann@example.test\n");
	assert_has(&n, "delete --state held --login ann@example.test\n");
	assert_has(&n, "limit ann@example.test login-messages 5000/1d\n");
	assert_int_equal(n.start,
	    strstr(n.text.data, "Date: ") - n.text.data);
	for (size_t i = 0; i < n.text.len; i++)
		ends += n.text.data[i] == '\n';
	assert_int_equal(n.wire, n.text.len + ends);
	assert_false(n.eight_bit);
	buf_free(&n.text);
}

/* Names are quoted for the shell, and nothing breaks a line or a terminal. */
static void
a_notice_takes_any_name(void **state)
{
	struct notice n = notice_about("a*'b; rm@example.test");

	(void)state;
	n.sender = "x\r\nBcc: y\x1b[2J\xff";
	assert_true(notice_compose(&n));
	assert_non_null(buf_text(&n.text));
	assert_has(&n, "show 'a*'\\''b; rm@example.test'\n");
	assert_has(&n, "release --login 'a\\*'\\''b; rm@example.test'\n");
	assert_has(&n, "x??Bcc: y?[2J?\n");
	buf_free(&n.text);
	n = notice_about("\xc3\xa4@example.test");
	assert_true(notice_compose(&n));
	assert_non_null(buf_text(&n.text));
	assert_true(n.eight_bit);
	assert_has(&n, "Subject: Mail is held\n");
	assert_has(&n, "charset=utf-8\nContent-Transfer-Encoding: 8bit\n");
	buf_free(&n.text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(says_what_must_be_said),
	    cmocka_unit_test(repeats_the_senders_names),
	    cmocka_unit_test(delays_are_no_failures),
	    cmocka_unit_test(tells_of_success),
	    cmocka_unit_test(owes_what_was_asked_for),
	    cmocka_unit_test(aliases_of_several_are_expanded),
	    cmocka_unit_test(returns_the_whole_message),
	    cmocka_unit_test(long_threads_are_cut),
	    cmocka_unit_test(nobody_waits_for_it),
	    cmocka_unit_test(a_login_is_not_placed),
	    cmocka_unit_test(answers_the_message),
	    cmocka_unit_test(copies_are_for_the_postmaster),
	    cmocka_unit_test(strangers_words_do_no_harm),
	    cmocka_unit_test(counts_the_wire),
	    cmocka_unit_test(a_notice_says_what_to_do),
	    cmocka_unit_test(a_notice_takes_any_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
