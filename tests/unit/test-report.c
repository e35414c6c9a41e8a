/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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
	assert_non_null(e->sender);
	assert_true(envelope_add_recipient(e, "bob@example.test", 0));
	assert_true(envelope_add_recipient(e, "gone@example.test", 1));
	assert_true(envelope_note(e, 0, &o));
}

static void
compose(
    struct report *r, const struct envelope *e, const char *octets, size_t n)
{
	*r = (struct report){.e = e,
	    .id = "00000000000000aa",
	    .own_id = "00000000000000bb",
	    .hostname = "mail.example.test",
	    .now = 1700000000,
	    .header = octets,
	    .nheader = n};
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
	assert_null(strstr(text, "body\n"));
	assert_null(strstr(text, "gone@example.test"));
	assert_memory_equal(text + r.start, "Date: ", 6);
	assert_false(r.eight_bit || r.utf8);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(says_what_must_be_said),
	    cmocka_unit_test(strangers_words_do_no_harm),
	    cmocka_unit_test(counts_the_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
